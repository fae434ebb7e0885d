/**
 * How long each page of the console takes with many keys: `node bench/console.ts`; see README.md.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { KeyId } from '../src/keys/key.ts';
import { createMongoStore } from '../src/mongo/store.ts';
import { createSqliteStore } from '../src/sqlite/store.ts';
import type { Store } from '../src/store/store.ts';
import { createBrowser } from '../test/console/browser.ts';
import { freshDatabase, startReplicaSet } from '../test/real/mongod.ts';
import { wholeNumber } from './checks/options.ts';
import { readProcessorTime } from './common/processor-time.ts';
import { fill, recordHour } from './console/fill.ts';
import { pagesOf } from './console/pages.ts';
import { launchPostern } from './peers/postern.ts';
import { table } from './report/markdown.ts';

const usage = `usage: node bench/console.ts [options]
  --store LIST       of sqlite, mongodb (both)
  --keys N           keys in the store (100000)
  --owners N         whose they are (20000)
  --events N         entries of the journal (1000000)
  --rounds N         times that each page is asked for, after once (10)
  --file PATH        the SQLite file, kept, and filled where it is not there
  --mongodb URI      a database, kept, and filled where it is empty
  --only TEXT        pages whose names have it`;

interface Asked {
  readonly owners: number;
  readonly rounds: number;
  readonly only: string;
}

async function measure(uri: string, pid: number | null, asked: Asked, scratch: string): Promise<string> {
  const { child, url, adminKey } = await launchPostern(scratch, 'postern', { POSTERN_STORE: uri });
  try {
    const browser = createBrowser(url);
    await browser.signIn(adminKey);
    const pids = [child.process.pid ?? 0, ...(pid === null ? [] : [pid])];
    const rows: string[][] = [];
    for (const [name, path] of await pagesOf(browser)) {
      if (!name.includes(asked.only)) continue;
      const [first] = await timed(() => browser.get(path), pids);
      const times: (readonly [number, number])[] = [];
      for (let round = 0; round < asked.rounds; round++) {
        times.push(await timed(() => browser.get(path), pids));
      }
      const sorted = (at: 0 | 1) => times.map((time) => time[at]).toSorted((one, other) => one - other);
      const [ms, ran] = [sorted(0), sorted(1)];
      const figures = [first, middle(ms), ms.at(-1) ?? 0, middle(ran)];
      rows.push([name, ...figures.map((figure) => figure.toFixed(0))]);
    }
    return table(['page', 'first ms', 'median ms', 'worst ms', 'ms CPU'], rows);
  } finally {
    await child.stop();
  }
}

/** By the clock, and what the service and its store ran. */
async function timed(
  get: () => Promise<{ readonly status: number }>,
  pids: readonly number[],
): Promise<readonly [number, number]> {
  const [start, ran] = [performance.now(), readProcessorTime(...pids).ranNs];
  const { status } = await get();
  const took = performance.now() - start;
  if (status !== 200) throw new Error(`a page was answered with ${status}`);
  return [took, (readProcessorTime(...pids).ranNs - ran) / 1e6];
}

function middle(sorted: readonly number[]): number {
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Fills the store where it has no keys, and has all of them used in the hour that it is. */
async function prepare(store: Store, wanted: Parameters<typeof fill>[1]): Promise<void> {
  const now = Date.now();
  await store.open();
  const there = await store.countListed({ now }, 1);
  const ids = there === 0 ? await fill(store, wanted, now) : await allIds(store);
  await recordHour(store, ids, { owners: wanted.owners, hour: now - (now % 3_600_000) });
  const counted = async () =>
    (
      await store.sumUsage({
        ...{ group: 'none', interval: 'hour', since: now - (now % 3_600_000), until: now + 1, owner: null },
        ...{ order: 'start', size: 1, after: null },
      })
    )[0]?.allowed;
  // A store may fold for a while: until nothing more comes.
  for (let before = -1, after = await counted(); before !== after; after = await counted()) {
    before = after ?? 0;
    await new Promise((resolve) => setTimeout(resolve, 5_000));
  }
  await store.close();
}

async function allIds(store: Store): Promise<KeyId[]> {
  const ids: KeyId[] = [];
  for (let before: KeyId | null = null; ; ) {
    const page = await store.listKeys({ now: Date.now() }, { before, size: 1_000 });
    ids.push(...page.map(({ id }) => id));
    before = page.at(-1)?.id ?? null;
    if (page.length < 1_000) return ids.reverse();
  }
}

async function bench(): Promise<void> {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const optional = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      ...{ store: text('sqlite,mongodb'), keys: text('100000'), owners: text('20000') },
      ...{ events: text('1000000'), rounds: text('10'), only: text('') },
      ...{ file: optional, mongodb: optional },
    },
  });
  const wanted = {
    keys: wholeNumber('keys', values.keys),
    owners: wholeNumber('owners', values.owners),
    events: wholeNumber('events', values.events),
  };
  const asked = { ...wanted, rounds: wholeNumber('rounds', values.rounds), only: values.only };
  const scratch = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'postern-console-'));
  process.once('exit', () => rmSync(scratch, { recursive: true, force: true }));
  for (const kind of values.store.split(',')) {
    if (kind === 'sqlite') {
      const path = values.file ?? join(scratch, 'postern.db');
      await prepare(createSqliteStore({ path, now: Date.now }), wanted);
      console.log(`\n## SQLite\n\n${await measure(`sqlite:${path}`, null, asked, scratch)}`);
      continue;
    }
    const mongo = values.mongodb === undefined ? await startReplicaSet({ own: true, onDisk: true }) : null;
    try {
      const uri = values.mongodb ?? freshDatabase(mongo?.uri ?? '').uri;
      const clocks = { now: Date.now, monotonic: () => performance.now() };
      const options = {
        uri,
        replicaId: 'bench',
        stalenessMaxMs: 15_000,
        settleMaxMs: 1_000,
        foldEveryMs: 10,
      };
      await prepare(createMongoStore({ ...options, ...clocks }), wanted);
      const pid = mongo?.members[0]?.pid() ?? null;
      console.log(`\n## MongoDB\n\n${await measure(uri, pid, asked, scratch)}`);
    } finally {
      await mongo?.stop();
    }
  }
}

try {
  await bench();
} catch (error) {
  console.error(`${error instanceof Error ? error.stack : error}\n${usage}`);
  process.exitCode = 1;
}
