import { expect, it } from 'vitest';
import { DuplicateKey, StoreUnavailable } from '../../src/store/store.ts';
import { digestOf, keyRecord } from '../records.ts';
import type { CreateStore } from '../store-contract.ts';
import {
  expectSameKey,
  insertAll,
  listIds,
  nextId,
  opened,
  retentionMs,
  strangeTexts,
  testNow,
} from './setting.ts';

/** The names of requests that made keys. */
export function requestContract(createStore: CreateStore): void {
  it('gives the key that the request of that name made, for whoever opens the data next too', async () => {
    const { store, reopen } = await opened(createStore);
    const [key] = await insertAll(store, [{ requestKey: 'one' }, { requestKey: 'two' }, {}]);
    expectSameKey(await store.getKeyByRequest('one'), keyRecord({ ...key }));
    expectSameKey(await (await reopen()).getKeyByRequest('one'), keyRecord({ ...key }));
  });

  it('gives nobody by a name that no request had', async () => {
    const { store } = await opened(createStore);
    await insertAll(store, [{}, { requestKey: 'one' }]);
    for (const name of ['', 'on', 'One', 'null', '$exists']) {
      expect(await store.getKeyByRequest(name)).toBe(null);
    }
  });

  it('keeps every name to the letter', async () => {
    const { store } = await opened(createStore);
    const records = await insertAll(
      store,
      strangeTexts.map((requestKey) => ({ requestKey })),
    );
    for (const record of records) {
      expectSameKey(await store.getKeyByRequest(record.requestKey ?? 'none'), record);
    }
  });

  it('refuses a request that is taken with DuplicateKey, and keeps nothing of it', async () => {
    const { store } = await opened(createStore);
    const [key] = await insertAll(store, [{ requestKey: 'one' }]);
    const other = keyRecord({ id: nextId(), requestKey: 'one' });
    await expect(store.insertKey(other, retentionMs)).rejects.toThrow(DuplicateKey);
    expect(await store.getKey(other.id)).toBe(null);
    expect(await store.findKey([other.digest])).toBe(null);
    expectSameKey(await store.getKeyByRequest('one'), keyRecord({ ...key }));
  });

  it('lets any number of keys be of no request', async () => {
    const { store } = await opened(createStore);
    await insertAll(store, [{ requestKey: null }, { requestKey: null }, { requestKey: null }]);
    expect(await listIds(store)).toHaveLength(3);
  });

  it('lets one of many that insert for the same request at once have it, and shows that one to the others', async () => {
    const { store } = await opened(createStore);
    const records = Array.from({ length: 20 }, () => keyRecord({ id: nextId(), requestKey: 'one' }));
    const seen = await Promise.all(
      records.map(async (record) => {
        try {
          await store.insertKey(record, retentionMs);
          return record.id;
        } catch (error) {
          if (!(error instanceof DuplicateKey)) throw error;
          return (await store.getKeyByRequest('one'))?.id;
        }
      }),
    );
    expect(seen).toEqual(Array(20).fill((await listIds(store))[0]));
    expect(await listIds(store)).toHaveLength(1);
  });

  it('still gives a key by its request after it was revoked', async () => {
    const { store } = await opened(createStore);
    const [key] = await insertAll(store, [{ requestKey: 'one' }]);
    const revoked = keyRecord({ ...key, revokedAt: testNow, version: 2 });
    await store.replaceKey(revoked, 1, retentionMs);
    expectSameKey(await store.getKeyByRequest('one'), revoked);
  });

  it('refuses to give a key a request that another has with DuplicateKey, and changes nothing', async () => {
    const { store } = await opened(createStore);
    const [one] = await insertAll(store, [{ requestKey: 'one' }, { requestKey: 'two' }]);
    const taken = keyRecord({ ...one, digest: digestOf('other'), requestKey: 'two', version: 2 });
    await expect(store.replaceKey(taken, 1, retentionMs)).rejects.toThrow(DuplicateKey);
    expectSameKey(await store.getKey(taken.id), keyRecord({ ...one }));
  });

  it('rejects asking for a request with StoreUnavailable while it is not open', async () => {
    const { store } = await createStore({ now: () => testNow });
    await expect(store.getKeyByRequest('one')).rejects.toThrow(StoreUnavailable);
  });
}
