import { expect, it } from 'vitest';
import type { KeyRecord } from '../../src/keys/key.ts';
import { DuplicateKey, type Store, StoreUnavailable } from '../../src/store/store.ts';
import { digestOf, keyRecord } from '../records.ts';
import type { CreateStore } from '../store-contract.ts';
import {
  dayMs,
  expectSameKey,
  insertAll,
  journalDraft,
  listActions,
  listIds,
  nextId,
  opened,
  retentionMs,
  testNow,
} from './setting.ts';

/** Replacing a key by another one, both at once. */
export function rotateContract(createStore: CreateStore): void {
  it('writes the old key and the new one', async () => {
    const { store, reopen } = await opened(createStore);
    const { rotation } = await withRotation(store);
    expect(await store.rotateKey(rotation, retentionMs)).toEqual({ at: testNow });
    const another = await reopen();
    expectSameKey(await another.getKey(rotation.old.id), rotation.old);
    expectSameKey(await another.findKey([rotation.made.digest]), rotation.made);
  });

  it('leaves the digest of the old key and its last use as the store has them', async () => {
    const { store } = await opened(createStore);
    const { key, rotation } = await withRotation(store, { lastUsedAt: testNow - 5 });
    const old = { ...rotation.old, digest: digestOf('other'), lastUsedAt: null };
    await store.rotateKey({ ...rotation, old }, retentionMs);
    expectSameKey(await store.getKey(key.id), {
      ...rotation.old,
      digest: key.digest,
      lastUsedAt: key.lastUsedAt,
    });
  });

  it('says null, and changes nothing, if the version is not that one', async () => {
    const { store } = await opened(createStore);
    const { key, rotation } = await withRotation(store);
    const draft = journalDraft({ action: 'RotateKey' });
    expect(await store.rotateKey({ ...rotation, ifVersion: 2 }, retentionMs, draft)).toBe(null);
    expectSameKey(await store.getKey(key.id), key);
    expect(await listIds(store)).toEqual([key.id]);
    expect(await listActions(store)).toEqual([]);
  });

  it('says null, and makes nothing, if there is no such key', async () => {
    const { store } = await opened(createStore);
    const [old, made] = [keyRecord({ id: nextId() }), keyRecord({ id: nextId() })];
    expect(await store.rotateKey({ old, ifVersion: 1, made }, retentionMs)).toBe(null);
    expect(await listIds(store)).toEqual([]);
  });

  it('rejects with DuplicateKey, and changes nothing, if the id, digest or request of the new is taken', async () => {
    const { store } = await opened(createStore);
    const [other] = await insertAll(store, [{ requestKey: 'one' }]);
    const { key, rotation } = await withRotation(store);
    const draft = journalDraft({ action: 'RotateKey' });
    for (const member of ['id', 'digest', 'requestKey'] as const) {
      const made = keyRecord({ ...rotation.made, [member]: other?.[member] });
      const rotated = store.rotateKey({ ...rotation, made }, retentionMs, draft);
      await expect(rotated).rejects.toThrow(DuplicateKey);
      expectSameKey(await store.getKey(key.id), key);
      expectSameKey(await store.getKey(keyRecord({ ...other }).id), keyRecord({ ...other }));
    }
    expect(await listIds(store)).toEqual([key.id, other?.id]);
    expect(await listActions(store)).toEqual([]);
  });

  it('lets exactly one of many that rotate the same version at once win', async () => {
    const { store } = await opened(createStore);
    const { key, rotation } = await withRotation(store);
    const made = Array.from({ length: 10 }, () => keyRecord({ id: nextId(), rotatedFrom: key.id }));
    const commits = await Promise.all(
      made.map((one) =>
        store.rotateKey(
          { old: { ...rotation.old, rotatedTo: one.id }, ifVersion: 1, made: one },
          retentionMs,
          journalDraft({ action: 'RotateKey', target: one.id }),
        ),
      ),
    );
    const winners = made.filter((_, place) => commits[place] !== null).map(({ id }) => id);
    expect(winners).toHaveLength(1);
    expect(await listIds(store)).toEqual([winners[0], key.id].toSorted().reverse());
    expect((await store.getKey(key.id))?.rotatedTo).toBe(winners[0]);
    expect(await listActions(store)).toEqual(['RotateKey']);
  });

  it('has told the subscriber of both keys when its promise resolves', async () => {
    const { store } = await createStore({ now: () => testNow });
    const told = new Map<string, string | null>();
    store.feed.subscribe({
      onChange: (id, digest) => told.set(id, digest ?? told.get(id) ?? null),
      onRoleChange() {},
      onOwnerChange() {},
      onGap() {},
    });
    await store.open();
    const { key, rotation } = await withRotation(store);
    told.clear();
    await store.rotateKey(rotation, retentionMs);
    expect(told.has(key.id)).toBe(true);
    expect(told.get(rotation.made.id)).toBe(rotation.made.digest);
  });

  it('rejects rotating while it is not open with StoreUnavailable', async () => {
    const { store } = await createStore({ now: () => testNow });
    const [old, made] = [keyRecord({ id: nextId() }), keyRecord({ id: nextId() })];
    await expect(store.rotateKey({ old, ifVersion: 1, made }, retentionMs)).rejects.toThrow(StoreUnavailable);
  });
}

/** A key in the store, and what would rotate it. */
async function withRotation(store: Store, given: Partial<KeyRecord> = {}) {
  const [key = keyRecord()] = await insertAll(store, [given]);
  const made = keyRecord({ id: nextId(), rotatedFrom: key.id, spender: key.spender });
  const old = { ...key, rotatedTo: made.id, expiresAt: testNow + dayMs, version: 2 };
  return { key, rotation: { old, ifVersion: 1, made } };
}
