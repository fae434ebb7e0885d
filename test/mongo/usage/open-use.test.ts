import fc from 'fast-check';
import { expect, it } from 'vitest';
import { portions } from '../../../src/mongo/usage/portions.ts';
import { createUsageReads } from '../../../src/mongo/usage/reads.ts';
import { usageRetentionMs } from '../../../src/store/store.ts';
import { hourMs, startOf } from '../../../src/store/usage/usage-sums.ts';
import { nextId, testNow } from '../../store-contract/setting.ts';
import { tally } from '../../store-contract/use/usage.ts';
import { createFleet } from './open-use-setting.ts';
import { about, createModel, expectBetween, madeUp } from './use-model.ts';

it('counts each use once at any moment, whoever folds and settles it, wherever one ends, however late it comes', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (steps) => {
      const fleet = await createFleet();
      const keys = Array.from({ length: 70 }, () => nextId());
      await fleet.addKeys(keys);
      const model = createModel();
      let [one, other] = [fleet.folder(), fleet.folder()];
      for (const each of steps) {
        if (each.kind === 'record') {
          const hour = startOf('hour', fleet.clock.now) - each.late * hourMs;
          const tallies = madeUp(each.seed, keys, hour, each.count);
          model.record(tallies);
          for (const some of portions(tallies, 50)) await one.batches.add(some);
        } else if (each.kind === 'pass') {
          fleet.clock.now += each.hours * hourMs + each.seconds * 1_000;
          // As for a minute after an outage.
          fleet.clock.isHeld = each.isHeld;
        } else {
          const done = Promise.all([
            one.workOn(each.rounds, each.endsAfter),
            each.isTwice ? other.workOn(each.rounds, each.endsAfter + 3) : null,
          ]);
          // At any moment.
          await expectBetween(fleet, model);
          await done;
          if (each.isRestarted) [one, other] = [fleet.folder(), fleet.folder()];
        }
        if (await fleet.isFolded()) model.known();
        await expectBetween(fleet, model);
      }
      fleet.clock.isHeld = false;
      await one.workOn(100, Number.POSITIVE_INFINITY);
      model.known();
      await expectBetween(fleet, model);
      // All hours are over: what was open is rows, and in days.
      fleet.clock.now += 12 * hourMs;
      await fleet.folder().workOn(100, Number.POSITIVE_INFINITY);
      await expectBetween(fleet, model);
      fleet.clock.now += 31_000;
      await fleet.folder().workOn(100, Number.POSITIVE_INFINITY);
      expect(await fleet.count('usage_open')).toBe(0);
      await expectBetween(fleet, model);
    }),
    { numRuns: 3, endOnFailure: true },
  );
});

it('counts each use once wherever one dies who folds, merges, settles or removes, one write after another', async () => {
  const fleet = await createFleet();
  const keys = Array.from({ length: 40 }, () => nextId());
  await fleet.addKeys(keys);
  const model = createModel();
  for (let endsAfter = 0; endsAfter < 14; endsAfter++) {
    // Enough of the same size to be merged.
    for (let folds = 0; folds < 3; folds++) {
      const tallies = madeUp(endsAfter * 3 + folds, keys, startOf('hour', fleet.clock.now), 60);
      model.record(tallies);
      await fleet.batches.add(tallies);
      if (folds < 2) await fleet.fold();
    }
    await fleet.folder().workOn(100, endsAfter);
    await expectBetween(fleet, model);
    await fleet.folder().workOn(100, Number.POSITIVE_INFINITY);
    model.known();
    await expectBetween(fleet, model);
    if (endsAfter === 3) expect((await fleet.plans.read())?.runs?.some(({ level }) => level > 0)).toBe(true);
    if (endsAfter % 4 !== 3) continue;
    fleet.clock.now += 3 * hourMs + 61_000;
    for (let writes = 0; writes < 16; writes++) {
      await fleet.folder().workOn(1, writes);
      await expectBetween(fleet, model);
    }
  }
});

it('does not merge what is being settled, though there is enough of it', async () => {
  const fleet = await createFleet();
  const keys = Array.from({ length: 70 }, () => nextId());
  const model = createModel();
  const add = async (seed: number) => {
    const tallies = madeUp(seed, keys, startOf('hour', fleet.clock.now), 100);
    model.record(tallies);
    await fleet.batches.add(tallies);
    await fleet.fold();
  };
  await fleet.round();
  for (let seed = 0; seed < 4; seed++) await add(seed);
  model.known();
  fleet.clock.now += hourMs + 61_000;
  const settling = [];
  for (let round = 0; round < 60; round++) {
    const plan = await fleet.plans.read();
    if (plan?.settling !== undefined) settling.push(plan);
    if (!(await fleet.round())) break;
    await expectBetween(fleet, model);
  }
  expect(settling.length).toBeGreaterThan(2);
  for (const { settling: begun, merging } of settling) {
    const runs = new Set(begun?.runs.map(({ run }) => run));
    expect(merging?.runs.filter(({ run }) => runs.has(run)) ?? []).toEqual([]);
  }
});

