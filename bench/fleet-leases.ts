/** What leases of limits cost two replicas and their MongoDB: `node bench/fleet-leases.ts`. */
import { MongoClient } from 'mongodb';
import type { KeyId } from '../src/keys/key.ts';
import { limitsOfShort } from '../src/keys/limit.ts';
import { createLimiter } from '../src/limits/limiter.ts';
import { createMongoStore } from '../src/mongo/store.ts';
import { startReplicaSet } from '../test/real/mongod.ts';
import { readProcessorTime, since } from './common/processor-time.ts';
import { createRandom } from './common/random.ts';
import { table } from './report/markdown.ts';

const replicas = 2;
const keys = 20_000;
const limits = limitsOfShort({ limit: 300, windowMs: 60_000 });
const checksPerSecond = 2_000;
const seconds = 8;
const waitingAtOnce = 64;

const mongo = await startReplicaSet({ own: true, onDisk: true });
const url = new URL(mongo.uri);
url.pathname = '/postern';
const client = new MongoClient(url.href);
const pid = (await mongo.primary()).pid();
const stores = Array.from({ length: replicas }, (_, at) =>
  createMongoStore({
    ...{ uri: url.href, replicaId: `replica-${at}`, stalenessMaxMs: 15_000, settleMaxMs: 1_000 },
    ...{ now: Date.now, monotonic: () => performance.now() },
  }),
);
const rows: string[][] = [];
try {
  for (const store of stores) await store.open();
  await client.connect();
  // The first round warms up the code.
  await measured('', 0, (at) => at % keys);
  const begun = [await beginning('as it begins', false), await beginning('ahead', true)];
  const beginningHead = [
    'waited',
    'unavailable, of all',
    'p50 ms',
    'p99 ms',
    'leases of a Check',
    'server: µs a Check',
  ];
  process.stdout.write(
    `${table(['first second of a window, 500 keys, leased', ...beginningHead], begun)}\n\n`,
  );
  await measured('a window begins: each key at each replica, as fast as it goes', 1, null);
  const random = createRandom(1);
  await measured('evenly', 2, () => random.below(keys));
  await measured("by Zipf's law", 3, () => Math.floor(Math.exp((random.below(1e9) / 1e9) * Math.log(keys))));
  const head = [
    'Checks',
    'leases',
    'calls of a Check',
    'server: µs a Check',
    'server: µs a lease',
    'replicas: µs a Check',
    'p50 ms',
    'p99 ms',
    'unavailable',
  ];
  process.stdout.write(`${table(['20,000 keys with a limit, two replicas', ...head], rows.slice(1))}\n`);
} finally {
  await client.close();
  await Promise.all(stores.map((store) => store.close()));
  await mongo.stop();
}

/** One for each replica, with nothing leased, and how many leases they have asked for. */
function countedLimiters(leasesAhead = false) {
  let leases = 0;
  const limiters = stores.map((store) =>
    createLimiter(
      {
        leaseUnits(request) {
          leases++;
          return store.leaseUnits(request);
        },
        returnUnits: (returns) => store.returnUnits(returns),
      },
      { ...{ spendersMax: 1_000_000, allowWhenUnavailable: false, leasesAhead }, sharers: () => replicas },
    ),
  );
  return { limiters, leases: () => leases };
}

