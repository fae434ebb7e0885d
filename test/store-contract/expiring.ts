import { expect, it } from 'vitest';
import type { ExpiryRange } from '../../src/journal/journal-store.ts';
import type { KeyRecord } from '../../src/keys/key.ts';
import { type Store, StoreUnavailable } from '../../src/store/store.ts';
import type { CreateStore } from '../store-contract.ts';
import { dayMs, expectSameKey, insertAll, opened, testNow } from './setting.ts';

/** Keys that are about to end. */
export function expiryContract(createStore: CreateStore): void {
  it('lists keys that end after one time and up to another, by their end and then their id', async () => {
    const { store } = await opened(createStore);
    const ends = [3, 1, 0, null, 2, 1, 4, -1, 2].map((days) => days && testNow + days * dayMs);
    const keys = await insertAll(
      store,
      ends.map((expiresAt, place) => ({ expiresAt: place === 2 ? testNow : expiresAt })),
    );
    const range = { after: testNow, until: testNow + 3 * dayMs };
    const found = await store.listExpiring(range, 100);
    expect(placesOf(found, keys)).toEqual([1, 5, 4, 8, 0]);
    for (const key of found) expectSameKey(key, keys.find(({ id }) => id === key.id) ?? key);
    expect(placesOf(await store.listExpiring({ after: testNow - 1, until: testNow }, 100), keys)).toEqual([
      2,
    ]);
    expect(await store.listExpiring({ after: testNow + 4 * dayMs, until: testNow + 9 * dayMs }, 100)).toEqual(
      [],
    );
  });

  it('leaves out keys that are revoked, and keeps those that are disabled', async () => {
    const { store } = await opened(createStore);
    const expiresAt = testNow + dayMs;
    const keys = await insertAll(store, [
      { expiresAt, revokedAt: testNow },
      { expiresAt, disabledAt: testNow },
    ]);
    expect(placesOf(await store.listExpiring({ after: testNow, until: expiresAt }, 100), keys)).toEqual([1]);
  });

  it('goes on after the key that was the last of a page, those that end at the same time too', async () => {
    const { store } = await opened(createStore);
    const ends = [1, 2, 2, 2, 2, 3, 3, 4].map((days) => ({ expiresAt: testNow + days * dayMs }));
    const keys = await insertAll(store, ends);
    for (const size of [1, 2, 3, 8]) {
      expect(placesOf(await allPages(store, size), keys)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    }
  });

  it('rejects listing what expires while it is not open with StoreUnavailable', async () => {
    const { store } = await createStore({ now: () => testNow });
    const range = { after: 0, until: testNow };
    await expect(store.listExpiring(range, 1)).rejects.toThrow(StoreUnavailable);
  });
}

function placesOf(found: readonly KeyRecord[], keys: readonly KeyRecord[]): number[] {
  return found.map((key) => keys.findIndex(({ id }) => id === key.id));
}

async function allPages(store: Store, size: number): Promise<KeyRecord[]> {
  const found: KeyRecord[] = [];
  let range: ExpiryRange = { after: testNow, until: testNow + 9 * dayMs };
  for (;;) {
    const page = await store.listExpiring(range, size);
    found.push(...page);
    const last = page.at(-1);
    if (last === undefined || last.expiresAt === null || page.length < size) return found;
    range = { ...range, last: { id: last.id, expiresAt: last.expiresAt } };
  }
}
