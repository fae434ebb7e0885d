// What it costs to write down what keys are used for, on a SQLite file: see README.md.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createUseNotices } from '../src/events/use-notices.ts';
import type { KeyRecord } from '../src/keys/key.ts';
import { openDatabase } from '../src/sqlite/database.ts';
import { createDisk } from '../src/sqlite/disk.ts';
import { createSqliteStore } from '../src/sqlite/store.ts';
import { createTables } from '../src/sqlite/tables.ts';
import type { Store } from '../src/store/store.ts';
import { createUsage } from '../src/usage/usage.ts';
import { wholeNumber } from './checks/options.ts';
import { benchKeys } from './common/keys.ts';
import { createRandom } from './common/random.ts';
import { seedFile } from './common/seed.ts';
import { createAllow } from './common/usage-allow.ts';
import { table } from './report/markdown.ts';
import { spreadOf, spreadText } from './report/report.ts';

const usage = `usage: node bench/usage.ts [options]
  --keys LIST        keys in the file, each used once between two writes (1000,20000,100000)
  --hours N          hours before, in each of which each key was used (0)
  --rounds N         measured writes (5)`;

const hourMs = 3_600_000;
const page = 1_000;

/** One write of what was gathered; of the first one no row of the hour is there yet. */
interface Write {
  /** Processor time of gathering and of writing, for each key, microseconds. */
  readonly gatherMicros: number;
  readonly writeMicros: number;
  /** The longest that nothing else had the thread: by the clock, and what of it the thread ran. */
  readonly holdMs: number;
  readonly heldMs: number;
  readonly seconds: number;
  /** What the process wrote to files, log and database, for each key. */
  readonly bytes: number;
}

