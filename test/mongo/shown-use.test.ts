import { expect, inject, it } from 'vitest';
import { createUnusedKeys } from '../../src/events/unused-keys.ts';
import type { KeyId, KeyRecord } from '../../src/keys/key.ts';
import type { PlanDocument } from '../../src/mongo/usage/plan.ts';
import { closedBefore } from '../../src/mongo/usage/plan-hours.ts';
import { createTouching } from '../../src/mongo/usage/touching.ts';
import type { Store } from '../../src/store/store.ts';
import { until } from '../real/until.ts';
import { insertAll, listIds, nextId, testNow } from '../store-contract/setting.ts';
import { lastUsed, tally } from '../store-contract/use/usage.ts';
import { profile } from './profile.ts';
import { createSetting } from './setting.ts';

const hourMs = 3_600_000;

it('whoever shows keys shows their last use, though their own documents are not told of it yet', async () => {
  const { store, keys } = await untouched(testNow + 5);
  const [key] = keys as [KeyRecord];
  expect((await store.getKey(key.id))?.lastUsedAt).toBe(testNow + 5);
  expect((await store.getKey(key.id, true))?.lastUsedAt).toBe(testNow + 5);
  expect((await store.findKey([key.digest]))?.lastUsedAt).toBe(testNow + 5);
  expect((await store.getKeyByRequest('asked once'))?.lastUsedAt).toBe(testNow + 5);
  const page = { before: null, size: 10 };
  const shown = await store.listKeys({ now: testNow }, page);
  expect(shown.map(({ lastUsedAt }) => lastUsedAt)).toEqual([testNow, testNow + 5, testNow + 5]);
  const order = { by: 'name', isDescending: false } as const;
  const ordered = await store.listKeysInOrder({ now: testNow }, order, { after: null, size: 10 });
  expect(new Set(ordered.map(({ lastUsedAt }) => lastUsedAt))).toEqual(new Set([testNow, testNow + 5]));
  const idle = await store.listIdle({ by: 'creation', after: 0, until: testNow + hourMs }, 10);
  // Of later times others may be idle, or these not.
  expect(idle).toEqual({ keys: [], last: null, until: testNow - 1 });
});

it('a key whose own document is not told of its use is no unused one, and makes no page of these short', async () => {
  const { store, keys } = await untouched(testNow + 5);
  const [used, alike, before] = keys as [KeyRecord, KeyRecord, KeyRecord];
  const never = await insertAll(store, [{ lastUsedAt: null }, { lastUsedAt: null }]);
  const unusedSince = testNow + 2;
  expect(await listIds(store, { unusedSince })).toEqual([...never.map(({ id }) => id).reverse(), before.id]);
  const ids: KeyId[] = [];
  for (let last: KeyId | null = null; ; ) {
    const page: KeyRecord[] = await store.listKeys({ now: testNow, unusedSince }, { before: last, size: 2 });
    ids.push(...page.map(({ id }) => id));
    if (page.length < 2) break;
    last = page.at(-1)?.id ?? null;
  }
  expect(ids).toHaveLength(3);
  for (const by of ['last_used_at', 'name'] as const) {
    const order = { by, isDescending: false };
    const page = await store.listKeysInOrder({ now: testNow, unusedSince }, order, { after: null, size: 3 });
    expect(new Set(page.map(({ id }) => id))).toEqual(new Set([before.id, ...never.map(({ id }) => id)]));
  }
  // From its use on it is one.
  expect(await listIds(store, { unusedSince: testNow + 6 })).toEqual(
    expect.arrayContaining([used.id, alike.id]),
  );
});

it('a Check reads a key alone, without what is open', async () => {
  const { setting, store, keys } = await untouched(testNow + 5);
  const profiled = await profile(setting, 'usage_open', async () => {
    for (const { digest } of keys) await store.findKey([digest], 'check');
  });
  expect(profiled).toEqual([]);
});

it('a key that is used once is shown so by the rows of its hour, and told of it some hours later, exactly', async () => {
  const { store, own, later, keys } = await untouched(testNow + 5);
  const [key] = keys as [KeyRecord];
  await later(testNow + hourMs, 'settled');
  expect((await own(key.id))?.last_used_at).toBe(null);
  expect((await store.getKey(key.id))?.lastUsedAt).toBe(testNow + 5);
  expect(await listIds(store, { unusedSince: testNow + 5 })).not.toContain(key.id);
  expect(await listIds(store, { unusedSince: testNow + 6 })).toContain(key.id);
  await later(testNow + 6 * hourMs, 'closed');
  await until('its own document is told', async () => (await own(key.id))?.last_used_at !== null);
  expect((await own(key.id))?.last_used_at?.getTime()).toBe(testNow + 5);
  expect((await store.getKey(key.id))?.lastUsedAt).toBe(testNow + 5);
});

