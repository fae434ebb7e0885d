/** What the use of keys costs a fleet's MongoDB, measured with the code that does it. */
import { type Db, ObjectId } from 'mongodb';
import type { KeyId } from '../../src/keys/key.ts';
import type { Sessions } from '../../src/mongo/sessions.ts';
import { createUsageBatches } from '../../src/mongo/usage/batches.ts';
import { createHourSlices } from '../../src/mongo/usage/hour-slices.ts';
import { createUsageHours } from '../../src/mongo/usage/hours.ts';
import { createOpenUse } from '../../src/mongo/usage/open/open.ts';
import { createOpenReads } from '../../src/mongo/usage/open/open-reads.ts';
import { bitsFor, type Hours, type Run } from '../../src/mongo/usage/open/open-rows.ts';
import { upkeepLimits } from '../../src/mongo/usage/open/run-upkeep.ts';
import { ownerRows, ownerTally, unitRun } from '../../src/mongo/usage/owners/owner-rows.ts';
import { createUsagePlans } from '../../src/mongo/usage/plan.ts';
import { closedTogetherMs, placesOf } from '../../src/mongo/usage/plan-hours.ts';
import { createUsageSums } from '../../src/mongo/usage/sums/sums.ts';
import type { UsageTally } from '../../src/store/usage/usage-tally.ts';
import { several } from '../common/several.ts';

const talliesOfBatch = 3_600;
/** Of documents, 2 to the power of it, that rows of all keys are in. */
const [manyBits, fewBits] = [3, 9];
/** Folds of all keys. */
const rounds = 20;
const ownerRounds = 200;
const hoursClosed = closedTogetherMs / 3_600_000;
const rowsOfSlice = 10_000;

/** Microseconds of the server's processor for each of so many. */
type Each = (count: number, work: () => Promise<unknown>) => Promise<number>;

export async function measureUse(database: Db, sessions: Sessions, keys: readonly KeyId[], each: Each) {
  const now = Date.now();
  const hour = now - (now % 3_600_000);
  const tallyOf = (key: KeyId): UsageTally => ({
    ...{ key, hour, allowed: 3, denied: {}, observed: {}, lastUsedAt: Date.now(), addresses: ['192.0.2.1'] },
    about: { owner: 'customer-1', plan: null, scheme: 'postern', environment: 'live' },
  });
  const hours = createUsageHours(database, sessions);
  const open = createOpenUse(database, sessions);
  const tallies = keys.map(tallyOf);
  const owned = tallies.map((tally, at) => ownedBy(`customer-${at}`, tally));
  const openReads = createOpenReads(database, sessions);
  // Some hundred keys in each document, as in a large fleet; and a few.
  const written = async (first: number, bits: number) => {
    const runs = Array.from(
      { length: rounds },
      (_, at): Run => ({
        ...{ run: first + at, bits, level: 0, rows: keys.length },
      }),
    );
    const us = await each(rounds, async () => {
      for (const run of runs) await open.add(tallies, run);
      if (bits === fewBits) while (await open.remove(runs.map(({ run }) => run)));
    });
    return { us, runs };
  };
  const many = await written(1, manyBits);
  const few = await written(1_000, fewBits);
  const openDocument = Math.max((few.us - many.us) / (2 ** fewBits - 2 ** manyBits), 0);
  const openRow = (many.us - openDocument * 2 ** manyBits) / keys.length;
  const parts = { bits: manyBits, from: 0, to: 2 ** manyBits };
  const range = { from: hour, before: hour + 3_600_000 };
  const mergedRow = await each(rounds * keys.length, () => openReads.part(many.runs, parts, range));
  const touch = await each(keys.length, () => inPortions(tallies, (some) => hours.touch(some)));
  const settled = await each(keys.length, () => inPortions(tallies, (some) => hours.settle(some)));
  const slices = createHourSlices(database, sessions);
  // Of six hours, as they are closed together; rows of one hour were made before.
  for (let before = 1; before < hoursClosed; before++) {
    const earlier = tallies.map((tally) => ({ ...tally, hour: hour - before * 3_600_000 }));
    await inPortions(earlier, (some) => hours.settle(some));
  }
  const closing = {
    before: new Date(hour + 3_600_000),
    from: new Date(hour - (hoursClosed - 1) * 3_600_000),
  };
  const closedRow = await each(keys.length * hoursClosed, async () => {
    for (let after = 0; after < 3_600_000; ) {
      const to = await slices.endOf({ ...closing, after }, rowsOfSlice);
      await slices.in(placesOf({ ...closing, after }, to));
      after = to;
    }
  });
  const sums = createUsageSums(database, sessions);
  const known = await sums.resolve(tallies);
  const newSum = await each(2 * keys.length, () => inPortions(known, (some) => sums.close(some, 1, 0)));
  const sum = await each(2 * keys.length, () => inPortions(known, (some) => sums.close(some, 2)));
  const plans = createUsagePlans(database, sessions, Date.now);
  const batches = createUsageBatches(database, sessions, { plans, now: Date.now, onError() {} });
  const ofBatch = Array.from({ length: talliesOfBatch }, (_, at) =>
    tallyOf(keys[at % keys.length] ?? (new ObjectId().toHexString() as KeyId)),
  );
  const count = 40;
  const inBatches = (tallies: readonly UsageTally[]) =>
    each(count, async () => {
      await several(count, 4, () => batches.add(tallies));
      for (let fold = await batches.begin(); fold !== null; fold = await batches.begin())
        await batches.end(fold);
    });
  const batch = await inBatches(ofBatch);
  const batchOfOwners = await inBatches(ofBatch.map((tally, at) => ownedBy(`customer-${at}`, tally)));
  const ofOwners = await measureOwners(database, sessions, owned, { each, range });
  const ofKeys = { openDocument, openRow, mergedRow, settled, closedRow, touch, newSum, sum, batch };
  return { ...ofKeys, batchOfOwners, ...ofOwners };
}

