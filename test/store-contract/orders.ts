import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { KeyId, KeyRecord } from '../../src/keys/key.ts';
import { comparePlaces, type KeyOrder, type KeyPlace, keyOrders, placeOf } from '../../src/keys/key-order.ts';
import type { KeyFilter } from '../../src/store/records/key-filter.ts';
import type { Store } from '../../src/store/store.ts';
import type { CreateStore } from '../store-contract.ts';
import { insertAll, listIds, nextId, opened, testNow } from './setting.ts';
import { lastUsed } from './use/usage.ts';

const hourMs = 3_600_000;

/** Lists in other orders than the newest first, and filters by time. */
export function orderContract(createStore: CreateStore): void {
  it('lists keys in each order, those without a value last, page by page', async () => {
    const { store } = await opened(createStore);
    const times = fc.constantFrom(null, ...[1, 2, 3, 500, 501].map((hours) => testNow - hours * hourMs));
    const members = fc.record({
      ...{
        lastUsedAt: times,
        expiresAt: times,
        name: fc.constantFrom('b', 'A', 'a', 'Ä', 'Z', '\u{10400}', 'ﬁ'),
      },
      ...{ owner: fc.constantFrom('a', 'b', null), permissions: fc.subarray(['p']) },
    });
    const keys = await insertAll(store, fc.sample(members, 40));
    for (const filter of [{}, { owner: 'a' }, { permission: 'p' }, { expiresBefore: testNow }]) {
      for (const by of keyOrders) {
        for (const isDescending of [false, true]) {
          const order = { by, isDescending };
          const wanted = keys
            .filter((key) => keeps(filter, key))
            .map((key) => placeOf(key, order))
            .toSorted((one, other) => comparePlaces(order, one, other));
          const found = await listAll(store, filter, order, 7);
          expect([order, filter, found]).toEqual([order, filter, wanted.map(({ id }) => id)]);
        }
      }
    }
  });

  it('knows the last use to the second, however it was gathered', async () => {
    const { store } = await opened(createStore);
    const keys = await insertAll(store, Array(4).fill({}));
    const ids = keys.map(({ id }) => id);
    const use = (key: KeyId | undefined, at: number) => ({
      ...{
        key: key as KeyId,
        hour: at - (at % hourMs),
        allowed: 1,
        denied: {},
        observed: {},
        lastUsedAt: at,
        addresses: [],
      },
    });
    const at = testNow - 3 * hourMs;
    await store.recordUsage([use(ids[0], at), use(ids[1], at + 1_000), use(ids[2], at + hourMs)]);
    await store.recordUsage([use(ids[0], at + 5_000)]);
    for (const [place, last] of [at + 5_000, at + 1_000, at + hourMs].entries())
      await lastUsed(store, keys[place] as KeyRecord, last);
    const order = { by: 'last_used_at', isDescending: true } as const;
    expect(await listAll(store, {}, order, 1)).toEqual([ids[2], ids[0], ids[1], ids[3]]);
    expect(await listAll(store, {}, { ...order, isDescending: false }, 1)).toEqual([
      ids[1],
      ids[0],
      ids[2],
      ids[3],
    ]);
    expect(await listIds(store, { unusedSince: at + 5_000 })).toEqual([ids[1]]);
    expect(await listIds(store, { unusedSince: at + 5_001 })).toEqual([ids[1], ids[0]]);
  });

  it('finds keys that were not used since a time: last used before it, or never and made before it', async () => {
    const { store } = await opened(createStore);
    const [never, before, after] = await insertAll(store, [
      { lastUsedAt: null },
      { lastUsedAt: testNow - 2 },
      { lastUsedAt: testNow },
    ]);
    expect(await listIds(store, { unusedSince: testNow })).toEqual([before?.id]);
    expect(await listIds(store, { unusedSince: testNow + 1 })).toEqual([after?.id, before?.id, never?.id]);
    expect(await listIds(store, { unusedSince: testNow - 2 })).toEqual([]);
    expect(await listIds(store, { unusedSince: testNow + 1, owner: 'acme' })).toEqual([]);
  });

  it('finds keys that end before a time, those that have ended too', async () => {
    const { store } = await opened(createStore);
    const [ended, ending] = await insertAll(store, [
      { expiresAt: testNow - 1 },
      { expiresAt: testNow + 1, revokedAt: testNow },
      { expiresAt: null },
      { expiresAt: testNow + 2 },
    ]);
    expect(await listIds(store, { expiresBefore: testNow + 2 })).toEqual([ending?.id, ended?.id]);
    expect(await listIds(store, { expiresBefore: testNow + 2, state: 'expired' })).toEqual([ended?.id]);
    expect(await listIds(store, { expiresBefore: testNow - 1 })).toEqual([]);
  });

  it('goes on behind a place whose key is gone', async () => {
    const { store } = await opened(createStore);
    const [, second] = await insertAll(store, [{ name: 'a' }, { name: 'c' }]);
    const after = { value: 'b', id: nextId() };
    const order = { by: 'name', isDescending: false } as const;
    const page = await store.listKeysInOrder({ now: testNow }, order, { after, size: 5 });
    expect(page.map(({ id }) => id)).toEqual([second?.id]);
  });
}

function keeps(filter: Partial<KeyFilter>, key: KeyRecord): boolean {
  return (
    (filter.owner === undefined || key.owner === filter.owner) &&
    (filter.permission === undefined || key.permissions.includes(filter.permission)) &&
    (filter.expiresBefore === undefined || (key.expiresAt !== null && key.expiresAt < filter.expiresBefore))
  );
}

async function listAll(
  store: Store,
  filter: Partial<KeyFilter>,
  order: KeyOrder,
  size: number,
): Promise<KeyId[]> {
  const ids: KeyId[] = [];
  for (let after: KeyPlace | null = null; ; ) {
    const page: KeyRecord[] = await store.listKeysInOrder({ ...filter, now: testNow }, order, {
      after,
      size,
    });
    ids.push(...page.map(({ id }) => id));
    const last = page.at(-1);
    if (last === undefined || page.length < size) return ids;
    after = placeOf(last, order);
  }
}
