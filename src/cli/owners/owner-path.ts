import { CommandError, exitCodes } from '../terminal/command.ts';

/** The path of an owner in the REST API. */
export function ownerPath(id: string): string {
  // However it is escaped, whoever reads a URL takes such a part for a step through the path.
  if (/^\.{0,2}$/.test(id)) {
    const what = id === '' ? 'the id of an owner is empty' : `the id ${id} has no place in a URL`;
    throw new CommandError(exitCodes.usage, [what, 'The gRPC API takes every id that is not empty.']);
  }
  return `/admin/owners/${encodeURIComponent(id)}`;
}
