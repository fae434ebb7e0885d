import { Option } from 'commander';
import { z } from 'zod';
import { type Client, type ConnectionFlags, connect } from './client.ts';
import { type AddKeyCommand, CommandError, exitCodes, type Io } from './command.ts';
import { keyAnswer, keyList } from './key-text.ts';
import { printable, printableJsonLine } from './output.ts';

interface ListFlags extends ConnectionFlags {
  readonly owner?: string;
  readonly scheme?: string;
  readonly environment?: string;
  readonly state?: string;
  readonly permission?: string;
  readonly nameContains?: string;
  readonly pageSize?: string;
  readonly pageToken?: string;
  readonly all?: boolean;
  readonly json?: boolean;
}

const keyPage = z.object({ data: z.array(keyAnswer), next_page_token: z.string().nullable() });
type KeyPage = z.output<typeof keyPage>;

/** `keys list`. */
export function listKeys(add: AddKeyCommand, io: Io): void {
  add('list', 'Lists keys, the newest first, without their secrets.', [
    'postern keys list',
    'postern keys list --owner acme --state active',
    'postern keys list --all --json',
  ])
    .option('--owner <owner>', 'only the keys of this owner')
    .option('--scheme <scheme>', 'only keys of this scheme')
    .option('--environment <environment>', 'only keys of this environment')
    .addOption(
      new Option('--state <state>', 'only keys in this state').choices([
        'active',
        'disabled',
        'revoked',
        'expired',
      ]),
    )
    .option('--permission <permission>', 'only keys with this permission')
    .option('--name-contains <text>', 'only keys with this in their name, letter case aside')
    .option('--page-size <keys>', 'how many at once, up to 1000')
    .option('--page-token <token>', 'go on where an earlier list ended')
    .option('--all', 'go on to the last page')
    .option('--json', 'print {"data":[…],"next_page_token":…}')
    .action(async (flags: ListFlags) => {
      const client = await connect(io, flags);
      const pages = readPages(client, flags);
      await (flags.json ? printJson(pages, io) : printTable(pages, io));
    });
}

/** One page, or all from there on. */
async function* readPages(client: Client, flags: ListFlags): AsyncGenerator<KeyPage> {
  let token = flags.pageToken;
  for (;;) {
    const page = await client.call(keyPage, 'GET', `/admin/api-keys${queryOf(flags, token)}`);
    yield page;
    const next = page.next_page_token;
    if (!flags.all || next === null) return;
    if (next === token)
      throw new CommandError(exitCodes.failed, ['the list goes in circles: the same page again']);
    token = next;
  }
}

function queryOf(flags: ListFlags, token: string | undefined): string {
  const parameters = {
    owner: flags.owner,
    scheme: flags.scheme,
    environment: flags.environment,
    state: flags.state,
    permission: flags.permission,
    name_contains: flags.nameContains,
    page_size: flags.pageSize,
    page_token: token,
  };
  const given = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]],
  );
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
}

/** Each page as it comes, since all keys together may not fit in memory. */
async function printTable(pages: AsyncIterable<KeyPage>, io: Io): Promise<void> {
  let count = 0;
  let rest: string | null = null;
  for await (const page of pages) {
    io.stdout.write(keyList(page.data, count === 0));
    count += page.data.length;
    rest = page.next_page_token;
    if (io.stdout.isClosed()) return;
  }
  if (count === 0) io.stderr.write('postern: there is no such key\n');
  if (rest !== null)
    io.stderr.write(`postern: more keys follow: --page-token ${printable(rest)}, or --all\n`);
}

async function printJson(pages: AsyncIterable<KeyPage>, io: Io): Promise<void> {
  let before = '{"data":[';
  let rest: string | null = null;
  for await (const page of pages) {
    for (const key of page.data) {
      io.stdout.write(`${before}\n${printableJsonLine(key)}`);
      before = ',';
    }
    rest = page.next_page_token;
    if (io.stdout.isClosed()) return;
  }
  const end = before === ',' ? '\n]' : `${before}]`;
  io.stdout.write(`${end},"next_page_token":${printableJsonLine(rest)}}\n`);
}
