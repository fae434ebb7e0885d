import { expect, inject, it } from 'vitest';
import type { KeyRecord } from '../../src/keys/key.ts';
import { concerns, timeoutsOf } from '../../src/mongo/client.ts';
import { createSessions } from '../../src/mongo/sessions.ts';
import { createUsageBatches } from '../../src/mongo/usage/batches.ts';
import { createUsageClosing } from '../../src/mongo/usage/closing.ts';
import { createUsageHours } from '../../src/mongo/usage/hours.ts';
import { createOpenUse } from '../../src/mongo/usage/open.ts';
import { createOpenReads } from '../../src/mongo/usage/open-reads.ts';
import { createOpenUpkeep } from '../../src/mongo/usage/open-upkeep.ts';
import { createUsagePlans } from '../../src/mongo/usage/plan.ts';
import { createUsageSums, type KnownTally } from '../../src/mongo/usage/sums.ts';
import { type Store, usageRetentionMs } from '../../src/store/store.ts';
import { dayMs, hourMs } from '../../src/store/usage/usage-sums.ts';
import type { UsageTally } from '../../src/store/usage/usage-tally.ts';
import { until } from '../real/until.ts';
import { ownerRecord } from '../records.ts';
import { insertAll, nextId, testNow } from '../store-contract/setting.ts';
import { tally } from '../store-contract/usage.ts';
import { everything, expectPlainSums, manyTallies, summed } from '../store-contract/usage-sums.ts';
import { createSetting } from './setting.ts';

const longAgo = testNow - 60 * dayMs;

it('adds up use exactly, whether its hours are closed, are not, or are half closed by who has died or goes on', async () => {
  const { store, tallies, parts, sumsOfKeys, isSettled } = await openHours();
  await expectPlainSums(store, tallies, 12);
  const settling = parts({ now: () => testNow - 20 * dayMs });
  while (!(await isSettled(testNow - 20 * dayMs - hourMs))) await settling.step();
  await expectPlainSums(store, tallies, 12);
  expect(await sumsOfKeys()).toBe(0);

  // Half of what is over: some of its sums are written, and then some more by two at once.
  let isBroken = true;
  const half = new Set(
    tallies
      .map(({ key }) => key)
      .sort()
      .slice(0, tallies.length / 2),
  );
  const dying = parts({
    now: () => testNow - 20 * dayMs,
    async close(known, fold, close) {
      if (isBroken)
        await close(
          known.filter(({ key }) => half.has(key)),
          fold,
        );
      if (isBroken) throw new Error('dead');
      await close(known, fold);
    },
  });
  await expect(dying.step()).rejects.toThrow('dead');
  expect(await sumsOfKeys()).toBeGreaterThan(0);
  await expectPlainSums(store, tallies, 12);
  isBroken = false;
  await Promise.all([dying.step(), dying.step(), parts({ now: () => testNow - 20 * dayMs }).step()]);
  await expectPlainSums(store, tallies, 12);

  const late = tallies.map((one) => ({ ...one, allowed: 3, denied: { expired: 1 }, observed: {} }));
  await store.recordUsage(late);
  const all = [...tallies, ...late];
  await summed(store, all);
  await expectPlainSums(store, all, 12);

  const rest = parts({ now: () => testNow + 2 * hourMs });
  while (await rest.step());
  await expectPlainSums(store, all);
});

it('writes no day and no month of a key before the hour is over, and then one of each for all of its hours', async () => {
  const { store, sumsOfKeys, clock } = await opened(testNow);
  const hour = testNow + 2 * hourMs;
  const key = nextId();
  await store.recordUsage([tally({ id: nextId() }, { hour: testNow, allowed: 1 })]);
  await until('the first is folded', async () => (await total(store)) === 1);
  clock.now = hour;
  for (let flush = 1; flush <= 3; flush++) {
    await store.recordUsage([tally({ id: key }, { hour, allowed: 1 })]);
    await until('it is folded', async () => (await store.getUsage(key, 0))[0]?.allowed === flush);
  }
  await store.recordUsage([tally({ id: key }, { hour: hour + hourMs, allowed: 10 })]);
  await until('that is folded', async () => (await store.getUsage(key, 0)).length === 2);
  expect(await sumsOfKeys(key)).toBe(0);
  clock.now = hour + 3 * hourMs;
  await store.recordUsage([tally({ id: nextId() }, { hour: clock.now, allowed: 100 })]);
  await until('its hours are closed', async () => (await sumsOfKeys(key)) > 0);
  await until('all is folded', async () => (await total(store)) === 114);
  await until('a day and a month', async () => (await sumsOfKeys(key)) === 2);
  const months = await store.sumUsage({ ...everything, group: 'key', interval: 'month' });
  expect(months.filter(({ group }) => group === key)).toMatchObject([{ allowed: 13 }]);
});

