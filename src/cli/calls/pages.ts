import type { Command } from 'commander';
import { z } from 'zod';
import { CommandError, exitCodes, type Io } from '../terminal/command.ts';
import { printable, printableJsonLine } from '../terminal/output.ts';
import { type Client, type ConnectionFlags, connect } from './client.ts';

/** What every list takes besides its filters. */
export interface PageFlags extends ConnectionFlags {
  readonly pageSize?: string;
  readonly pageToken?: string;
  readonly all?: boolean;
  readonly json?: boolean;
}

/** A list of the REST API, and how it looks. */
export interface List<Item extends z.ZodType> {
  readonly path: string;
  /** Parameters of the query; undefined ones are left out. */
  readonly filters: Readonly<Record<string, string | undefined>>;
  readonly item: Item;
  /** A page, a line each; the header stands on the first page alone. */
  readonly tableOf: (items: readonly z.output<Item>[], isFirstPage: boolean) => string;
  readonly plural: string;
  /** Said where the whole list is empty. */
  readonly none: string;
  /** What to add to `none`, asked only then. */
  readonly whyNone?: (client: Client) => Promise<string>;
}

interface Page<Item> {
  readonly data: readonly Item[];
  readonly next_page_token: string | null;
}

export function addPageFlags(command: Command, plural: string): Command {
  return command
    .option(`--page-size <${plural}>`, 'how many at once, up to 1000')
    .option('--page-token <token>', 'go on where an earlier list ended')
    .option('--all', 'go on to the last page')
    .option('--json', 'print {"data":[…],"next_page_token":…}');
}

/** Prints one page, or all from there on. */
export async function printList<Item extends z.ZodType>(
  io: Io,
  flags: PageFlags,
  list: List<Item>,
): Promise<void> {
  const client = await connect(io, flags);
  const pages = readPages(client, flags, list);
  if (flags.json) return await printJson(pages, io);
  if ((await printTable(pages, list, io)) > 0) return;
  io.stderr.write(`postern: ${list.none}${printable((await list.whyNone?.(client)) ?? '')}\n`);
}

/** One page, or with `all` every page from there on. */
export async function* readPages<Item extends z.ZodType>(
  client: Client,
  flags: Pick<PageFlags, 'pageSize' | 'pageToken' | 'all'>,
  { path, filters, item }: Pick<List<Item>, 'path' | 'filters' | 'item'>,
): AsyncGenerator<Page<z.output<Item>>> {
  const shape = z.object({ data: z.array(item), next_page_token: z.string().nullable() });
  let token = flags.pageToken;
  for (;;) {
    const query = queryOf({ ...filters, page_size: flags.pageSize, page_token: token });
    const page = await client.call(shape, 'GET', path + query);
    yield page;
    const next = page.next_page_token;
    if (!flags.all || next === null) return;
    if (next === token)
      throw new CommandError(exitCodes.failed, ['the list goes in circles: the same page again']);
    token = next;
  }
}

function queryOf(parameters: List<z.ZodType>['filters']): string {
  const given = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]],
  );
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
}

/** Each page as it comes, since all of them together may not fit in memory; returns how many items there were. */
async function printTable<Item extends z.ZodType>(
  pages: AsyncIterable<Page<z.output<Item>>>,
  { tableOf, plural }: List<Item>,
  io: Io,
): Promise<number> {
  let count = 0;
  let rest: string | null = null;
  for await (const page of pages) {
    io.stdout.write(tableOf(page.data, count === 0));
    count += page.data.length;
    rest = page.next_page_token;
    if (io.stdout.isClosed()) return count;
  }
  if (rest !== null)
    io.stderr.write(`postern: more ${plural} follow: --page-token ${printable(rest)}, or --all\n`);
  return count;
}

async function printJson(pages: AsyncIterable<Page<unknown>>, io: Io): Promise<void> {
  let before = '{"data":[';
  let rest: string | null = null;
  for await (const page of pages) {
    for (const item of page.data) {
      io.stdout.write(`${before}\n${printableJsonLine(item)}`);
      before = ',';
    }
    rest = page.next_page_token;
    if (io.stdout.isClosed()) return;
  }
  const end = before === ',' ? '\n]' : `${before}]`;
  io.stdout.write(`${end},"next_page_token":${printableJsonLine(rest)}}\n`);
}