/** One window; null for each key once at each replica, with {@link waitingAtOnce} that wait at any time. */
async function measured(name: string, window: number, next: ((at: number) => number) | null): Promise<void> {
  const { limiters, leases } = countedLimiters();
  let failed = 0;
  const now = (Math.floor(Date.now() / 60_000) + window) * 60_000;
  const took: number[] = [];
  const check = async (at: number, key: number) => {
    const began = performance.now();
    try {
      await limiters[at % replicas]?.spend(
        { spender: `key_${key}` as KeyId, owner: null },
        null,
        limits,
        1,
        now,
      );
    } catch {
      failed++;
    }
    took.push(performance.now() - began);
  };
  const [server, own, asked] = [readProcessorTime(pid), process.cpuUsage(), await commands()];
  const count = next === null ? keys * replicas : checksPerSecond * seconds;
  await (next === null ? atOnce(count, check) : evenly(count, (at) => check(at, next(at))));
  const { user, system } = process.cpuUsage(own);
  const serverUs = since(server, readProcessorTime(pid)).ranNs / 1_000;
  const askedAfter = await commands();
  took.sort((a, b) => a - b);
  const quantile = (part: number) => (took[Math.floor(took.length * part)] ?? 0).toFixed(1);
  rows.push([
    name,
    `${count}`,
    `${leases()}`,
    ((askedAfter - asked) / count).toFixed(3),
    (serverUs / count).toFixed(1),
    (serverUs / leases()).toFixed(1),
    ((user + system) / count).toFixed(1),
    quantile(0.5),
    quantile(0.99),
    `${failed}`,
  ]);
}

/** Three windows of 10 s, 500 Checks a second by each key alike; of the last one how Checks of its first second fared. */
async function beginning(name: string, leasesAhead: boolean): Promise<string[]> {
  const [perSecond, windowSeconds, few] = [500, 10, 500];
  const short = limitsOfShort({ limit: 300, windowMs: windowSeconds * 1_000 });
  const { limiters, leases } = countedLimiters(leasesAhead);
  const random = createRandom(2);
  const start = Math.ceil(Date.now() / 10_000) * 10_000 + 86_400_000 * (leasesAhead ? 2 : 1);
  const [count, from] = [3 * windowSeconds * perSecond, 2 * windowSeconds * perSecond];
  const took: number[] = [];
  let waited = 0;
  let failed = 0;
  const server = readProcessorTime(pid);
  await evenly(
    count,
    async (at) => {
      const key = { spender: `${name} ${random.below(few)}` as KeyId, owner: null };
      const began = performance.now();
      const verdict = limiters[at % replicas]?.spend(key, null, short, 1, start + (at * 1_000) / perSecond);
      const isFirst = at >= from && at < from + perSecond;
      if (isFirst && verdict instanceof Promise) waited++;
      await Promise.resolve(verdict).catch(() => failed++);
      if (isFirst) took.push(performance.now() - began);
    },
    perSecond,
  );
  const serverUs = since(server, readProcessorTime(pid)).ranNs / 1_000;
  took.sort((a, b) => a - b);
  const quantile = (part: number) => (took[Math.floor(took.length * part)] ?? 0).toFixed(2);
  return [
    name,
    `${((waited / perSecond) * 100).toFixed(0)} %`,
    `${failed}`,
    ...[quantile(0.5), quantile(0.99)],
    (leases() / count).toFixed(3),
    (serverUs / count).toFixed(0),
  ];
}

/** Reads and writes that the server was asked for. */
async function commands(): Promise<number> {
  const { metrics } = await client.db('admin').command({ serverStatus: 1 });
  return ['find', 'insert', 'update', 'findAndModify'].reduce(
    (sum, each) => sum + Number(metrics.commands[each]?.total ?? 0),
    0,
  );
}

/** No two replicas ask for one key at the same moment. */
async function atOnce(count: number, check: (at: number, key: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: waitingAtOnce }, async () => {
      for (let at = next++; at < count; at = next++)
        await check(at, (Math.floor(at / replicas) + (at % replicas) * (keys / replicas)) % keys);
    }),
  );
}

async function evenly(
  count: number,
  check: (at: number) => Promise<void>,
  perSecond = checksPerSecond,
): Promise<void> {
  const began = performance.now();
  const underWay: Promise<void>[] = [];
  for (let at = 0; at < count; at++) {
    const waitMs = (at * 1_000) / perSecond - (performance.now() - began);
    if (waitMs > 1) await new Promise((resolve) => setTimeout(resolve, waitMs));
    underWay.push(check(at));
  }
  await Promise.all(underWay);
}