async function measure(keys: number, hours: number, rounds: number): Promise<readonly Write[]> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-usage-'));
  const path = join(folder, 'postern.db');
  try {
    await seedFile(path, { active: benchKeys(keys, 1), revoked: [] });
    const store = createSqliteStore({ path, now: Date.now });
    await store.open();
    const records = await allKeys(store);
    const hour = Date.now() - (Date.now() % hourMs);
    for (let back = hours; back > 0; back--) await fill(store, records, hour - back * hourMs);
    const writes = await write(store, records, { hour, rounds });
    await store.close();
    return [...writes, await writeRows(path, keys, hour)];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function write(
  store: Store,
  records: readonly KeyRecord[],
  { hour, rounds }: { readonly hour: number; readonly rounds: number },
): Promise<Write[]> {
  const onError = (error: unknown) => {
    throw error;
  };
  const onDropped = (tallies: number) => onError(new Error(`${tallies} tallies were dropped`));
  const { note } = createUseNotices({ store, now: Date.now, onError, onDropped });
  // As src/cli/serving/events.ts joins them.
  const recordUsage: Store['recordUsage'] = async (tallies) => {
    await store.recordUsage(tallies);
    await note(tallies);
  };
  const gathered = createUsage(
    { store: { recordUsage }, onError, onDropped },
    { flushMs: 5_000, talliesMax: records.length },
  );
  const allow = createAllow();
  const decisions = records.map(allow);
  const random = createRandom(1);
  const writes: Write[] = [];
  for (let round = 0; round <= rounds; round++) {
    shuffle(decisions, random);
    const began = process.cpuUsage();
    for (const [at, decision] of decisions.entries()) {
      // A string of its own, as each request brings one.
      gathered.record(decision, ['192', '0', '2', '1'].join('.'), hour + round * 1_000);
      if (at % page === 0) await turn();
    }
    const gathering = process.cpuUsage(began);
    const watch = watchHolds();
    const [startMs, bytesBefore, writing] = [performance.now(), bytesWritten(), process.cpuUsage()];
    await gathered.flush();
    const written = process.cpuUsage(writing);
    writes.push({
      gatherMicros: (gathering.user + gathering.system) / records.length,
      writeMicros: (written.user + written.system) / records.length,
      ...(await watch.stop()),
      seconds: (performance.now() - startMs) / 1_000,
      bytes: (bytesWritten() - bytesBefore) / records.length,
    });
  }
  return writes;
}

/** What is left for when the hour is over: the rows of all that waits. */
async function writeRows(path: string, keys: number, hour: number): Promise<Write> {
  const database = openDatabase(path);
  try {
    const { usage } = createTables(database, await createDisk(database, ':memory:'), {
      now: () => hour + hourMs + 60_000,
      onBadRecord() {},
    });
    const [bytesBefore, startMs, began] = [bytesWritten(), performance.now(), process.cpuUsage()];
    // Its pauses keep no process alive.
    const alive = setInterval(() => {}, 60_000);
    await usage.fold(() => false);
    clearInterval(alive);
    const { user, system } = process.cpuUsage(began);
    return {
      // Who watches takes every turn, of which there are many between the slices.
      ...{ gatherMicros: 0, writeMicros: (user + system) / keys, holdMs: 0, heldMs: 0 },
      seconds: (performance.now() - startMs) / 1_000,
      bytes: (bytesWritten() - bytesBefore) / keys,
    };
  } finally {
    database.close();
  }
}

/** Takes each turn of the event loop that it can get. */
function watchHolds() {
  let [last, lastRan] = [performance.now(), ran()];
  let [holdMs, heldMs] = [0, 0];
  let watching = true;
  const watched = (async () => {
    while (watching) {
      await turn();
      const [now, nowRan] = [performance.now(), ran()];
      holdMs = Math.max(holdMs, now - last);
      heldMs = Math.max(heldMs, nowRan - lastRan);
      [last, lastRan] = [now, nowRan];
    }
  })();
  return {
    async stop() {
      watching = false;
      await watched;
      return { holdMs, heldMs };
    },
  };
}

/** Milliseconds that this thread had a processor. */
function ran(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

async function allKeys(store: Store): Promise<KeyRecord[]> {
  const records: KeyRecord[] = [];
  for (;;) {
    const before = records.at(-1)?.id ?? null;
    const found = await store.listKeys({ now: Date.now() }, { before, size: page });
    records.push(...found);
    if (found.length < page) return records;
  }
}

async function fill(store: Store, records: readonly KeyRecord[], hour: number): Promise<void> {
  for (let at = 0; at < records.length; at += page) {
    const tallies = records.slice(at, at + page).map(({ id }) => ({
      ...{ key: id, hour, allowed: 9, denied: {}, observed: {}, lastUsedAt: hour, addresses: ['192.0.2.1'] },
    }));
    await store.recordUsage(tallies);
  }
}

function shuffle<T>(items: T[], random: ReturnType<typeof createRandom>): void {
  for (let at = items.length - 1; at > 0; at--) {
    const other = random.below(at + 1);
    [items[at], items[other]] = [items[other] as T, items[at] as T];
  }
}

function bytesWritten(): number {
  return Number(/^wchar: (\d+)/m.exec(readFileSync('/proc/self/io', 'latin1'))?.[1]);
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function lines(keys: number, [first, ...others]: readonly Write[]): string[][] {
  const [later, ofHour] = [others.slice(0, -1), others.slice(-1)];
  const line = (name: string, writes: readonly Write[]) => {
    const of = (value: (write: Write) => number, digits: number) =>
      spreadText(spreadOf(writes.map(value)), digits);
    return [
      name,
      of(({ gatherMicros }) => gatherMicros, 2),
      of(({ writeMicros }) => writeMicros, 2),
      of(({ holdMs }) => holdMs, 1),
      of(({ heldMs }) => heldMs, 1),
      of(({ seconds }) => seconds, 2),
      of(({ bytes }) => bytes, 0),
    ];
  };
  const name = keys.toLocaleString('en');
  return first === undefined
    ? []
    : [
        line(`${name}, first of an hour`, [first]),
        line(`${name}, later`, later),
        line(`${name}, rows of the hour`, ofHour),
      ];
}

try {
  const { values } = parseArgs({
    options: {
      keys: { type: 'string', default: '1000,20000,100000' },
      hours: { type: 'string', default: '0' },
      rounds: { type: 'string', default: '5' },
    },
  });
  const hours = values.hours === '0' ? 0 : wholeNumber('hours', values.hours);
  const rows: string[][] = [];
  for (const each of values.keys.split(',')) {
    const keys = wholeNumber('keys', each);
    rows.push(...lines(keys, await measure(keys, hours, wholeNumber('rounds', values.rounds))));
  }
  const head = ['keys', 'µs to gather', 'µs to write', 'longest hold ms', 'of it run ms', 's', 'bytes'];
  console.log(table(head, rows));
} catch (error) {
  console.error(`${error instanceof Error ? error.message : error}\n${usage}`);
  process.exitCode = 2;
}
