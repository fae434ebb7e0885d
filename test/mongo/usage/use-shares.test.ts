import { expect, inject, it } from 'vitest';
import type { KeyId } from '../../../src/keys/key.ts';
import { talliesOfFold } from '../../../src/mongo/usage/batches.ts';
import { sumsOf } from '../../../src/mongo/usage/sums/tally-sums.ts';
import { hourMs, startOf } from '../../../src/store/usage/usage-sums.ts';
import type { UsageTally } from '../../../src/store/usage/usage-tally.ts';
import { until } from '../../real/until.ts';
import { nextId, testNow } from '../../store-contract/setting.ts';
import { tally } from '../../store-contract/use/usage.ts';
import { createSetting } from '../setting.ts';
import { createFleet } from './open-use-setting.ts';
import { about, createModel, expectBetween, madeUp } from './use-model.ts';

const forever = Number.POSITIVE_INFINITY;

it('counts what was given out once, wherever one dies who gives it out, does it, or says that it counts', async () => {
  const { fleet, model, record } = await manyBatches();
  let [folds, merges] = [0, 0];
  for (let endsAfter = 0; endsAfter < 20; endsAfter++) {
    await record(5);
    await fleet.folder().workOn(1, endsAfter % 14);
    await fleet.folder().workOn(3, endsAfter);
    const { shares } = (await fleet.plans.read()) ?? {};
    folds += shares?.shares.length ?? 0;
    merges += shares?.merges.length ?? 0;
    if (endsAfter % 5 === 4) await fleet.folder().workOn(200, forever);
    if (await fleet.isFolded()) model.known();
    await expectBetween(fleet, model);
    if (endsAfter === 9) fleet.clock.now += hourMs + 61_000;
  }
  expect([folds > 10, merges > 0]).toEqual([true, true]);
  await fleet.folder().workOn(200, forever);
  const hours = { since: testNow - hourMs, until: testNow + 3 * hourMs } as const;
  const query = { ...hours, group: 'none', interval: 'all', owner: null, order: 'allowed' } as const;
  const found = await fleet.sumUsage({ ...query, size: 10, after: null });
  const ofKeys = [...model.counts].filter(([name]) => /^key\S+ all allowed$/.test(name));
  expect(found.map(({ allowed }) => allowed)).toEqual([ofKeys.reduce((sum, [, count]) => sum + count, 0)]);
});

it('counts it once where several do the same, and one of them comes to its end long after it has counted', async () => {
  const { fleet, model, record } = await manyBatches();
  await record(5);
  await fleet.giving.step();
  const { shares } = (await fleet.plans.read()) ?? {};
  const folds = shares?.shares.length ?? 0;
  expect(folds).toBeGreaterThan(1);
  for (const writes of [1, 2, 3]) {
    const slow = fleet.folder();
    const resume = slow.pauseAfter(writes);
    const late = slow.work.step();
    const others = [fleet.folder(), fleet.folder()];
    for (let rounds = 0; rounds < folds; rounds++) await Promise.all(others.map((one) => one.work.step()));
    while (await fleet.round());
    model.known();
    await expectBetween(fleet, model);
    resume();
    await late;
    await expectBetween(fleet, model);
    while (await fleet.round());
    await expectBetween(fleet, model);
    await record(5);
    await fleet.giving.step();
  }
});

it('settles no hour of which folds are given out, and no fold of it is given out once it is settled', async () => {
  const { fleet, model, record } = await manyBatches();
  await record(5);
  await fleet.giving.step();
  await record(5);
  fleet.clock.now += hourMs + 61_000;
  expect(await fleet.closing.step()).toBe(false);
  await record(5);
  while (await fleet.work.step());
  await fleet.giving.step();
  const { shares } = (await fleet.plans.read()) ?? {};
  const hours = shares?.shares.flatMap((share) => (share.kind === 'fold' ? [share.from.getTime()] : []));
  expect(new Set(hours)).toEqual(new Set([testNow + hourMs]));
  while (await fleet.round());
  expect((await fleet.plans.read())?.settled).toEqual(new Date(testNow + hourMs));
  model.known();
  await expectBetween(fleet, model);
});

it('gives out what comes late of hours that are over, too, as long as they are not to be settled', async () => {
  const { fleet, model, record } = await manyBatches();
  await record(5);
  Object.assign(fleet.clock, { now: fleet.clock.now + hourMs + 61_000, isHeld: true });
  expect(await fleet.closing.step()).toBe(false);
  await fleet.giving.step();
  const { shares } = (await fleet.plans.read()) ?? {};
  const hours = shares?.shares.flatMap((share) => (share.kind === 'fold' ? [share.from.getTime()] : []));
  expect(new Set(hours)).toEqual(new Set([testNow]));
  fleet.clock.isHeld = false;
  expect(await fleet.closing.step()).toBe(false);
  while (await fleet.round());
  expect((await fleet.plans.read())?.settled).toEqual(new Date(testNow + hourMs));
  // None was added by an update of its own.
  expect(await fleet.database.collection('usage').countDocuments({ was_open: { $exists: false } })).toBe(0);
  model.known();
  await expectBetween(fleet, model);
});

