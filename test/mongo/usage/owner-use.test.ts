import { expect, it } from 'vitest';
import { upkeepLimits } from '../../../src/mongo/usage/open/run-upkeep.ts';
import type { Store } from '../../../src/store/store.ts';
import { dayMs, hourMs, startOf } from '../../../src/store/usage/usage-sums.ts';
import type { UsageTally } from '../../../src/store/usage/usage-tally.ts';
import { until } from '../../real/until.ts';
import { nextId, testNow } from '../../store-contract/setting.ts';
import { tally } from '../../store-contract/use/usage.ts';
import { expectPlainSums, manyTallies } from '../../store-contract/use/usage-sums.ts';
import { createFleet } from './open-use-setting.ts';
import { about, createModel, expectBetween, madeUp } from './use-model.ts';

const forever = Number.POSITIVE_INFINITY;

it('adds up the use of owners by hour, day and month as a plain sum does, over forty days of which some comes late', async () => {
  const fleet = await createFleet();
  const first = tally({ id: nextId() }, { hour: testNow - 41 * dayMs, allowed: 1, about });
  const tallies = [first, ...manyTallies()];
  const isLate = (at: number) => at % 9 === 8;
  fleet.clock.now = testNow - 41 * dayMs;
  await fleet.round();
  for (; fleet.clock.now < testNow + hourMs; fleet.clock.now += 12 * hourMs) {
    const from = fleet.clock.now;
    const isNow = ({ hour }: UsageTally, at: number) => {
      const comes = isLate(at) ? hour + 2 * dayMs : hour;
      return comes >= from && comes < from + 12 * hourMs;
    };
    const some = tallies.filter(isNow);
    fleet.clock.now += 11 * hourMs + 1;
    if (some.length > 0) await fleet.batches.add(some);
    // What is of the hours up to now is folded before these are settled.
    await fleet.fold();
    while (await fleet.round());
    fleet.clock.now = from;
  }
  await fleet.batches.add(tallies.filter(({ hour }, at) => isLate(at) && hour + 2 * dayMs > testNow));
  while (await fleet.round());
  const store = { sumUsage: fleet.sumUsage } as Store;
  await expectPlainSums(store, tallies);
  const { owners } = (await fleet.plans.read()) ?? {};
  expect([owners?.closed, owners?.month]).toEqual([new Date(testNow), undefined]);
  const rows = fleet.database.collection('usage_owners');
  const staying = { purge_at: null, hour: { $lt: new Date(testNow) } };
  expect(await rows.countDocuments(staying)).toBe(0);
  // What came late alone has documents of its own.
  const late = tallies.filter((_, at) => isLate(at));
  const documents = await countSums(fleet, /^owner\/hour/);
  expect(documents).toBeGreaterThan(0);
  expect(documents).toBeLessThanOrEqual(new Set(late.map((one) => `${one.hour} ${one.key}`)).size);
});

it('counts the use of owners once wherever one dies who folds, merges, settles hours or closes days', async () => {
  const fleet = await createFleet();
  const keys = Array.from({ length: 60 }, () => nextId());
  await fleet.addKeys(keys);
  const model = createModel();
  fleet.clock.now = testNow - 20 * hourMs;
  const record = async (seed: number) => {
    const tallies = madeUp(seed, keys, startOf('hour', fleet.clock.now), 80);
    model.record(tallies);
    await fleet.batches.add(tallies);
  };
  await record(100);
  for (let day = 0; day < 2; day++) {
    for (let time = 0; time < 4; time++) {
      for (let folds = 0; folds < 3; folds++) {
        await record(day * 12 + time * 3 + folds);
        await fleet.folder().workOn(1, folds * 3 + time);
      }
      await fleet.folder().workOn(100, forever);
      model.known();
      fleet.clock.now += 6 * hourMs + 61_000;
      // Ends before each of its writes in turn, until everything is done.
      for (let writes = 0; writes < 40; writes++) {
        await fleet.folder().workOn(1, writes % 9);
        if (writes % 8 === 0) await expectBetween(fleet, model);
      }
      await fleet.folder().workOn(100, forever);
      await expectBetween(fleet, model);
    }
  }
  const { owners } = (await fleet.plans.read()) ?? {};
  expect(owners?.closed.getTime()).toBeGreaterThanOrEqual(testNow + dayMs);
  expect(owners?.month?.start).toEqual(new Date(testNow));
  expect(await countSums(fleet, /^owner/)).toBe(0);
});

