import fc from 'fast-check';
import { expect, it } from 'vitest';
import { keyRecord } from '../records.ts';
import type { CreateStore } from '../store-contract.ts';
import {
  anyKeyRecord,
  expectSameKey,
  insertAll,
  journalDraft,
  listChain,
  listIds,
  nextId,
  opened,
  retentionMs,
  testNow,
} from './setting.ts';

/** Replacing one version with the next. */
export function replaceContract(createStore: CreateStore): void {
  it('replaces many, each with its entry, and leaves those of another version', async () => {
    const { store } = await opened(createStore);
    const keys = await insertAll(store, Array(3).fill({ name: 'before' }));
    const changes = keys.map((key, place) => ({
      record: { ...key, name: `after ${place}`, revokedAt: testNow, version: 2 },
      ifVersion: place === 1 ? 7 : 1,
      draft: journalDraft({ action: 'RevokeKeys', target: key.id }),
    }));
    expect(await store.replaceKeys(changes, retentionMs)).toEqual([true, false, true]);
    const names = await Promise.all(keys.map(async ({ id }) => (await store.getKey(id))?.name));
    expect(names).toEqual(['after 0', 'before', 'after 2']);
    const entries = await listChain(store);
    expect(entries.map(({ target }) => target).toSorted()).toEqual([keys[0]?.id, keys[2]?.id]);
    expect(await store.replaceKeys([], retentionMs)).toEqual([]);
  });

  it('replaces every member but lastUsedAt and digest, which stay as the store has them', async () => {
    const { store } = await opened(createStore);
    await fc.assert(
      fc.asyncProperty(anyKeyRecord, anyKeyRecord, async (first, second) => {
        const next = { ...second, id: first.id };
        await store.insertKey(first, 4e15);
        expect(await store.replaceKey(next, first.version, 4e15)).toEqual({ at: testNow });
        const { lastUsedAt, digest } = first;
        expectSameKey(await store.getKey(first.id), { ...next, lastUsedAt, digest });
        expectSameKey(await store.findKey([digest]), { ...next, lastUsedAt, digest });
        expect(await store.findKey([next.digest])).toBe(null);
      }),
      { numRuns: 30 },
    );
  });

  it('keeps what was replaced when it resolves, for whoever opens the data next', async () => {
    const { store, reopen } = await opened(createStore);
    const [key] = await insertAll(store, [{}]);
    const revoked = keyRecord({ ...key, revokedAt: testNow, version: 2 });
    await store.replaceKey(revoked, 1, retentionMs);
    expectSameKey(await (await reopen()).getKey(revoked.id), revoked);
  });

  it('says null, and changes nothing, if the version is not that one', async () => {
    const { store } = await opened(createStore);
    const [key] = await insertAll(store, [{ version: 3 }]);
    const next = keyRecord({ ...key, name: 'Another', version: 4 });
    expect(await store.replaceKey(next, 2, retentionMs)).toBe(null);
    expect(await store.replaceKey(next, 4, retentionMs)).toBe(null);
    expectSameKey(await store.getKey(next.id), keyRecord({ ...key }));
  });

  it('says null, and makes nothing, if there is no such key', async () => {
    const { store } = await opened(createStore);
    expect(await store.replaceKey(keyRecord({ id: nextId() }), 1, retentionMs)).toBe(null);
    expect(await listIds(store)).toEqual([]);
  });

  it('lets exactly one of many that replace the same version at once win', async () => {
    const { store } = await opened(createStore);
    const [key] = await insertAll(store, [{}]);
    const names = Array.from({ length: 20 }, (_, index) => `name ${index}`);
    const commits = await Promise.all(
      names.map((name) => store.replaceKey(keyRecord({ ...key, name, version: 2 }), 1, retentionMs)),
    );
    const winners = names.filter((_, index) => commits[index] !== null);
    expect(winners).toHaveLength(1);
    expect(await store.getKey(keyRecord({ ...key }).id)).toMatchObject({ name: winners[0], version: 2 });
  });

  it('leaves the digest alone, also where another key has the one given', async () => {
    const { store } = await opened(createStore);
    const [one, two] = await insertAll(store, [{}, {}]);
    const next = keyRecord({ ...one, digest: keyRecord({ ...two }).digest, version: 2 });
    expect(await store.replaceKey(next, 1, retentionMs)).toEqual({ at: testNow });
    expectSameKey(await store.getKey(next.id), keyRecord({ ...one, version: 2 }));
  });
}
