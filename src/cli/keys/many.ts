import { InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { keyAnswer } from '../answers/key-text.ts';
import { settledText } from '../answers/settled-text.ts';
import { type Client, type ConnectionFlags, connect } from '../calls/client.ts';
import { readPages } from '../calls/pages.ts';
import { actingOwner, ownerFlagNote } from '../terminal/acting-owner.ts';
import { type AddCommand, CommandError, exitCodes, type Io } from '../terminal/command.ts';
import { printableJson } from '../terminal/output.ts';
import { append } from './create.ts';

interface ManyFlags extends ConnectionFlags {
  readonly owner?: string;
  readonly scheme?: string;
  readonly environment?: string;
  readonly state?: string;
  readonly permission?: string;
  readonly role?: string;
  readonly unusedSince?: string;
  readonly expiresBefore?: string;
  readonly id?: string[];
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const endedAnswer = z.object({
  data: z.object({
    matched: z.number(),
    changed: z.number(),
    effective_at: z.string().nullable(),
    unconfirmed_replicas: z.array(z.string()),
  }),
});
type Ended = z.output<typeof endedAnswer>['data'];

/** Keys that one call ends, so that it can be told how far it is. */
const batchSize = 1_000;

/** `keys revoke-many` and `keys disable-many`. */
export function endManyKeys(add: AddCommand, io: Io, verb: 'revoke' | 'disable'): void {
  const description =
    `${verb === 'revoke' ? 'Revokes, at once and for good,' : 'Stops, until they are enabled again,'} all keys that the flags ` +
    'name together. Says on standard error how far it is; what was done by then stays, and asked again it goes on. Look first by --dry-run.';
  add(`${verb}-many`, description, [
    `postern keys ${verb}-many --owner acme --dry-run`,
    `postern keys ${verb}-many --role contractor --unused-since 2031-01-31T00:00:00Z`,
    `postern keys ${verb}-many --id key_01k0c6h3v8s9w2m4n5p7q8r9t1 --id key_01k0c6h3v8s9w2m4n5p7q8r9t2`,
  ])
    .option('--owner <owner>', `the keys of this owner, ${ownerFlagNote}`)
    .option('--scheme <scheme>', 'keys of this scheme')
    .option('--environment <environment>', 'keys of this environment')
    .option('--state <state>', 'keys in this state: active, disabled, expired', oneState)
    .option('--permission <permission>', 'keys with this permission')
    .option('--role <role>', 'keys with this role')
    .option('--unused-since <time>', 'keys last used before it, or never and made before it')
    .option('--expires-before <time>', 'keys that end before it, or have ended')
    .option('--id <id>', 'the key of this id; repeat for more', append)
    .option('--dry-run', 'say how many would be changed, and change nothing')
    .option('--json', 'print matched, changed, effective_at and unconfirmed_replicas as JSON')
    .action(async (flags: ManyFlags) => {
      const filter = filterOf(io, flags);
      if (Object.keys(filter).length === 0 && flags.id === undefined) throw nothingNamed();
      const client = await connect(io, flags);
      const path = `/admin/api-keys:${verb}`;
      const ended = flags.dryRun
        ? (await client.call(endedAnswer, 'POST', path, { filter, ids: flags.id, dry_run: true })).data
        : await endAll(client, io, path, { filter, ids: flags.id });
      io.stdout.write(flags.json ? printableJson(ended) : endedText(ended, verb, flags.dryRun === true));
    });
}

function oneState(text: string): string {
  if (['active', 'disabled', 'expired'].includes(text)) return text;
  throw new InvalidArgumentError('Allowed choices are active, disabled, expired.');
}

function filterOf(io: Io, flags: ManyFlags): Record<string, string> {
  const given = {
    ...{ owner: actingOwner(io, flags.owner), scheme: flags.scheme, environment: flags.environment },
    ...{ state: flags.state, permission: flags.permission, role: flags.role },
    ...{ unused_since: flags.unusedSince, expires_before: flags.expiresBefore },
  };
  return Object.fromEntries(
    Object.entries(given).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

interface Named {
  readonly filter: Record<string, string>;
  readonly ids: readonly string[] | undefined;
}

/** So many at a time; the answer holds for all of them. */
async function endAll(client: Client, io: Io, path: string, { filter, ids }: Named): Promise<Ended> {
  let [matched, changed, at] = [0, 0, ''];
  const replicas = new Set<string>();
  for await (const batch of batches(client, filter, ids)) {
    const body = { ids: batch, ...(Object.keys(filter).length > 0 && { filter }) };
    const { data } = await client.call(endedAnswer, 'POST', path, body).catch((error: unknown) => {
      if (changed > 0)
        io.stderr.write(
          `postern: ${changed} were done before this; they stay so, and asked again it goes on\n`,
        );
      throw error;
    });
    matched += data.matched;
    changed += data.changed;
    if (data.effective_at !== null && data.effective_at > at) at = data.effective_at;
    for (const replica of data.unconfirmed_replicas) replicas.add(replica);
    if (matched > batchSize || batch.length === batchSize) io.stderr.write(`postern: ${changed} so far\n`);
  }
  return { matched, changed, effective_at: at || null, unconfirmed_replicas: [...replicas] };
}

/** All ids first: a key that has ended may meet the filter no more. */
async function* batches(
  client: Client,
  filter: Record<string, string>,
  ids: readonly string[] | undefined,
): AsyncGenerator<readonly string[]> {
  const found = [...(ids ?? [])];
  if (ids === undefined) {
    const list = { path: '/admin/api-keys', filters: filter, item: keyAnswer };
    for await (const { data } of readPages(client, { all: true, pageSize: String(batchSize) }, list))
      found.push(...data.map(({ id }) => id));
  }
  for (let start = 0; start < found.length; start += batchSize) yield found.slice(start, start + batchSize);
}

function endedText(ended: Ended, verb: string, isDryRun: boolean): string {
  const { matched, changed, effective_at: at, unconfirmed_replicas } = ended;
  const done = `${changed} of ${matched} keys ${isDryRun ? 'would be' : 'are'} ${verb}d`;
  if (at === null) return `${done}\n`;
  return settledText(done, 'no replica allows them', { effective_at: at, unconfirmed_replicas });
}

function nothingNamed(): CommandError {
  return new CommandError(exitCodes.usage, [
    'no keys are named',
    'Name keys by a flag, such as --owner or --id; see: postern keys revoke-many --help',
  ]);
}
