import { type Command, Option } from 'commander';
import { z } from 'zod';
import {
  nextStart,
  usageGroups,
  usageIntervals,
  usageOrders,
  usageUnits,
} from '../../store/usage/usage-sums.ts';
import { formatTime } from '../../time/time.ts';
import { callingCommands, connect } from '../calls/client.ts';
import { addPageFlags, type List, type PageFlags, printList, readPages } from '../calls/pages.ts';
import { actingOwner, ownerFlagNote } from '../terminal/acting-owner.ts';
import { CommandError, exitCodes, type Io } from '../terminal/command.ts';
import { table } from '../terminal/output.ts';

interface UsageFlags extends PageFlags {
  readonly groupBy?: string;
  readonly interval?: string;
  readonly since?: string;
  readonly until?: string;
  readonly owner?: string;
  readonly orderBy?: string;
  readonly csv?: boolean;
}

const counts = z.record(z.string(), z.number());
const usageRow = z.looseObject({
  group: z.string().nullable(),
  start: z.string().nullable(),
  allowed: z.number(),
  denied: counts,
  observed: counts,
});
type Row = z.output<typeof usageRow>;

/** `usage`. */
export function addUsageCommand(program: Command, io: Io): void {
  const description =
    'Adds up what keys were used for, with a bar for each row: █ allowed, ░ denied. The last 24 hours unless it is told otherwise.';
  const command = callingCommands(program)('usage', description, [
    'postern usage',
    'postern usage --group-by owner --interval day --order-by start --since 2031-01-30T00:00:00Z',
    'postern usage --group-by owner --interval month --since 2031-01-01T00:00:00Z --until 2031-02-01T00:00:00Z --csv',
  ])
    .addOption(new Option('--group-by <group>', 'what to add up by (default: none)').choices(usageGroups))
    .addOption(new Option('--interval <interval>', 'over how long (default: hour)').choices(usageIntervals))
    .option('--since <time>', 'from the hour of this time on: 2031-01-31T12:00:00Z')
    .option('--until <time>', 'only before this time')
    .option('--owner <owner>', `only use of keys of this owner, ${ownerFlagNote}`)
    .addOption(
      new Option('--order-by <order>', 'the most first, or the newest first (default: allowed)').choices(
        usageOrders,
      ),
    );
  addPageFlags(command, 'rows')
    .option('--csv', 'print CSV, of all rows unless --page-size is given')
    .action((flags: UsageFlags) => showUsage(io, flags));
}

async function showUsage(io: Io, flags: UsageFlags): Promise<void> {
  const { groupBy: group_by, interval, since, until, orderBy } = flags;
  if (flags.csv && flags.json)
    throw new CommandError(exitCodes.usage, ['--csv goes without --json: give one of them']);
  const isSeries = isPlot(flags);
  const filters = { group_by, interval, since, until, owner: actingOwner(io, flags.owner) };
  const list: List<typeof usageRow> = {
    path: '/admin/usage',
    filters: { ...filters, order_by: orderBy ?? (isSeries ? 'start' : undefined) },
    item: usageRow,
    tableOf: tableOf,
    plural: 'rows',
    none: 'no key was used in this time',
  };
  if (flags.csv) return await printCsv(io, flags, list.filters);
  if (!isSeries) return await printList(io, flags, list);
  const rows: Row[] = [];
  const client = await connect(io, flags);
  for await (const { data } of readPages(client, { pageSize: '1000', all: true }, list)) rows.push(...data);
  if (rows.length === 0) io.stderr.write(`postern: ${list.none}\n`);
  else io.stdout.write(tableOf(withGaps(rows.reverse(), interval ?? 'hour'), true));
}

/** Whether all rows follow one another in time, and all are to be shown. */
function isPlot({ groupBy = 'none', interval = 'hour', orderBy, ...page }: UsageFlags): boolean {
  const isPage = page.json || page.all || page.pageSize !== undefined || page.pageToken !== undefined;
  return groupBy === 'none' && interval !== 'all' && orderBy === undefined && !isPage;
}

async function printCsv(
  io: Io,
  flags: UsageFlags,
  filters: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const given = { ...filters, page_size: flags.pageSize, page_token: flags.pageToken };
  const parameters = Object.entries(given).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]],
  );
  const client = await connect(io, flags);
  const path = `/admin/usage?${new URLSearchParams(parameters)}`;
  const text = new TextDecoder();
  const stopping = new AbortController();
  const answer = await client.open(path, { accept: 'text/csv' }, stopping.signal);
  try {
    for await (const bytes of answer) {
      io.stdout.write(text.decode(bytes, { stream: true }));
      if (io.stdout.isClosed()) return stopping.abort();
    }
  } catch {
    throw new CommandError(exitCodes.failed, ['the answer was cut off: what was printed is not all of it']);
  }
}

/** Oldest first, with a row of nothing for each hour, day or month between them. */
function withGaps(rows: readonly Row[], interval: string): Row[] {
  const unit = usageUnits.find((each) => each === interval) ?? 'hour';
  const filled: Row[] = [];
  for (const row of rows) {
    const at = Date.parse(row.start ?? '');
    for (let last = filled.at(-1)?.start; last != null; last = filled.at(-1)?.start) {
      const next = nextStart(unit, Date.parse(last));
      if (!(next < at)) break;
      filled.push({ group: null, start: formatTime(next), allowed: 0, denied: {}, observed: {} });
    }
    filled.push(row);
  }
  return filled;
}

const barWidth = 40;

/** Bars are as long as what they stand for is beside the most of the page. */
function tableOf(rows: readonly Row[], isFirstPage: boolean): string {
  const most = Math.max(1, ...rows.map((row) => row.allowed + totalOf(row.denied)));
  const hasGroups = rows.some(({ group }) => group !== null);
  const hasStarts = rows.some(({ start }) => start !== null);
  const hasObserved = rows.some(({ observed }) => totalOf(observed) > 0);
  const cells = rows.map(({ group, start, allowed, denied, observed }) => [
    ...(hasGroups ? [group ?? '-'] : []),
    ...(hasStarts ? [start ?? '-'] : []),
    ...[String(allowed), byReason(denied)],
    ...(hasObserved ? [byReason(observed)] : []),
    bar('█', allowed, most) + bar('░', totalOf(denied), most),
  ]);
  const head = [
    ...[...(hasGroups ? ['GROUP'] : []), ...(hasStarts ? ['START'] : [])],
    ...['ALLOWED', 'DENIED', ...(hasObserved ? ['OBSERVED'] : []), ''],
  ];
  return table(isFirstPage ? [head, ...cells] : cells);
}

/** What is not nothing can be seen. */
function bar(block: string, count: number, most: number): string {
  return block.repeat(count === 0 ? 0 : Math.max(1, Math.round((count * barWidth) / most)));
}

function byReason(given: Row['denied']): string {
  const texts = Object.entries(given).map(([reason, count]) => `${reason} ${count}`);
  return texts.join(', ') || '-';
}

function totalOf(given: Row['denied']): number {
  return Object.values(given).reduce((sum, count) => sum + count, 0);
}
