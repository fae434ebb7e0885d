import { expect, it } from 'vitest';
import type { KeyId } from '../../src/keys/key.ts';
import type { Store } from '../../src/store/store.ts';
import { hourMs } from '../../src/store/usage/usage-sums.ts';
import { testNow } from '../store-contract/setting.ts';
import { tally } from '../store-contract/use/usage.ts';
import { createStoreFile } from './setting.ts';

const [first, second] = ['key_a' as KeyId, 'key_b' as KeyId];

async function sums(store: Store, interval: 'day' | 'month' | 'all') {
  const found = await store.sumUsage({
    ...{ group: 'key', interval, since: testNow - 60 * 24 * hourMs, until: testNow + 24 * hourMs },
    ...{ owner: null, order: 'allowed', size: 10, after: null },
  });
  const byKey: Record<string, [number, number]> = {};
  for (const { group, allowed, denied } of found) {
    const [all, gone] = byKey[String(group)] ?? [0, 0];
    byKey[String(group)] = [all + allowed, gone + (denied.expired ?? 0)];
  }
  return byKey;
}

const used = (key: KeyId, hour: number, allowed: number, expired = 0) =>
  tally({ id: key }, { hour, allowed, denied: expired === 0 ? {} : { expired } });

it('counts use once in days and months, whether its hour was closed before it came, after it, or not yet', async () => {
  const file = createStoreFile();
  const hour = testNow - (testNow % hourMs);
  let now = testNow;
  const open = () => file.open({ now: () => now });
  let store = await open();
  const expected = async (counts: Record<string, [number, number]>) => {
    for (const interval of ['day', 'month', 'all'] as const)
      expect([interval, await sums(store, interval)]).toEqual([interval, counts]);
  };

  await store.recordUsage([used(first, hour - hourMs, 5, 1), used(second, hour, 7)]);
  await expected({ [first]: [5, 1], [second]: [7, 0] });

  // An opened store closes what is over: the first hour, and not the present one.
  store = await open();
  await expected({ [first]: [5, 1], [second]: [7, 0] });
  await store.recordUsage([used(first, hour - hourMs, 10, 2), used(second, hour - hourMs, 3)]);
  await store.recordUsage([used(first, hour, 100), used(second, hour, 1, 4)]);
  await expected({ [first]: [115, 3], [second]: [11, 4] });

  now = testNow + 2 * hourMs;
  store = await open();
  await expected({ [first]: [115, 3], [second]: [11, 4] });
  await store.recordUsage([used(first, hour, 1), used(second, hour + hourMs, 2)]);
  await expected({ [first]: [116, 3], [second]: [13, 4] });
  store = await open();
  await expected({ [first]: [116, 3], [second]: [13, 4] });
});

it('has all use in its months, however long no process was there to close the hours', async () => {
  const file = createStoreFile();
  const store = await file.open();
  const hour = testNow - (testNow % hourMs);
  await store.recordUsage([used(first, hour - hourMs, 5, 1), used(second, hour, 7)]);
  const later = await file.open({ now: () => hour + 100 * 24 * hourMs });
  expect(await later.getUsage(first, 0)).toEqual([]);
  expect(await sums(later, 'month')).toEqual({ [first]: [5, 1], [second]: [7, 0] });
});

it('writes nothing of days and months for a key that is used again within its hour', async () => {
  const file = createStoreFile();
  const store = await file.open();
  const hour = testNow - (testNow % hourMs);
  for (let flush = 0; flush < 3; flush++) await store.recordUsage([used(first, hour, 1)]);
  await file.tamper(`CREATE TABLE seen AS SELECT count(*) AS rows FROM usage_sums WHERE item = '${first}'`);
  await file.tamper(`CREATE TRIGGER none BEFORE INSERT ON usage_sums WHEN NEW.item LIKE 'key_%'
    BEGIN SELECT RAISE(ABORT, 'a sum of a key'); END`);
  const again = await file.open();
  await again.recordUsage([used(first, hour, 1)]);
  expect(await sums(again, 'month')).toEqual({ [first]: [4, 0] });
});