it('counts use of before there were sums, once, as that of what its keys are now', async () => {
  const { store, setting } = await opened(testNow);
  await store.putOwner(ownerRecord({ id: 'acme', plan: 'gold', version: 1 }), 0);
  const [key] = (await insertAll(store, [{ owner: 'acme', scheme: 'mavera' }])) as [KeyRecord];
  const gone = nextId();
  const written = [0, 1, 30 * 24].flatMap((hours) =>
    [key.id, gone].map((id) => ({ id, hour: testNow - hours * hourMs })),
  );
  const usage = setting.client.db().collection<{ _id: string }>('usage');
  await usage.insertMany(
    written.map(({ id, hour }) => ({
      ...{ _id: `${id} ${new Date(hour).toISOString()}`, hour: new Date(hour), allowed: 5 },
      ...{ denied: { expired: 2 }, purge_at: new Date(hour + usageRetentionMs) },
    })) as never,
  );
  // And beside it what is written now, of the same hours too.
  const about = { owner: 'acme', plan: 'gold', scheme: 'mavera', environment: 'live' };
  await store.recordUsage([
    tally(key, { hour: testNow, allowed: 1, about }),
    tally(key, { hour: testNow - 30 * dayMs, allowed: 1, about }),
  ]);
  await until('all of it is counted', async () => (await total(store)) === 32);
  const by = async (group: 'key' | 'owner' | 'plan' | 'scheme') =>
    (await store.sumUsage({ ...everything, group })).map(({ group, allowed, denied }) => [
      group,
      allowed,
      denied,
    ]);
  expect(await by('owner')).toEqual([
    ['acme', 17, { expired: 6 }],
    [null, 15, { expired: 6 }],
  ]);
  expect(await by('plan')).toEqual([
    ['gold', 17, { expired: 6 }],
    [null, 15, { expired: 6 }],
  ]);
  expect(await by('scheme')).toEqual([
    ['mavera', 17, { expired: 6 }],
    [null, 15, { expired: 6 }],
  ]);
  expect(await by('key')).toEqual([
    [key.id, 17, { expired: 6 }],
    [gone, 15, { expired: 6 }],
  ]);
  await store.close();
  const again = setting.store({ now: () => testNow });
  await again.open();
  await again.recordUsage([tally(key, { hour: testNow, allowed: 1, about })]);
  await until('that is counted', async () => (await total(again)) >= 33);
  expect(await total(again)).toBe(33);
});

async function total(store: Store): Promise<number> {
  return (await store.sumUsage(everything))[0]?.allowed ?? 0;
}

/** A store whose hours from then on are not closed until its clock has come to their end. */
async function opened(now: number) {
  const clock = { now };
  const setting = await createSetting(inject('mongoUri'));
  const store = setting.store({ now: () => clock.now });
  await store.open();
  const sumsOfKeys = (key = '') =>
    setting.client
      .db()
      .collection<{ _id: string }>('usage_sums')
      .countDocuments({ _id: new RegExp(`^key.*${key}$`) });
  return { setting, store, sumsOfKeys, clock };
}

interface Fakes {
  readonly now: () => number;
  readonly close?: (
    tallies: readonly KnownTally[],
    fold: number,
    close: (tallies: readonly KnownTally[], fold: number) => Promise<void>,
  ) => Promise<void>;
}

/** Forty days of use, of which no hour is closed; the test closes them. */
async function openHours() {
  const { setting, store, sumsOfKeys } = await opened(longAgo);
  const first = tally({ id: nextId() }, { hour: longAgo, allowed: 1 });
  await store.recordUsage([first]);
  await until('the first use is folded', async () => (await total(store)) === 1);
  await setting.client.db().collection('usage_sums').deleteMany({});
  await setting.client.db().collection('usage_open').deleteMany({});
  const reader = setting.store({ now: () => testNow, foldEveryMs: 10 ** 8 });
  await reader.open();
  const tallies: UsageTally[] = manyTallies();
  await store.recordUsage(tallies);
  await summed(reader, tallies);
  const database = setting.client.db(undefined, concerns(timeoutsOf()));
  const sessions = createSessions(setting.client, { timeoutMs: 30_000 });
  const parts = ({ now, close }: Fakes) => {
    const plans = createUsagePlans(database, sessions, Date.now);
    const onError = (error: unknown) => {
      throw error;
    };
    const hours = createUsageHours(database, sessions);
    const batches = createUsageBatches(database, sessions, { plans, now, onError });
    const real = createUsageSums(database, sessions);
    const sums = {
      ...real,
      ...(close && { close: (some: readonly KnownTally[], fold: number) => close(some, fold, real.close) }),
    };
    const upkeep = createOpenUpkeep({
      ...{ hours, sums, plans, now },
      open: createOpenUse(database, sessions),
      openReads: createOpenReads(database, sessions),
    });
    return createUsageClosing({
      plans,
      batches,
      upkeep,
      hours,
      sums,
      now,
      sliceSize: 100,
    });
  };
  /** Rows alone have what is of hours before that. */
  const isSettled = async (hour: number) => {
    const plans = database.collection<{ _id: string; settled?: Date }>('usage_batches');
    return ((await plans.findOne({ _id: 'plan' }))?.settled?.getTime() ?? 0) >= hour;
  };
  const recording = { ...reader, recordUsage: store.recordUsage } as Store;
  return { store: recording, tallies, parts, sumsOfKeys, isSettled };
}
