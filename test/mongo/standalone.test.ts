import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { DuplicateKey } from '../../src/store/store.ts';
import { type Mongo, startStandalone } from '../real/mongod.ts';
import { until } from '../real/until.ts';
import { keyRecord, ownerRecord } from '../records.ts';
import {
  insertAll,
  journalDraft,
  listActions,
  listIds,
  nextId,
  retentionMs,
  testNow,
} from '../store-contract/setting.ts';
import { createSetting, listen } from './setting.ts';

let mongo: Mongo;

beforeAll(async () => {
  mongo = await startStandalone();
});
afterAll(() => mongo?.stop());

it('a standalone server serves every operation, from the store alone, and the operator is told so', async () => {
  const setting = await createSetting(mongo.uri, { fresh: true });
  const onDegraded = vi.fn();
  const [one, two] = [setting.store({ onDegraded }), setting.store()];
  const told = listen(one);
  await Promise.all([one.open(), two.open()]);
  expect(onDegraded).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('standalone'));
  expect(onDegraded).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('rs.initiate()'));
  expect(onDegraded).toHaveBeenCalledExactlyOnceWith(
    expect.stringContaining('an event of a change that did not happen'),
  );
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

it('a standalone server writes the journal before each change, and no entry of one that is refused', async () => {
  const setting = await createSetting(mongo.uri, { fresh: true });
  const stores = [setting.store(), setting.store()] as const;
  await Promise.all(stores.map((store) => store.open()));
  const [store] = stores;
  const keys = Array.from({ length: 6 }, () => keyRecord({ id: nextId() }));
  const [key = keyRecord(), made = keyRecord(), ...rest] = keys;
  const draft = (action: string) => journalDraft({ action, target: key.id });

  await store.insertKey(key, retentionMs, draft('insert'));
  await expect(store.insertKey(key, retentionMs, draft('refused'))).rejects.toThrow(DuplicateKey);
  expect(await store.replaceKey({ ...key, version: 3 }, 2, retentionMs, draft('refused'))).toBe(null);
  const rotation = { old: { ...key, rotatedTo: made.id, version: 2 }, made };
  expect(await store.rotateKey({ ...rotation, ifVersion: 5 }, retentionMs, draft('refused'))).toBe(null);
  expect(await store.rotateKey({ ...rotation, ifVersion: 1 }, retentionMs, draft('rotate'))).not.toBe(null);
  expect(await store.insertKeys([made, ...rest], retentionMs, () => draft('import'))).toEqual([0]);
  expect(await store.putOwner(ownerRecord(), 0, draft('put'))).not.toBe(null);
  expect(await store.putOwner(ownerRecord(), 0, draft('refused'))).toBe(null);
  const tries = stores.map((one) => one.insertFirstKey(keyRecord({ id: nextId() }), retentionMs));
  expect((await Promise.all(tries)).filter(Boolean)).toHaveLength(1);
  expect(await store.insertFirstKey(keyRecord({ id: nextId() }), retentionMs, draft('refused'))).toBe(false);

  expect(await listIds(store)).toHaveLength(keys.length + 1);
  expect(await store.getKey(key.id)).toMatchObject({ rotatedTo: made.id, version: 2 });
  expect(await listActions(store)).toEqual(['insert', 'rotate', 'import', 'put']);
});

it('a standalone server makes no change whose entry it cannot write, and may keep one of a change that failed', async () => {
  const setting = await createSetting(mongo.uri, { fresh: true });
  const store = setting.store();
  await store.open();
  const database = setting.client.db();
  await database.command({ collMod: 'journal', validator: { $expr: false } });
  const key = keyRecord({ id: nextId() });
  await expect(store.insertKey(key, retentionMs, journalDraft())).rejects.toThrow();
  expect(await listIds(store)).toEqual([]);
  await database.command({ collMod: 'journal', validator: {} });
  await database.command({ collMod: 'keys', validator: { $expr: false } });
  await expect(store.insertKey(key, retentionMs, journalDraft())).rejects.toThrow();
  expect(await listIds(store)).toEqual([]);
  expect(await listActions(store)).toEqual(['UpdateKey']);
});

it('a standalone server keeps one chain of what several write at once, and each entry once', async () => {
  const setting = await createSetting(mongo.uri, { fresh: true });
  const stores = Array.from({ length: 4 }, () => setting.store());
  await Promise.all(stores.map((store) => store.open()));
  const [store = setting.store()] = stores;
  await Promise.all(
    Array.from({ length: 40 }, (_, index) => {
      const once = index < 20 ? 'the same' : null;
      return stores[index % 4]?.appendJournal([journalDraft({ action: `${index}`, once })]);
    }),
  );
  expect(await listActions(store)).toHaveLength(21);
});

it('a standalone server goes on with the chain when every entry has passed its retention', async () => {
  const setting = await createSetting(mongo.uri, { fresh: true });
  const [store, keeper] = [setting.store({ journalRetentionMs: 1 }), setting.store()];
  await Promise.all([store.open(), keeper.open()]);
  await store.appendJournal([journalDraft()]);
  const entries = setting.client.db().collection('journal');
  await until('it is gone', async () => (await entries.countDocuments()) === 0);
  await keeper.appendJournal([journalDraft()]);
  const page = { order: 'newest', after: null, size: 10 } as const;
  expect(await keeper.listJournal({}, page)).toMatchObject([{ sequence: 2 }]);
});

it('a standalone server makes one first key, however many race', async () => {
  const setting = await createSetting(mongo.uri, { fresh: true });
  const stores = [setting.store(), setting.store()];
  await Promise.all(stores.map((store) => store.open()));
  const tries = Array.from({ length: 20 }, (_, index) =>
    stores[index % 2]?.insertFirstKey(keyRecord({ id: nextId() }), retentionMs),
  );
  expect((await Promise.all(tries)).filter(Boolean)).toHaveLength(1);
  for (const store of stores) expect(await listIds(store)).toHaveLength(1);
});
