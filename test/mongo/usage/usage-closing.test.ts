import { expect, it } from 'vitest';
import type { KeyRecord } from '../../../src/keys/key.ts';
import { usageRetentionMs } from '../../../src/store/store.ts';
import { dayMs, hourMs } from '../../../src/store/usage/usage-sums.ts';
import { until } from '../../real/until.ts';
import { ownerRecord } from '../../records.ts';
import { insertAll, nextId, testNow } from '../../store-contract/setting.ts';
import { tally } from '../../store-contract/use/usage.ts';
import { everything, expectPlainSums, summed } from '../../store-contract/use/usage-sums.ts';
import { busy, longAgo, opened, openHours, total } from './closing-setting.ts';

it('adds up use exactly, whether its hours are closed, are not, or are half closed by who has died or goes on', async () => {
  const { store, record, tallies, parts, sumsOfKeys, plan } = await openHours();
  await expectPlainSums(store, tallies, 12);
  const now = () => testNow - 20 * dayMs;
  const going = parts({ now });
  while (((await plan())?.settled?.getTime() ?? 0) < now() - hourMs) await going.step();
  await expectPlainSums(store, tallies, 12);
  expect(await sumsOfKeys()).toBe(0);
  // Until some keys are done of hours that are closed together, and others not.
  while (((await plan())?.closing?.after ?? 0) === 0) await going.step();
  await expectPlainSums(store, tallies, 12);
  // For a version before all of these hours are closed: it adds none of them again.
  const begun = await plan();
  const before = (begun?.closing?.before.getTime() ?? 0) + usageRetentionMs;
  expect(begun?.closed?.getTime()).toBe(before);

  // Half of the next keys: some of their sums are written, and then some more by two at once.
  let isBroken = true;
  const dying = parts({
    now,
    async close(known, fold, newFrom, close) {
      if (!isBroken) return close(known, fold, newFrom);
      const keys = [...new Set(known.map(({ key }) => key))];
      const half = new Set(keys.slice(0, Math.ceil(keys.length / 2)));
      const some = known.filter(({ key }) => half.has(key));
      await close(some, fold, newFrom);
      throw new Error('dead');
    },
  });
  const made = await sumsOfKeys();
  const steps = async () => {
    while (await dying.step());
  };
  await expect(steps()).rejects.toThrow('dead');
  expect(await sumsOfKeys()).toBeGreaterThan(made);
  await expectPlainSums(store, tallies, 12);
  isBroken = false;
  await Promise.all([dying.step(), dying.step(), parts({ now }).step()]);
  await expectPlainSums(store, tallies, 12);
  expect((await plan())?.closing).toBeDefined();

  const late = tallies.map((one) => ({ ...one, allowed: 3, denied: { expired: 1 }, observed: {} }));
  await record(late);
  expect((await plan())?.closing).toBeDefined();
  const all = [...tallies, ...late];
  await summed(store, all);
  await expectPlainSums(store, all, 12);

  const rest = parts({ now: () => testNow + 2 * hourMs });
  while (await rest.step());
  await expectPlainSums(store, all);
});

it('writes no day and no month of a key before six hours are over, and then one of each for all of them', async () => {
  const { store, sumsOfKeys, clock, rowsOf } = await opened(testNow);
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
  const ofMonth = async () => {
    const months = await store.sumUsage({ ...everything, group: 'key', interval: 'month' });
    return months.flatMap(({ group, allowed }) => (group === key ? [allowed] : []));
  };
  clock.now = testNow + 6 * hourMs;
  await store.recordUsage([tally({ id: nextId() }, { hour: clock.now, allowed: 100 })]);
  await until('its hours have rows', async () => (await rowsOf(key)) === 2);
  await until('all is folded', async () => (await total(store)) === 114);
  expect(await sumsOfKeys(key)).toBe(0);
  expect(await ofMonth()).toEqual([13]);
  clock.now += 61_000;
  await store.recordUsage([tally({ id: nextId() }, { hour: clock.now, allowed: 100 })]);
  await until('a day and a month', async () => (await sumsOfKeys(key)) === 2);
  await until('all is folded', async () => (await total(store)) === 214);
  expect(await ofMonth()).toEqual([13]);
});

it('goes on where a version before has closed a part of an hour', async () => {
  const { store, tallies, parts, plan, change, sumsOfKeys } = await openHours();
  const now = () => testNow - 20 * dayMs;
  const going = parts({ now });
  while (((await plan())?.settled?.getTime() ?? 0) < now() - hourMs) await going.step();
  const at = busy + hourMs + hourMs / 3;
  const closed = new Date(at + usageRetentionMs);
  // What that one does: a slice of an hour's keys, which it has begun with.
  await change({
    $set: { closed: new Date(longAgo + usageRetentionMs), slice: { kind: 'close', to: closed } },
  });
  await going.step();
  expect((await plan())?.closed).toEqual(closed);
  expect(await sumsOfKeys()).toBeGreaterThan(0);
  await expectPlainSums(store, tallies, 12);
  while (((await plan())?.closed?.getTime() ?? 0) < busy + 7 * hourMs + usageRetentionMs) {
    if (!(await going.step())) break;
    await expectPlainSums(store, tallies, 4);
  }
  while (await going.step());
  await expectPlainSums(store, tallies, 12);
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
