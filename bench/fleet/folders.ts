/** What use takes of the processors of the replicas that fold it, measured with the code that does it. */
import type { Db, MongoClient } from 'mongodb';
import type { KeyId } from '../../src/keys/key.ts';
import { concerns, timeoutsOf } from '../../src/mongo/client.ts';
import { createCollections } from '../../src/mongo/collections.ts';
import { createSessions, type Sessions } from '../../src/mongo/sessions.ts';
import { talliesOfFold } from '../../src/mongo/usage/batches.ts';
import { rowsOf, upkeepLimits } from '../../src/mongo/usage/open/run-upkeep.ts';
import { createUsageParts } from '../../src/mongo/usage/parts.ts';
import { closedTogetherMs } from '../../src/mongo/usage/plan-hours.ts';
import { createTouching } from '../../src/mongo/usage/touching.ts';
import type { UsageTally } from '../../src/store/usage/usage-tally.ts';
import { createRandom, type Random } from '../common/random.ts';
import { table } from '../report/markdown.ts';
import { type Owners, useWrites } from './use.ts';
import { draw, type Workload } from './workload.ts';

/** Microseconds of a replica's own processor. */
export interface FolderCosts {
  /** A tally in what is given out, from its batch to its run; and a row of one that is merged. */
  readonly tally: number;
  readonly mergedRow: number;
  /** What whoever gives out does of all that for one share: gives it, and says that it counts. */
  readonly share: number;
  /** A row of a key and hour that is over; and a key that is added to its day and month, by an update each. */
  readonly settled: number;
  readonly closed: number;
}

/** As many as are merged here. */
const folds = 4;
const limits = { ...upkeepLimits, runsMin: folds };
const checksOfBatch = 5_000;
const hourMs = 3_600_000;

export interface Folders {
  readonly workload: Workload;
  readonly owners: Owners;
  readonly cost: FolderCosts;
}

/** In a database of its own each, which is removed. */
export async function measureFolders(
  client: MongoClient,
  workload: Workload,
  keys: readonly number[],
): Promise<Folders[]> {
  const found: Folders[] = [];
  for (const count of keys) {
    for (const owners of ['one', 'each'] as const) {
      const database = client.db(`folders-${count}-${owners}`, concerns(timeoutsOf()));
      const sessions = createSessions(client, { timeoutMs: 60_000 });
      const of = { workload: { ...workload, keys: count }, owners };
      await sessions.write((session) => createCollections(database, session));
      found.push({ ...of, cost: await measure(database, sessions, { ...of, random: createRandom(1) }) });
      await database.dropDatabase();
    }
  }
  return found;
}

async function measure(
  database: Db,
  sessions: Sessions,
  { workload, owners, random }: { workload: Workload; owners: Owners; random: Random },
): Promise<FolderCosts> {
  const clock = { now: Date.now() - (Date.now() % hourMs) };
  const { batches, plans, giving, work, closing, fold } = partsOf(database, sessions, () => clock.now);
  while (await closing.step());
  let tallies = 0;
  // What is left waits for more: the last fold is not full.
  while (tallies < (folds + 1) * talliesOfFold) {
    const batch = batchOf(workload, owners, random, clock.now);
    tallies += batch.length;
    await batches.add(batch);
  }
  let [ofWork, ofShares, given] = [0, 0, 0];
  for (let left = 1; left > 0; ) {
    ofShares += await ran(async () => {
      left = (await giving.step()).folds;
      await fold();
    });
    given = Math.max(given, left);
    ofWork += await ran(async () => {
      while (await work.step());
    });
  }
  const { runs = [], owners: state } = (await plans.read()) ?? {};
  const rows = rowsOf(runs) + (owners === 'each' ? rowsOf(state?.runs ?? []) : 0);
  const folded = rowsOf(runs);
  const ofMerges = await ran(async () => {
    while (await closing.step());
  });
  clock.now += hourMs + 61_000;
  const ofSettling = await ran(async () => {
    while (await closing.step());
  });
  const settled = await database.collection('usage').countDocuments();
  clock.now += closedTogetherMs;
  const ofClosing = await ran(async () => {
    while (await closing.step());
  });
  return {
    ...{ tally: ofWork / folded, mergedRow: ofMerges / rows, share: ofShares / given },
    ...{ settled: ofSettling / settled, closed: ofClosing / settled },
  };
}

function batchOf(workload: Workload, owners: Owners, random: Random, hour: number): UsageTally[] {
  const counts = new Map<number, number>();
  for (let checks = 0; checks < checksOfBatch; checks++) {
    const rank = draw(random, workload.keys);
    counts.set(rank, (counts.get(rank) ?? 0) + 1);
  }
  const kind = { plan: null, scheme: 'postern', environment: 'live' };
  return [...counts].map(([rank, allowed]) => ({
    // As long as an id is.
    ...{ key: `key_${String(rank).padStart(26, '0')}` as KeyId, hour, allowed, denied: {}, observed: {} },
    ...{ lastUsedAt: hour + random.below(hourMs), addresses: ['192.0.2.1'] },
    about: { owner: owners === 'one' ? 'customer-1' : `customer-${rank}`, ...kind },
  }));
}

function partsOf(database: Db, sessions: Sessions, now: () => number) {
  const parts = createUsageParts(database, sessions, {
    ...{ now, limits, touching: createTouching(() => performance.now()), onFolded() {} },
    onError(error) {
      throw error;
    },
  });
  const { batches, write } = parts;
  return {
    ...parts,
    async fold() {
      const begun = await batches.begin(true);
      if (begun === null) return;
      await write(begun);
      await batches.end(begun);
    },
  };
}

/** Processor time of replicas a second for use, in seconds, where each writes so many tallies in that time. */
export function foldersText(
  fleets: readonly number[],
  { workload, owners, cost }: Folders,
  tallies: number,
): string {
  const columns = fleets.map((replicas) => {
    const { read, settled, newDays, sums, ofOwners } = useWrites(replicas, workload, tallies, owners);
    const all = replicas * tallies;
    const merged = read + (owners === 'each' ? ofOwners.read : 0);
    const given = [all * cost.tally, merged * cost.mergedRow].map((us) => us / 1e6);
    // A key's hours are closed some at a time, into a day and a month.
    const closed = ((newDays + sums) / 2) * cost.closed;
    const planned = [(all / talliesOfFold) * cost.share, settled * cost.settled, closed];
    const one = planned.map((us) => us / 1e6);
    const sum = (parts: readonly number[]) => parts.reduce((before, part) => before + part, 0);
    return [...given, ...one, sum(one), sum([...given, ...one]), sum([...given, ...one]) / replicas];
  });
  const names = [
    ...['batches folded into runs, by any', 'runs merged, by any', 'given out, and said to count'],
    ...['rows of hours that are over', 'days and months of keys', '**by the one that plans**', '**all**'],
    'of each replica, if all do as much',
  ];
  const us = Object.entries(cost).map(([name, value]) => `${name} ${value.toFixed(1)}`);
  return `
Of ${workload.keys / 1e6} M keys, ${owners === 'one' ? 'one owner for all' : 'an owner each'}: ${us.join(', ')} µs of a replica's own processor.

${table(
  ['processors of replicas', ...fleets.map((size) => `${size.toLocaleString('en')} replicas`)],
  names.map((name, at) => [name, ...columns.map((column) => (column[at] ?? 0).toFixed(at === 7 ? 4 : 2))]),
)}`;
}

/** Microseconds of this process, with its garbage and what it packs. */
async function ran(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}
