import type { Command } from 'commander';
import { z } from 'zod';
import { type Client, type ConnectionFlags, connect, defaultAddress } from './client.ts';
import { CommandError, exitCodes, type ExitCode, type Io } from './command.ts';
import { keyAnswer, keyDetails } from './key-text.ts';
import { createKey } from './keys-create.ts';
import { listKeys } from './keys-list.ts';
import { verifyKey } from './keys-verify.ts';
import { printable, printableJson } from './output.ts';

/** Adds one command under `keys`, with the flags that all of them share. */
export type AddKeyCommand = (name: string, description: string, examples: readonly string[]) => Command;

interface ShownFlags extends ConnectionFlags {
  readonly json?: boolean;
}

const narrowedAnswer = z.object({
  data: keyAnswer.extend({ effective_at: z.string(), unconfirmed_replicas: z.array(z.string()) }),
});

/** The commands that speak the REST API. `exit` takes the code of one that ends well. */
export function addKeyCommands(program: Command, io: Io, exit: (code: ExitCode) => void): void {
  const keys = program.command('keys').summary('make, list and withdraw API keys');
  describe(keys, 'Makes, lists and withdraws API keys of a running service, over its REST API.', [
    'postern keys create --name "Asset backend" --permission read:assets --expires-in 90d',
    'postern keys list --owner acme',
    'postern keys revoke key_01k0c6h3v8s9w2m4n5p7q8r9t1',
  ]);

  const add: AddKeyCommand = (name, description, examples) => {
    const command = keys.command(name).summary(firstWords(description));
    describe(command, description, examples);
    return command
      .optionsGroup('Connection:')
      .option('--address <url>', `the service, else POSTERN_ADDRESS (default: ${defaultAddress})`)
      .option('--admin-key-file <file>', 'the admin key, - for standard input, else POSTERN_ADMIN_KEY[_FILE]')
      .optionsGroup('Options:');
  };

  createKey(add, io);
  listKeys(add, io);
  verifyKey(add, io, exit);
  addGet(add, io);
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
}

function addGet(add: AddKeyCommand, io: Io): void {
  add('get', 'Shows a key, without its secret.', ['postern keys get key_01k0c6h3v8s9w2m4n5p7q8r9t1'])
    .argument('<id>', 'the id of the key, key_…')
    .option('--json', 'print the key as JSON')
    .action(async (id: string, flags: ShownFlags) => {
      const client = await connect(io, flags);
      const { data } = read(z.object({ data: keyAnswer }), await client.call('GET', keyPath(id)));
      io.stdout.write(flags.json ? printableJson(data) : keyDetails(data));
    });
}

function addEnable(add: AddKeyCommand, io: Io): void {
  add('enable', 'Lets a disabled key in again.', ['postern keys enable key_01k0c6h3v8s9w2m4n5p7q8r9t1'])
    .argument('<id>', 'the id of the key, key_…')
    .option('--json', 'print the key as JSON')
    .action(async (id: string, flags: ShownFlags) => {
      const client = await connect(io, flags);
      const answer = await client.call('POST', `${keyPath(id)}/enable`);
      const { data } = read(z.object({ data: keyAnswer }), answer);
      io.stdout.write(flags.json ? printableJson(data) : printable(`${data.id} is ${data.state}`) + '\n');
    });
}

interface Narrowing {
  readonly name: string;
  readonly description: string;
  readonly done: string;
  readonly request: (id: string) => readonly [method: string, path: string];
}

function addNarrowing(add: AddKeyCommand, io: Io, { name, description, done, request }: Narrowing): void {
  add(name, description, [`postern keys ${name} key_01k0c6h3v8s9w2m4n5p7q8r9t1`])
    .argument('<id>', 'the id of the key, key_…')
    .option('--json', 'print the key, effective_at and unconfirmed_replicas as JSON')
    .action(async (id: string, flags: ShownFlags) => {
      const client = await connect(io, flags);
      const { data } = read(narrowedAnswer, await client.call(...request(id)));
      io.stdout.write(flags.json ? printableJson(data) : narrowedText(done, data));
    });
}

function narrowedText(done: string, data: z.output<typeof narrowedAnswer>['data']): string {
  const { id, effective_at: at, unconfirmed_replicas: replicas } = data;
  if (replicas.length === 0) return printable(`${id} is ${done}: no replica lets it in since ${at}`) + '\n';
  const first = `${id} is ${done}: no replica lets it in from ${at} on`;
  return `${printable(first)}\n${printable(`not confirmed yet by: ${replicas.join(', ')}`)}\n`;
}

/** The path of a key in the REST API. */
export function keyPath(id: string): string {
  return `/admin/api-keys/${encodeURIComponent(id)}`;
}

/** Reads an answer by its shape; one of another shape is not from a Postern of this version. */
export function read<T extends z.ZodType>(shape: T, answer: unknown): z.output<T> {
  const result = shape.safeParse(answer);
  if (result.success) return result.data;
  throw new CommandError(exitCodes.failed, [
    'the answer is not as Postern gives it',
    'Say where its HTTP listener is by --address or POSTERN_ADDRESS; see too that the versions are the same.',
  ]);
}
