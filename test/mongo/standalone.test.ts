import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type Mongo, startStandalone } from '../real/mongod.ts';
import { keyRecord } from '../records.ts';
import { insertAll, listIds, nextId, retentionMs, testNow } from '../store-contract/setting.ts';
import { createSetting, listen } from './setting.ts';

let mongo: Mongo;

beforeAll(async () => {
  mongo = await startStandalone();
}, 60_000);
afterAll(() => mongo?.stop());

it('a standalone server serves every operation, from the store alone, and the operator is told so', async () => {
  const setting = await createSetting(mongo.uri);
  const onDegraded = vi.fn();
  const [one, two] = [setting.store({ onDegraded }), setting.store()];
  const told = listen(one);
  await Promise.all([one.open(), two.open()]);
  expect(onDegraded).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('standalone'));
  expect(onDegraded).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('rs.initiate()'));
  expect(one.feed.isFresh()).toBe(false);

  const [key] = await insertAll(one, [{}]);
  const { id, digest } = keyRecord({ ...key });
  expect(told.changes).toEqual([{ id, digest }]);
  expect(await two.findKey([digest])).toMatchObject({ version: 1 });
  const revoked = keyRecord({ ...key, revokedAt: testNow, version: 2 });
  const commit = await two.replaceKey(revoked, 1, retentionMs);
  expect(await one.findKey([digest])).toMatchObject({ revokedAt: testNow });
  const settled = await two.settle(commit ?? { at: 0 });
  expect(settled.unconfirmedReplicas).toEqual([]);
  expect(settled.effectiveAt).toBeLessThanOrEqual(Date.now());
});

it('a standalone server makes one first key, however many race', async () => {
  const setting = await createSetting(mongo.uri);
  const stores = [setting.store(), setting.store()];
  await Promise.all(stores.map((store) => store.open()));
  const tries = Array.from({ length: 20 }, (_, index) =>
    stores[index % 2]?.insertFirstKey(keyRecord({ id: nextId() }), retentionMs),
  );
  expect((await Promise.all(tries)).filter(Boolean)).toHaveLength(1);
  for (const store of stores) expect(await listIds(store)).toHaveLength(1);
});
