import { CommandError, exitCodes } from '../terminal/command.ts';

/** The path of a role in the REST API. */
export function rolePath(id: string): string {
  // However it is escaped, whoever reads a URL takes such a part for a step through the path.
  if (/^\.{0,2}$/.test(id)) {
    const what = id === '' ? 'the id of a role is empty' : `the id ${id} has no place in a URL`;
    throw new CommandError(exitCodes.usage, [what, 'The gRPC API takes every id that is not empty.']);
  }
  return `/admin/roles/${encodeURIComponent(id)}`;
}