it('reads again where what it reads is merged and removed meanwhile, which is not before 30 seconds', async () => {
  const fleet = await createFleet();
  const key = nextId();
  const add = async () => {
    await fleet.batches.add([tally({ id: key }, { hour: testNow, allowed: 1, about })]);
    await fleet.fold();
  };
  await fleet.round();
  for (let times = 0; times < 3; times++) await add();
  const { runs: [first] = [] } = (await fleet.plans.read()) ?? {};
  let reads = 0;
  const slow = createUsageReads({
    ...{ plans: fleet.plans, hours: fleet.hours },
    open: {
      async of(...asked) {
        if (reads++ === 0) {
          while (await fleet.round());
          // Merged, and there still for whoever has begun to read.
          const kept = await fleet.openReads.of([key], first === undefined ? [] : [first], 0);
          expect(kept).toMatchObject([{ allowed: 1 }]);
          fleet.clock.now += 31_000;
          while (await fleet.round());
        }
        return fleet.openReads.of(...asked);
      },
    },
  });
  expect(await slow.get(key, 0)).toMatchObject([{ allowed: 3 }]);
  expect(reads).toBe(2);
});

it('ends what a version before has begun to add up in rows alone, as that one does', async () => {
  const fleet = await createFleet();
  const [one, other] = [nextId(), nextId()];
  const tallies = [one, other].map((id) => tally({ id }, { hour: testNow, allowed: 2, about }));
  await fleet.batches.add([tally({ id: one }, { hour: testNow, allowed: 1, about })]);
  while (await fleet.round());
  const batch = await fleet.batches.add(tallies);
  const plan = await fleet.plans.read();
  // What that one knows of the plan, and half of what it writes.
  const number = (plan?.fold ?? 0) + 1;
  await fleet.database
    .collection<{ _id: string }>('usage_batches')
    .updateOne({ _id: 'plan', fold: plan?.fold as never }, { $set: { fold: number, batches: [batch] } });
  await fleet.hours.add(tallies.slice(0, 1), number);
  while (await fleet.round());
  expect(await fleet.reads.get(one, 0)).toMatchObject([{ allowed: 3 }]);
  expect(await fleet.reads.get(other, 0)).toMatchObject([{ allowed: 2 }]);
  fleet.clock.now += hourMs + 61_000;
  while (await fleet.round());
  expect(await fleet.reads.get(one, 0)).toMatchObject([{ allowed: 3 }]);
});

it('adds to days and months what was open when a version before closed the hour', async () => {
  const fleet = await createFleet();
  const key = nextId();
  await fleet.batches.add([tally({ id: key }, { hour: testNow, allowed: 5, about })]);
  while (await fleet.round());
  fleet.clock.now += hourMs + 61_000;
  const closed = new Date(startOf('hour', fleet.clock.now) + usageRetentionMs);
  await fleet.database
    .collection<{ _id: string }>('usage_batches')
    .updateOne({ _id: 'plan' }, { $set: { closed, closed_by: 1 } });
  while (await fleet.round());
  const query = {
    group: 'key',
    interval: 'month',
    since: testNow - hourMs,
    until: testNow + 2 * hourMs,
  } as const;
  const found = await fleet.sumUsage({ ...query, owner: null, order: 'allowed', size: 10, after: null });
  expect(found.map(({ group, allowed }) => [group, allowed])).toEqual([[key, 5]]);
  const months = fleet.database.collection<{ _id: string }>('usage_sums').find({ _id: /^key\/month/ });
  expect(await months.toArray()).toMatchObject([{ allowed: 5 }]);
});

const record = fc.record({
  ...{ kind: fc.constant('record' as const), seed: fc.nat(), late: fc.constantFrom(0, 0, 0, 1, 2) },
  count: fc.constantFrom(1, 20, 150),
});
const pass = fc.record({
  kind: fc.constant('pass' as const),
  ...{
    hours: fc.constantFrom(0, 1, 1, 2, 6),
    seconds: fc.constantFrom(0, 61),
    isHeld: fc.constantFrom(false, false, true),
  },
});
const work = fc.record({
  ...{ kind: fc.constant('work' as const), rounds: fc.constantFrom(1, 3, 20) },
  endsAfter: fc.oneof(fc.nat({ max: 12 }), fc.constant(1_000)),
  ...{ isTwice: fc.boolean(), isRestarted: fc.boolean() },
});
const steps = fc.array(fc.oneof(record, record, pass, work, work), {
  minLength: 8,
  maxLength: 18,
  size: 'max',
});
