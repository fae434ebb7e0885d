import type { Command } from 'commander';
import { z } from 'zod';
import { type KeyAnswer, keyAnswer, keyDetails } from '../answers/key-text.ts';
import { settledText } from '../answers/settled-text.ts';
import { type ConnectionFlags, callingCommands, connect } from '../calls/client.ts';
import { keyPath } from '../calls/key-path.ts';
import type { AddCommand, ExitCode, Io } from '../terminal/command.ts';
import { describe } from '../terminal/describe.ts';
import { printable, printableJson } from '../terminal/output.ts';
import { createKey } from './create.ts';
import { findKey } from './find.ts';
import { chargeKey, showLimits } from './limits.ts';
import { listKeys } from './list.ts';
import { endManyKeys } from './many.ts';
import { reportLeaked } from './report-leaked.ts';
import { rotateKey } from './rotate.ts';
import { updateKey } from './update.ts';
import { showUsage } from './usage.ts';
import { verifyKey } from './verify.ts';

interface ShownFlags extends ConnectionFlags {
  readonly json?: boolean;
}

const oneKey = z.object({ data: keyAnswer });
const narrowedKey = z.object({
  data: keyAnswer.extend({ effective_at: z.string(), unconfirmed_replicas: z.array(z.string()) }),
});

/** The commands under `keys`. `exit` takes the code of one that ends well. */
export function addKeyCommands(program: Command, io: Io, exit: (code: ExitCode) => void): void {
  const keys = program.command('keys');
  describe(keys, 'Makes, lists, changes and withdraws API keys of a running service, over its REST API.', [
    'postern keys create --name "Asset backend" --permission read:assets --expires-in 90d',
    'postern keys list --owner acme',
    'postern keys rotate key_01k0c6h3v8s9w2m4n5p7q8r9t1 --grace 24h',
    'postern keys revoke key_01k0c6h3v8s9w2m4n5p7q8r9t1',
  ]);

  const add = callingCommands(keys);
  createKey(add, io);
  listKeys(add, io);
  findKey(add, io);
  verifyKey(add, io, exit);
  addGet(add, io);
  showUsage(add, io);
  showLimits(add, io);
  chargeKey(add, io);
  updateKey(add, io);
  rotateKey(add, io);
  addNarrowing(add, io, {
    name: 'revoke',
    description: 'Revokes a key at once and for good.',
    done: 'revoked',
    request: (id) => ['DELETE', keyPath(id)],
  });
  addNarrowing(add, io, {
    name: 'disable',
    description: 'Stops a key until it is enabled again.',
    done: 'disabled',
    request: (id) => ['POST', `${keyPath(id)}/disable`],
  });
  addEnable(add, io);
  endManyKeys(add, io, 'revoke');
  endManyKeys(add, io, 'disable');
  reportLeaked(add, io);
}

function addGet(add: AddCommand, io: Io): void {
  add('get', 'Shows a key, without its secret.', ['postern keys get key_01k0c6h3v8s9w2m4n5p7q8r9t1'])
    .argument('<id>', 'the id of the key, key_…')
    .option('--json', 'print the key as JSON')
    .action(async (id: string, flags: ShownFlags) => {
      const path = keyPath(id);
      const client = await connect(io, flags);
      const { data } = await client.call(oneKey, 'GET', path);
      io.stdout.write(flags.json ? printableJson(data) : keyDetails(data));
    });
}

function addEnable(add: AddCommand, io: Io): void {
  add('enable', 'Enables a disabled key.', ['postern keys enable key_01k0c6h3v8s9w2m4n5p7q8r9t1'])
    .argument('<id>', 'the id of the key, key_…')
    .option('--json', 'print the key as JSON')
    .action(async (id: string, flags: ShownFlags) => {
      const path = `${keyPath(id)}/enable`;
      const client = await connect(io, flags);
      const { data } = await client.call(oneKey, 'POST', path);
      io.stdout.write(flags.json ? printableJson(data) : `${printable(`${data.id} is ${data.state}`)}\n`);
    });
}

interface Narrowing {
  readonly name: string;
  readonly description: string;
  readonly done: string;
  readonly request: (id: string) => readonly [method: string, path: string];
}

function addNarrowing(add: AddCommand, io: Io, { name, description, done, request }: Narrowing): void {
  add(name, description, [`postern keys ${name} key_01k0c6h3v8s9w2m4n5p7q8r9t1`])
    .argument('<id>', 'the id of the key, key_…')
    .option('--json', 'print the key, effective_at and unconfirmed_replicas as JSON')
    .action(async (id: string, flags: ShownFlags) => {
      const [method, path] = request(id);
      const client = await connect(io, flags);
      const before = flags.json ? null : (await client.call(oneKey, 'GET', keyPath(id))).data;
      const { data } = await client.call(narrowedKey, method, path);
      io.stdout.write(
        flags.json
          ? printableJson(data)
          : settledText(endedText(data, done, before?.revoked_at ?? null), 'no replica allows it', data),
      );
    });
}

/** A key that was revoked before was so since then, and not since now. */
function endedText({ id }: KeyAnswer, done: string, revokedBefore: string | null): string {
  return revokedBefore === null ? `${id} is ${done}` : `${id} was revoked already, on ${revokedBefore}`;
}