it('a key that is told of its use hours later is told of as unused once, and not before that', async () => {
  const { store, later, clock, keys } = await untouched(testNow + 5);
  const [key] = keys as [KeyRecord];
  const look = createUnusedKeys(
    {
      ...{ store, holder: 'one', adminScheme: 'postern', now: () => clock.now },
      ...{ disable: async () => 0, count() {} },
    },
    { notifyAfterMs: hourMs / 2, disableAfterMs: null, usageLagMs: 10_000 },
  );
  const told = async () => {
    await look();
    const entries = await store.listJournal({ target: key.id }, { order: 'oldest', after: null, size: 10 });
    return entries
      .filter(({ action }) => action === 'KeyUnused')
      .map(({ after }) => Object(after).last_used_at);
  };
  await later(testNow + hourMs, 'settled');
  expect(await told()).toEqual([]);
  clock.now = testNow + 2 * hourMs;
  expect(await told()).toEqual([]);
  await later(testNow + 6 * hourMs, 'closed');
  expect(await told()).toEqual(['2040-01-01T00:00:00Z']);
  clock.now += hourMs;
  expect(await told()).toHaveLength(1);
});

it('own documents of a thousand keys in use are told of each use, and of more keys of some each time, of all as often', () => {
  let now = 0;
  const touching = createTouching(() => now);
  const used = (count: number) =>
    Array.from({ length: count }, (_, at) => tally({ id: `key_${at}` as KeyId }, { lastUsedAt: testNow }));
  for (let fold = 0; fold < 5; fold++, now += 2_000) expect(touching(used(1_000))).toHaveLength(1_000);
  const times = new Map<KeyId, number>();
  for (let fold = 0; fold < 200; fold++, now += 2_000) {
    const some = touching(used(10_000));
    expect(some).toHaveLength(1_000);
    for (const { key } of some) times.set(key, (times.get(key) ?? 0) + 1);
  }
  expect(times.size).toBe(10_000);
  expect(Math.max(...times.values())).toBeLessThan(50);
  // Folds that come one right after another do not touch more together.
  expect(touching(used(10_000))).toHaveLength(1_000);
  expect(touching(used(10_000))).toHaveLength(0);
  now += 100;
  expect(touching(used(10_000))).toHaveLength(50);
  expect(touching([tally({ id: nextId() }, { allowed: 1 })])).toEqual([]);
});

/** Keys of which two were used, and whose own documents do not say it. */
async function untouched(at: number) {
  const clock = { now: testNow };
  const setting = await createSetting(inject('mongoUri'));
  const store = setting.store({ now: () => clock.now });
  await store.open();
  const keys = await insertAll(store, [
    { lastUsedAt: null, requestKey: 'asked once' },
    { lastUsedAt: null },
    { lastUsedAt: testNow },
  ]);
  const stored = setting.client.db().collection<{ _id: string; last_used_at: Date | null }>('keys');
  const used = keys.slice(0, 2);
  // More than can be told of it at once.
  const others = Array.from({ length: 3_000 }, () => ({ id: nextId() }));
  await store.recordUsage([...used, ...others].map((key) => tally(key, { allowed: 1, lastUsedAt: at })));
  for (const key of used) await lastUsed(store as Store, key, at);
  const ids = used.map(({ id }) => id);
  await stored.updateMany({ _id: { $in: ids } }, { $set: { last_used_at: null } });
  const plans = setting.client.db().collection<{ _id: string } & PlanDocument>('usage_batches');
  return {
    ...{ setting, store, keys, clock, own: (id: KeyId) => stored.findOne({ _id: id }) },
    /** Hours before that one are over, and what becomes of them then is done. */
    async later(hour: number, state: 'settled' | 'closed') {
      clock.now = hour + 61_000;
      await store.recordUsage([tally({ id: nextId() }, { hour, allowed: 1 })]);
      await until(`hours are ${state}`, async () => {
        const plan = await plans.findOne({ _id: 'plan' });
        if (plan === null || (plan.settled?.getTime() ?? 0) < hour) return false;
        return state === 'settled' || closedBefore(plan) >= hour;
      });
    },
  };
}