it('settles an hour while its runs are merged by others, which removes none of them before', async () => {
  const { fleet, model, record } = await manyBatches();
  // Runs enough for a merge, that is given out with folds, and done when the hour is being settled.
  while ((await mergesOf(fleet)) === 0) {
    await record(5);
    await fleet.giving.step();
    const { shares } = (await fleet.plans.read()) ?? {};
    for (const share of shares?.shares ?? []) if (share.kind === 'fold') await foldAlone(fleet, share.number);
    await fleet.giving.step();
    await fleet.fold(true);
  }
  model.known();
  fleet.clock.now += hourMs + 61_000;
  while ((await fleet.plans.read())?.settling === undefined) {
    await fleet.closing.step();
    await fleet.fold(true);
  }
  while (await fleet.work.step());
  await fleet.giving.step();
  await fleet.fold(true);
  expect(await mergesOf(fleet)).toBe(0);
  const { settling, runs } = (await fleet.plans.read()) ?? {};
  const known = new Set(runs?.map(({ run }) => run));
  expect(settling?.runs.some(({ run }) => !known.has(run))).toBe(true);
  fleet.clock.now += 31_000;
  while (await fleet.round()) await expectBetween(fleet, model);
  expect((await fleet.plans.read())?.settling).toBe(undefined);
  await expectBetween(fleet, model);
});

it('goes by none of it where a version before, which knows nothing of it, has gone on with the plan', async () => {
  const { fleet, model, record } = await manyBatches();
  await record(5);
  await fleet.giving.step();
  const plan = await fleet.plans.read();
  expect(plan?.shares?.shares.length).toBeGreaterThan(1);
  const [first] = plan?.shares?.shares ?? [];
  while (await fleet.work.step());
  const batches = first?.kind === 'fold' ? first.batches : [];
  const number = (plan?.fold ?? 0) + 1;
  const tallies = (await fleet.batches.tallies(batches)) ?? [];
  const plans = fleet.database.collection<{ _id: string }>('usage_batches');
  await plans.updateOne({ _id: 'plan' }, { $set: { fold: number, batches } });
  await fleet.hours.add(sumsOf(tallies), number);
  await plans.deleteMany({ _id: { $in: [...batches] } });
  while (await fleet.round());
  const [keys, hour] = [[...new Set(tallies.map(({ key }) => key))], testNow];
  const counted = await fleet.reads.count(keys, [hour]);
  for (const { key, requests } of counted) {
    const of = (kind: string) => model.counts.get(`${key} ${hour} ${kind}`) ?? 0;
    expect([key, requests]).toEqual([key, of('allowed') + of('denied') + of('observed')]);
  }
  expect(counted).toHaveLength(keys.length);
});

it('takes back what nobody does, and counts it by another number alone', async () => {
  const { fleet, model, record } = await manyBatches();
  await record(5);
  await fleet.giving.step();
  const [share] = (await fleet.plans.read())?.shares?.shares ?? [];
  fleet.clock.now += 901_000;
  await fleet.giving.step();
  const numbers = (await fleet.plans.read())?.shares?.shares.map(({ number }) => number);
  expect(numbers).not.toContain(share?.number);
  while (await fleet.round());
  model.known();
  await expectBetween(fleet, model);
});

it('is given out and counted by replicas of which each may fold, where more waits than one folds at once', async () => {
  const setting = await createSetting(inject('mongoUri'));
  const writer = setting.store({ foldEveryMs: 10 ** 8 });
  await writer.open();
  const ids = Array.from({ length: talliesOfFold / 2 }, () => nextId());
  const tallies = ids.map((id) => tally({ id }, { hour: startOf('hour', Date.now()), allowed: 1, about }));
  for (let batches = 0; batches < 12; batches++) await writer.recordUsage(tallies);
  for (let replicas = 0; replicas < 2; replicas++) await setting.store({ foldEveryMs: 10 }).open();
  const database = setting.client.db();
  await until('all is folded', async () => {
    return (await database.collection('usage_batches').countDocuments({ packed: { $exists: true } })) === 0;
  });
  const plan = await database.collection<{ _id: string }>('usage_batches').findOne({ _id: 'plan' });
  expect(plan).toHaveProperty('shares');
  const hour = { since: startOf('hour', Date.now()) - hourMs, until: Date.now() + hourMs } as const;
  const query = { ...hour, group: 'none', interval: 'all', owner: null, order: 'allowed' } as const;
  for (const group of ['none', 'owner'] as const) {
    const found = await writer.sumUsage({ ...query, group, size: 10, after: null });
    expect(found.map(({ allowed }) => allowed)).toEqual([12 * tallies.length]);
  }
  const some = await writer.countUse(ids.slice(0, 50), [tallies[0]?.hour ?? 0]);
  expect(some.map(({ requests }) => requests)).toEqual(Array(50).fill(12));
});

/** Replicas that write several times what one folds at once. */
async function manyBatches() {
  const fleet = await createFleet();
  const keys = Array.from({ length: 60 }, (): KeyId => nextId());
  await fleet.addKeys(keys);
  const model = createModel();
  let seed = 0;
  async function record(batches: number) {
    for (let batch = 0; batch < batches; batch++) {
      const tallies: UsageTally[] = madeUp(seed++, keys, startOf('hour', fleet.clock.now), 50);
      model.record(tallies);
      await fleet.batches.add(tallies);
    }
  }
  // From where on hours are open is said with the first step.
  await fleet.round();
  return { fleet, model, record };
}

type Fleet = Awaited<ReturnType<typeof createFleet>>;

async function mergesOf(fleet: Fleet): Promise<number> {
  return (await fleet.plans.read())?.shares?.merges.length ?? 0;
}

/** Does this one of what is given out. */
async function foldAlone(fleet: Fleet, number: number): Promise<void> {
  const { plans } = fleet;
  const only = fleet.workOf({
    async read() {
      const plan = await plans.read();
      const shares = plan?.shares;
      if (plan === null || shares === undefined) return plan;
      return { ...plan, shares: { ...shares, shares: shares.shares.filter((one) => one.number === number) } };
    },
  });
  await only.step();
}