it('has all use of owners in their months, however long nobody was there to close the days', async () => {
  const fleet = await createFleet(upkeepLimits);
  // By MongoDB's own clock, which removes what is past its time.
  const day = startOf('day', Date.now() - 100 * dayMs);
  fleet.clock.now = day + hourMs;
  const record = async (some: readonly UsageTally[]) => {
    await fleet.batches.add(some);
    while (await fleet.fold());
  };
  const used = (owner: string, allowed: number) =>
    tally({ id: nextId() }, { hour: startOf('hour', fleet.clock.now), allowed, about: { ...about, owner } });
  const owners = Array.from({ length: 40 }, (_, at) => `owner-${at}`);
  await record(owners.map((owner) => used(owner, 1)));
  fleet.clock.now += 3 * hourMs;
  // The first hour is over, and the other is not when everybody goes.
  while (await fleet.round());
  await record(owners.map((owner) => used(owner, 10)));
  await removalOfOld(fleet);
  fleet.clock.now = Date.now();
  const isClosed = async () => ((await fleet.plans.read())?.owners?.closed.getTime() ?? 0) > day;
  while (await fleet.round()) if (!(await isClosed())) await removalOfOld(fleet);
  expect(await isClosed()).toBe(true);
  const query = { order: 'start', size: 100, after: null, since: day, until: Date.now() } as const;
  const [ofAll, ofOne] = [
    await fleet.sumUsage({ ...query, group: 'owner', interval: 'month', owner: null }),
    await fleet.sumUsage({ ...query, group: 'none', interval: 'all', owner: 'owner-7' }),
  ];
  expect(new Map(ofAll.map(({ group, allowed }) => [group, allowed]))).toEqual(
    new Map(owners.map((owner) => [owner, 11])),
  );
  expect(ofOne.map(({ allowed }) => allowed)).toEqual([11]);
  // Of that time there are days and months by now.
  const hours = fleet.database.collection<{ run: number }>('usage_owners');
  await until('hours are gone', async () => (await hours.countDocuments({ run: { $lt: 100 } })) === 0);
});

it('writes a fold of many owners, and an hour of them that is over, as few documents', async () => {
  const fleet = await createFleet(upkeepLimits);
  const tallies = Array.from({ length: 300 }, (_, at) => {
    const owned = { ...about, owner: `owner-${at}`, plan: at % 2 === 0 ? 'gold' : null };
    return tally({ id: nextId() }, { hour: testNow, allowed: 1, about: owned });
  });
  await fleet.batches.add(tallies);
  await fleet.fold();
  // And the sums of all keys of the two plans.
  expect(await fleet.count('usage_owners')).toBe(1);
  expect(await countSums(fleet, /^owner/)).toBe(0);
  expect(await countSums(fleet, /^all/)).toBe(6);
  const staying = () => fleet.database.collection('usage_owners').countDocuments({ purge_at: null });
  fleet.clock.now += 2 * hourMs;
  while (await fleet.round());
  expect(await staying()).toBe(2);
  fleet.clock.now += 22 * hourMs + 61_000;
  while (await fleet.round());
  // The hours go by themselves, now that the day has them.
  expect(await staying()).toBe(0);
  fleet.clock.now += 31_000;
  while (await fleet.round());
  // Of the hour, the day and the month so far, in two buckets each.
  expect(await fleet.count('usage_owners')).toBe(6);
  const of = async (owner: string) => {
    const query = { since: 0, until: testNow + dayMs, order: 'allowed', size: 10, after: null } as const;
    return fleet.sumUsage({ ...query, group: 'plan', interval: 'day', owner });
  };
  const sum = { start: testNow, allowed: 1, denied: {}, observed: {} };
  expect(await of('owner-8')).toEqual([{ ...sum, group: 'gold' }]);
  expect(await of('owner-9')).toEqual([{ ...sum, group: null }]);
});

it('goes on beside a version before, which adds to documents of owners and ends slices that it does not know', async () => {
  const fleet = await createFleet();
  const keys = Array.from({ length: 60 }, () => nextId());
  const model = createModel();
  const plans = fleet.database.collection<{ _id: string }>('usage_batches');
  const change = (update: Record<string, unknown>) => plans.updateOne({ _id: 'plan' }, update);
  const record = async (seed: number) => {
    const tallies = madeUp(seed, keys, startOf('hour', fleet.clock.now), 80);
    model.record(tallies);
    return fleet.batches.add(tallies);
  };
  const kinds = new Set<string>();
  for (let seed = 0; seed < 9; seed++) {
    for (let folds = 0; folds < 3; folds++) {
      await record(seed * 10 + folds);
      await fleet.fold();
    }
    const batch = await record(seed * 10 + 9);
    if (seed % 3 === 2) {
      // What that one says of a fold that it has begun: it knows of no runs of owners.
      const plan = await fleet.plans.read();
      const fold = (plan?.fold ?? 0) + 1;
      const runs = [...(plan?.runs ?? []), { run: fold, level: 0, bits: 2, rows: 80 }];
      if (plan?.slice === undefined) await change({ $set: { fold, runs, batches: [batch] } });
    }
    while (await fleet.fold());
    for (let rounds = 0; rounds < 9; rounds++) {
      await fleet.folder().workOn(1, 2 + (rounds % 3));
      const { slice } = (await fleet.plans.read()) ?? {};
      if (slice === undefined || !/owners$/.test(slice.kind)) continue;
      kinds.add(slice.kind);
      await change({ $unset: { slice: true } });
    }
    while (await fleet.round());
    model.known();
    await expectBetween(fleet, model);
    fleet.clock.now += 5 * hourMs;
  }
  expect(kinds.size).toBeGreaterThan(1);
  expect(await countSums(fleet, /^owner/)).toBeGreaterThan(0);
});

/** Resolves when MongoDB has removed what there is of owners that is past its time. */
async function removalOfOld(fleet: Awaited<ReturnType<typeof createFleet>>): Promise<void> {
  const rows = fleet.database.collection<{ _id: string; purge_at: Date }>('usage_owners');
  await rows.insertOne({ _id: 'old', purge_at: new Date(0) });
  await until('what is old was removed', async () => (await rows.countDocuments({ _id: 'old' })) === 0);
}

function countSums(fleet: Awaited<ReturnType<typeof createFleet>>, id: RegExp): Promise<number> {
  return fleet.database.collection<{ _id: string }>('usage_sums').countDocuments({ _id: id });
}
