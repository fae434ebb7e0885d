/**
 * A month of made-up use of many keys, asked for by every grouping: `node bench/usage-sums.ts`, with `--keys 100000`,
 * `--days 10` on which each key is used in the month, and `--mongodb URI` for that store in place of SQLite.
 */
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { MongoClient } from 'mongodb';
import { createKeyIds } from '../src/keys/key.ts';
import { createMongoStore } from '../src/mongo/store.ts';
import { createSqliteStore } from '../src/sqlite/store.ts';
import { type Store, usageRetentionMs } from '../src/store/store.ts';
import { dayMs, hourMs, type UsageQuery, usageGroups } from '../src/store/usage/usage-sums.ts';
import type { UsageTally } from '../src/store/usage/usage-tally.ts';

const { values } = parseArgs({
  options: {
    keys: { type: 'string', default: '100000' },
    days: { type: 'string', default: '10' },
    mongodb: { type: 'string' },
  },
});
const [keys, days] = [Number(values.keys), Number(values.days)];
const month = { since: Date.UTC(2040, 0, 1), until: Date.UTC(2040, 1, 1) };
let now = month.since - dayMs;
const batchSize = 5_000;
const everything: UsageQuery = {
  ...{ group: 'none', interval: 'all', ...month, owner: null, order: 'allowed', size: 101, after: null },
};

const path = join(tmpdir(), `postern-usage-${process.pid}.db`);
let store = openStore();
await store.open();
const ids = Array.from(
  { length: keys },
  createKeyIds(() => now),
);
let allowed = 0;
let denied = 0;
// From then on hours are closed when they are over.
await store.recordUsage([tallyOf(0, now, 0)]);
while ((await store.sumUsage({ ...everything, since: 0 })).length === 0) await setTimeout(100);
const began = performance.now();
const ranBefore = process.cpuUsage();
for (let day = 0; day < days; day++) {
  const hour = month.since + Math.floor((day * 30) / days) * dayMs + ((day * 7) % 24) * hourMs;
  now = hour;
  for (let start = 0; start < keys; start += batchSize) {
    const some = Math.min(batchSize, keys - start);
    const tallies = Array.from({ length: some }, (_, at) => tallyOf(start + at, hour, day));
    for (const tally of tallies) {
      allowed += tally.allowed;
      denied += tally.denied.rate_limited ?? 0;
    }
    await store.recordUsage(tallies);
  }
}
now = Date.UTC(2040, 0, 31, 23, 30);
// As it opens SQLite closes the hours that are over, which a running one does once a minute; MongoDB does with use.
await store.close();
store = openStore();
await store.open();
const last = tallyOf(0, now - (now % hourMs), 0);
await store.recordUsage([last]);
allowed += last.allowed;
denied += last.denied.rate_limited ?? 0;
while ((await store.sumUsage(everything))[0]?.allowed !== allowed) await setTimeout(1_000);
await allClosed();
const written = (performance.now() - began) / (keys * days);
const ran = process.cpuUsage(ranBefore).user / (keys * days);
console.log(
  `${keys} keys on ${days} days: ${Math.round(written * 1_000)} µs a tally until it is in every sum, of which this process ran ${Math.round(ran)}`,
);

for (const group of usageGroups) {
  for (const interval of ['month', 'day', 'all'] as const) {
    const times: number[] = [];
    let micros = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 5; round++) {
      const [start, used] = [performance.now(), process.cpuUsage()];
      await store.sumUsage({ ...everything, group, interval });
      times.push(performance.now() - start);
      const { user, system } = process.cpuUsage(used);
      micros = Math.min(micros, user + system);
    }
    const [best, middle] = [Math.min(...times), times.toSorted((one, other) => one - other)[2] as number];
    const sums = await store.sumUsage({ ...everything, group, interval, size: keys * days });
    const told = sums.reduce((sum, row) => sum + row.allowed, 0);
    const refused = sums.reduce((sum, row) => sum + (row.denied.rate_limited ?? 0), 0);
    const agrees = told === allowed && refused === denied ? 'counts agree' : `${told} of ${allowed}`;
    console.log(
      `${group} by ${interval}: ${middle.toFixed(0)} ms (best ${best.toFixed(0)}, of which this process ran ${(micros / 1_000).toFixed(0)}), ${agrees}`,
    );
  }
}
await store.close();
for (const end of ['', '-wal', '-shm']) rmSync(path + end, { force: true });

/** Until hours that are over are in the days and months of their keys. */
async function allClosed(): Promise<void> {
  if (values.mongodb === undefined) return;
  const client = await new MongoClient(values.mongodb).connect();
  const plans = client.db().collection<{ _id: string; closed: Date }>('usage_batches');
  const hours = client.db().collection('usage');
  const end = new Date(now - (now % hourMs) + usageRetentionMs);
  for (;;) {
    const plan = await plans.findOne({ _id: 'plan' });
    const isOpen = { purge_at: { $gte: plan?.closed ?? new Date(0), $lt: end } };
    if ((await hours.findOne(isOpen)) === null) break;
    await setTimeout(100);
  }
  await client.close();
}

/** A thousand owners, three plans, two schemes, two environments. */
function tallyOf(at: number, hour: number, day: number): UsageTally {
  const about = {
    ...{ owner: `owner-${at % 1_000}`, plan: ['free', 'pro', null][at % 3] as string | null },
    ...{ scheme: ['postern', 'mavera'][at % 2] as string, environment: at % 5 === 0 ? 'test' : 'live' },
  };
  return {
    ...{ key: ids[at] as UsageTally['key'], hour, allowed: 1 + ((at * 31 + day) % 997), observed: {} },
    ...{ denied: at % 20 === 0 ? { rate_limited: 3 } : {}, lastUsedAt: hour, addresses: [], about },
  };
}

function openStore(): Store {
  const dependencies = { now: () => now };
  if (values.mongodb === undefined) return createSqliteStore({ path, ...dependencies });
  return createMongoStore({
    ...{
      uri: values.mongodb,
      stalenessMaxMs: 15_000,
      settleMaxMs: 1_000,
      replicaId: 'bench',
      foldEveryMs: 10,
      // A machine that others use as well may be slow.
      timeouts: { operationMs: 60_000 },
    },
    ...{ ...dependencies, monotonic: () => performance.now() },
  });
}
