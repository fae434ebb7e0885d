import fc from 'fast-check';
import { expect, it } from 'vitest';
import { DuplicateKey, type Store, StoreUnavailable } from '../../src/store/store.ts';
import { digestOf, keyRecord } from '../records.ts';
import type { CreateStore } from '../store-contract.ts';
import {
  anyKeyRecord,
  dayMs,
  expectSameKey,
  insertAll,
  listIds,
  nextId,
  opened,
  retentionMs,
  strangeTexts,
  testNow,
} from './setting.ts';

/** Opening, closing, finding, getting, inserting and settling. */
export function keyContract(createStore: CreateStore): void {
  it('gives a key back by its id and by its digest, as it was inserted', async () => {
    const { store } = await opened(createStore);
    await fc.assert(
      fc.asyncProperty(anyKeyRecord, async (record) => {
        // Whatever has ended long ago may be purged.
        await store.insertKey(record, 4e15);
        expectSameKey(await store.getKey(record.id), record);
        expectSameKey(await store.findKey([record.digest]), record);
        expectSameKey(await store.findKey([record.digest], 'check'), record);
      }),
      { numRuns: 60 },
    );
  });

  it('keeps every name, owner, permission and label to the letter', async () => {
    const { store } = await opened(createStore);
    const records = await insertAll(
      store,
      strangeTexts.map((strange) => ({
        name: strange,
        owner: strange,
        permissions: [strange, 'a'],
        labels: Object.fromEntries([[strange, strange]]),
      })),
    );
    for (const record of records) expectSameKey(await store.getKey(record.id), record);
  });

  it('finds the record whose digest is one of these', async () => {
    const { store } = await opened(createStore);
    const [key] = await insertAll(store, [{}, {}]);
    expect(await store.findKey([digestOf('other'), digestOf(key?.id ?? '')])).toMatchObject({ id: key?.id });
  });

  it('prefers the digest that is asked for first', async () => {
    const { store } = await opened(createStore);
    const [one, two] = await insertAll(store, [{}, {}]);
    const digests = [one?.id ?? '', two?.id ?? ''].map(digestOf);
    expect(await store.findKey(digests)).toMatchObject({ id: one?.id });
    expect(await store.findKey(digests.reverse())).toMatchObject({ id: two?.id });
  });

  it('finds nobody by a digest that nobody has, nor by none', async () => {
    const { store } = await opened(createStore);
    await insertAll(store, [{}]);
    expect(await store.findKey([digestOf('nobody')])).toBe(null);
    expect(await store.findKey([])).toBe(null);
    expect(await store.getKey(nextId())).toBe(null);
  });

  it('finds keys that are revoked, disabled or expired: what becomes of them is not its to say', async () => {
    const { store } = await opened(createStore);
    const ended = [{ revokedAt: testNow - 1 }, { disabledAt: testNow - 1 }, { expiresAt: testNow - 1 }];
    for (const key of await insertAll(store, ended)) expectSameKey(await store.findKey([key.digest]), key);
  });

  it('keeps what was inserted when it resolves, for whoever opens the data next', async () => {
    const { store, reopen } = await opened(createStore);
    const records = await insertAll(store, [{ labels: { team: 'a' } }, { expiresAt: testNow + dayMs }]);
    const another = await reopen();
    for (const record of records) expectSameKey(await another.getKey(record.id), record);
  });

  it('says when it was committed', async () => {
    const { store } = await opened(createStore);
    expect(await store.insertKey(keyRecord({ id: nextId() }), retentionMs)).toEqual({ at: testNow });
  });

  it('refuses an id that is taken with DuplicateKey, and keeps nothing of it', async () => {
    const { store } = await opened(createStore);
    const [key] = await insertAll(store, [{}]);
    const other = keyRecord({ ...key, digest: digestOf('other') });
    await expect(store.insertKey(other, retentionMs)).rejects.toThrow(DuplicateKey);
    expect(await store.findKey([other.digest])).toBe(null);
    expectSameKey(await store.getKey(other.id), keyRecord({ ...key }));
  });

  it('refuses a digest that is taken with DuplicateKey, and keeps nothing of it', async () => {
    const { store } = await opened(createStore);
    const [key] = await insertAll(store, [{}]);
    const other = keyRecord({ ...key, id: nextId() });
    await expect(store.insertKey(other, retentionMs)).rejects.toThrow(DuplicateKey);
    expect(await store.getKey(other.id)).toBe(null);
    expect(await listIds(store)).toEqual([key?.id]);
  });

  it('lets one of many that insert the same digest at once have it', async () => {
    const { store } = await opened(createStore);
    const digest = digestOf('wanted');
    const tries = Array.from({ length: 10 }, () =>
      store.insertKey(keyRecord({ id: nextId(), digest }), retentionMs),
    );
    const outcomes = await Promise.allSettled(tries);
    expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
    expect(await listIds(store)).toHaveLength(1);
  });

  it('rejects every call before it is opened and after it is closed with StoreUnavailable', async () => {
    const { store } = await createStore({ now: () => testNow });
    await expectUnavailable(store);
    await store.open();
    await store.close();
    await expectUnavailable(store);
  });

  it('may be closed twice', async () => {
    const { store } = await opened(createStore);
    await store.close();
    await store.close();
  });

  it('settles at once where no other replica is', async () => {
    const { store } = await opened(createStore);
    const commit = await store.insertKey(keyRecord({ id: nextId() }), retentionMs);
    expect(await store.settle(commit)).toEqual({ effectiveAt: testNow, unconfirmedReplicas: [] });
  });
}

async function expectUnavailable(store: Store): Promise<void> {
  const key = keyRecord({ id: nextId() });
  const calls = [
    () => store.findKey([key.digest]),
    () => store.getKey(key.id),
    () => store.listKeys({ now: testNow }, { before: null, size: 1 }),
    () => store.insertKey(key, retentionMs),
    () => store.insertFirstKey(key, retentionMs),
    () => store.replaceKey(key, 1, retentionMs),
    () => store.settle({ at: testNow }),
  ];
  for (const call of calls) await expect(call()).rejects.toThrow(StoreUnavailable);
  expect(store.feed.isFresh()).toBe(false);
}
