import { expect, inject, it } from 'vitest';
import { usageRetentionMs } from '../../../src/store/store.ts';
import { until } from '../../real/until.ts';
import { insertAll, testNow } from '../../store-contract/setting.ts';
import { request, sumOf } from '../../store-contract/use/limits.ts';
import { expectOldestRemoved } from '../../store-contract/use/request-log.ts';
import { lastUsed, tally } from '../../store-contract/use/usage.ts';
import { createSetting, listen } from '../setting.ts';

const hourMs = 3_600_000;

it('several replicas lease units of one window: together the limit, never more', async () => {
  const { setting, stores } = await replicas(3);
  for (let round = 0; round < 5; round++) {
    const spender = `key ${round}`;
    const asked = Array.from({ length: 90 }, (_, index) => ({ at: index % 3, units: (index % 7) + 1 }));
    const leases = await Promise.all(
      asked.map(({ at, units }) => stores[at]?.leaseUnits(request({ spender, limit: 150, units }))),
    );
    expect(sumOf(leases.flatMap((lease) => lease ?? []))).toBe(150);
  }
  expect(await setting.client.db().collection('limits').countDocuments()).toBe(5);
});

it('rows of the request log past their bound are removed, the oldest first, and that is said', async () => {
  const removed: number[] = [];
  const setting = await createSetting(inject('mongoUri'));
  const store = setting.store({
    ...{ now: () => testNow, requestRowsMax: 100 },
    onRequestsRemoved: (rows) => removed.push(rows),
  });
  await store.open();
  await expectOldestRemoved(store, removed);
});

it('several replicas record the use of one key at once: all of it is counted', async () => {
  const { stores } = await replicas(3);
  const [store] = stores;
  if (store === undefined) throw new Error('no store');
  const [key] = await insertAll(store, [{}]);
  if (key === undefined) throw new Error('no key');
  const times = Array.from({ length: 20 }, (_, index) => testNow + index);
  await Promise.all(
    times.flatMap((lastUsedAt) =>
      stores.map((one) => one.recordUsage([tally(key, { allowed: 1, denied: { expired: 2 }, lastUsedAt })])),
    ),
  );
  await until('all of it is known', async () => (await store.getUsage(key.id, 0))[0]?.allowed === 60);
  await lastUsed(store, key, testNow + 19);
  const [sum] = await store.getUsage(key.id, 0);
  expect(sum).toMatchObject({ allowed: 60, denied: { expired: 120 }, lastUsedAt: testNow + 19 });
  expect(await store.getKey(key.id)).toEqual({ ...key, lastUsedAt: testNow + 19 });
});

it('no replica is told of a last use, so that none forgets a key for having been used', async () => {
  const setting = await createSetting(inject('mongoUri'));
  const [writer, reader] = [setting.store(), setting.store()];
  const told = listen(reader);
  await Promise.all([writer.open(), reader.open()]);
  const [used, marker] = await insertAll(writer, [{}, {}]);
  if (used === undefined || marker === undefined) throw new Error('no keys');
  await until('told of the keys', () => told.times(used.id) + told.times(marker.id) === 2);
  for (const lastUsedAt of [testNow, testNow + 1]) {
    await writer.recordUsage([tally(used, { allowed: 1, lastUsedAt })]);
    await lastUsed(writer, used, lastUsedAt);
  }
  await writer.replaceKey({ ...marker, disabledAt: 1, version: 2 }, 1, 1);
  await until('told of what came after', () => told.times(marker.id) === 2);
  expect(told.times(used.id)).toBe(1);
});

it('hours past their retention, and windows long past, are removed', async () => {
  const {
    setting,
    stores: [store],
  } = await replicas(1);
  if (store === undefined) throw new Error('no store');
  const [key] = await insertAll(store, [{}]);
  if (key === undefined) throw new Error('no key');
  const now = Date.now();
  const thisHour = now - (now % hourMs);
  const old = thisHour - usageRetentionMs - hourMs;
  await store.recordUsage([
    tally(key, { hour: old, allowed: 1 }),
    tally(key, { hour: thisHour, allowed: 2 }),
  ]);
  const window = (end: number) =>
    request({ spender: String(end), windowStart: end - 60_000, windowEnd: end, limit: 1 });
  const ends = [now - hourMs, now - 10_000, now + hourMs];
  for (const end of ends) await store.leaseUnits(window(end));
  const batches = setting.client.db().collection('usage_batches');
  await until(
    'both are added',
    async () => (await batches.countDocuments({ packed: { $exists: true } })) === 0,
  );
  await until('the new hour alone is there', async () => {
    const hours = await store.getUsage(key.id, 0);
    return hours.length === 1 && hours[0]?.allowed === 2;
  });
  expect(await store.getUsage(key.id, 0)).toMatchObject([{ allowed: 2 }]);
  const limits = setting.client.db().collection('limits');
  await until('the old window is gone', async () => (await limits.countDocuments()) === 2);
  // A replica whose clock is behind may still ask for the one that has just ended.
  const again = await Promise.all(ends.map((end) => store.leaseUnits(window(end))));
  expect(again.map(({ granted }) => granted)).toEqual([1, 0, 0]);
});

async function replicas(count: number) {
  const setting = await createSetting(inject('mongoUri'));
  const stores = Array.from({ length: count }, () => setting.store());
  await Promise.all(stores.map((store) => store.open()));
  return { setting, stores };
}
