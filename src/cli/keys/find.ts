import { z } from 'zod';
import { keyAnswer, keyDetails } from '../answers/key-text.ts';
import { type ConnectionFlags, connect } from '../calls/client.ts';
import { readPresentedKey } from '../files/secret-input.ts';
import type { AddCommand, Io } from '../terminal/command.ts';
import { printableJson } from '../terminal/output.ts';

interface FindFlags extends ConnectionFlags {
  readonly keyFile?: string;
  readonly json?: boolean;
}

const oneKey = z.object({ data: keyAnswer });

/** `keys find`. */
export function findKey(add: AddCommand, io: Io): void {
  const description =
    'Shows the key that has a secret, which is read from standard input: it stands in no argument and no URL. ' +
    'By what is shown of a key, "postern keys list --search" finds it.';
  add('find', description, ['postern keys find < found.txt', 'postern keys find --key-file found.txt --json'])
    .option('--key-file <file>', 'read the key from this file')
    .option('--json', 'print the key as JSON')
    .action(async (flags: FindFlags) => {
      const key = await readPresentedKey(io, flags);
      const client = await connect(io, flags);
      const { data } = await client.call(oneKey, 'POST', '/admin/api-keys:find', { key });
      io.stdout.write(flags.json ? printableJson(data) : keyDetails(data));
    });
}
