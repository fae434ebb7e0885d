import { CommandError, exitCodes } from '../terminal/command.ts';

/** The path of a key in the REST API. What is no id stays here: it may be a key, and paths are logged. */
export function keyPath(id: string): string {
  if (/^key_[0-9a-z]{1,64}$/.test(id)) return `/admin/api-keys/${id}`;
  throw new CommandError(exitCodes.usage, [
    'that is not an id of a key; an id begins with key_',
    'See them with "postern keys list"; a key itself goes to "postern keys find" or "keys verify" by standard input.',
  ]);
}
