import { expect, it } from 'vitest';
import type { KeyRecord } from '../../src/keys/key.ts';
import { DuplicateKey, type Store } from '../../src/store/store.ts';
import { keyRecord } from '../records.ts';
import type { CreateStore } from '../store-contract.ts';
import { insertAll, listIds, nextId, opened, retentionMs } from './setting.ts';

/** The key that a store gets when it has never had one. */
export function firstKeyContract(createStore: CreateStore): void {
  it('inserts a first key once, however many try at once', async () => {
    const { store } = await opened(createStore);
    const records = Array.from({ length: 20 }, () => keyRecord({ id: nextId() }));
    expect(await storedFirst(store, records)).toEqual(await listIds(store));
    expect(await listIds(store)).toHaveLength(1);
  });

  it('says it once of one record, however often it is given', async () => {
    const { store } = await opened(createStore);
    const record = keyRecord({ id: nextId() });
    expect(await storedFirst(store, Array<KeyRecord>(20).fill(record))).toEqual([record.id]);
  });

  it('inserts no other first key for whoever opens the data next', async () => {
    const { store, reopen } = await opened(createStore);
    expect(await store.insertFirstKey(keyRecord({ id: nextId() }), retentionMs)).toBe(true);
    const another = await reopen();
    expect(await another.insertFirstKey(keyRecord({ id: nextId() }), retentionMs)).toBe(false);
    expect(await listIds(another)).toHaveLength(1);
  });

  it('does not take a key that was inserted otherwise for the first', async () => {
    const { store } = await opened(createStore);
    await insertAll(store, [{}, {}]);
    expect(await store.insertFirstKey(keyRecord({ id: nextId() }), retentionMs)).toBe(true);
    expect(await listIds(store)).toHaveLength(3);
  });

  it('may still insert a first key after one was refused with DuplicateKey', async () => {
    const { store } = await opened(createStore);
    const [key] = await insertAll(store, [{}]);
    const taken = keyRecord({ ...key, id: nextId() });
    await expect(store.insertFirstKey(taken, retentionMs)).rejects.toThrow(DuplicateKey);
    expect(await store.insertFirstKey(keyRecord({ id: nextId() }), retentionMs)).toBe(true);
  });
}

/** Gives all of them at once, and says for which the store said yes. */
async function storedFirst(store: Store, records: readonly KeyRecord[]): Promise<string[]> {
  const answers = await Promise.all(records.map((record) => store.insertFirstKey(record, retentionMs)));
  return records.filter((_, index) => answers[index]).map((record) => record.id);
}