function ownedBy(owner: string, { about, ...tally }: UsageTally): UsageTally {
  return { ...tally, about: { plan: null, scheme: null, environment: null, ...about, owner } };
}

/** What rows of as many owners cost as there are keys, each with its part of a document: of open hours, and of those that are over. */
async function measureOwners(
  database: Db,
  sessions: Sessions,
  owned: readonly UsageTally[],
  { each, range }: { each: Each; range: Hours },
) {
  const open = createOpenUse(database, sessions, ownerRows);
  const tallies = owned.map(ownerTally);
  const runs = Array.from({ length: ownerRounds }, (_, at) => ({ run: 10_000 + at, bits: manyBits }));
  const count = ownerRounds * owned.length;
  const ownerRow = await each(count, async () => {
    for (const run of runs) await open.add(tallies, run);
  });
  const reads = createOpenReads(database, sessions, ownerRows);
  const parts = { bits: manyBits, from: 0, to: 2 ** manyBits };
  const ownerMergedRow = await each(count, async () => {
    for (let at = 0; at < ownerRounds; at += rounds)
      await reads.part(runs.slice(at, at + rounds), parts, range);
  });
  const bits = bitsFor(owned.length, upkeepLimits.pastBucketRows);
  const pastOf = (hours: number) =>
    tallies.map((tally) => ({ ...tally, hour: range.from - hours * 3_600_000 }));
  const ownerPastRow = await each(count, async () => {
    for (let hours = 0; hours < ownerRounds; hours++) await open.add(pastOf(hours), unitRun('hour', bits));
  });
  return { ownerRow, ownerMergedRow, ownerPastRow };
}

async function inPortions<T>(all: readonly T[], work: (some: readonly T[]) => Promise<void>): Promise<void> {
  for (let at = 0; at < all.length; at += 500) await work(all.slice(at, at + 500));
}
