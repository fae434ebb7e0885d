import { CommandError, exitCodes, type Io } from '../terminal/command.ts';
import { printable, printableJson } from '../terminal/output.ts';
import type { KeyAnswer } from './key-text.ts';
import { keyDetails } from './key-text.ts';

/** A key that was made, with its secret; null in the answer to a repeated request, which does not tell it again. */
export type KeyWithSecret = KeyAnswer & { readonly key: string | null };

/**
 * Prints a key that was just made: as JSON where that is asked for; to a person with all about it; else the key
 * alone on one line. Throws a {@link CommandError} where a script waits for a secret and there is none.
 */
export function printSecret(io: Io, data: KeyWithSecret, { json }: { readonly json?: boolean }): void {
  if (json) io.stdout.write(printableJson(data));
  else if (data.key === null) throw madeBefore(data);
  else if (io.stdout.isTTY) io.stdout.write(shownOnce(data, data.key));
  else {
    io.stdout.write(`${printable(data.key)}\n`);
    io.stderr.write(
      `postern: made ${printable(data.id)}; its key is printed this once, on standard output\n`,
    );
  }
}

/** Prints a key whose secret was made elsewhere: as JSON, with all about it, or its id alone on one line. */
export function printKeyWithoutSecret(
  io: Io,
  data: KeyWithSecret,
  { json }: { readonly json?: boolean },
): void {
  if (json) io.stdout.write(printableJson(data));
  else io.stdout.write(io.stdout.isTTY ? keyDetails(data) : `${printable(data.id)}\n`);
}

function madeBefore({ id }: KeyWithSecret): CommandError {
  return new CommandError(exitCodes.failed, [
    `an earlier call with this --request-id made ${printable(id)}; its key was told then, and never again`,
    `If that answer was lost: "postern keys revoke ${printable(id)}", and go on with another --request-id.`,
  ]);
}

function shownOnce(data: KeyWithSecret, key: string): string {
  return [
    keyDetails(data),
    `  ${printable(key)}`,
    '',
    'This is the key. It is shown this once and nobody can show it again: copy it now.',
    '',
  ].join('\n');
}
