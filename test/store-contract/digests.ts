import { expect, it } from 'vitest';
import type { KeyRecord } from '../../src/keys/key.ts';
import { createDigester, type Digest } from '../../src/keys/secret.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { digestOf, keyRecord } from '../records.ts';
import type { CreateStore } from '../store-contract.ts';
import { expectSameKey, insertAll, nextId, opened, retentionMs, testNow } from './setting.ts';

/** Digests of the same secrets under other peppers. */
export function digestContract(createStore: CreateStore): void {
  it('gives a key another digest, and leaves all else of it, its version too', async () => {
    const { store, reopen } = await opened(createStore);
    const [key = keyRecord()] = await insertAll(store, [{ lastUsedAt: testNow }]);
    const to = peppered('p1', key);
    await store.replaceDigests([{ id: key.id, from: key.digest, to }]);
    expectSameKey(await store.findKey([to]), { ...key, digest: to });
    expect(await store.findKey([key.digest])).toBe(null);
    expectSameKey(await (await reopen()).getKey(key.id), { ...key, digest: to });
  });

  it('changes no key that has another digest than the one named, and makes none', async () => {
    const { store } = await opened(createStore);
    const [key = keyRecord()] = await insertAll(store, [{}]);
    const gone = nextId();
    await store.replaceDigests([
      { id: key.id, from: digestOf('other'), to: peppered('p1', key) },
      { id: gone, from: digestOf(gone), to: peppered('p1', { id: gone }) },
    ]);
    expectSameKey(await store.getKey(key.id), key);
    expect(await store.getKey(gone)).toBe(null);
  });

  it('leaves what cannot be changed, since another key has the digest, and changes the others', async () => {
    const { store } = await opened(createStore);
    const [one = keyRecord(), two = keyRecord(), three = keyRecord()] = await insertAll(store, [{}, {}, {}]);
    const changes = [
      { id: one.id, from: one.digest, to: peppered('p1', one) },
      { id: two.id, from: two.digest, to: three.digest },
      { id: three.id, from: three.digest, to: peppered('p1', three) },
    ];
    await store.replaceDigests(changes);
    expect((await store.getKey(one.id))?.digest).toBe(peppered('p1', one));
    expectSameKey(await store.getKey(two.id), two);
    expect((await store.getKey(three.id))?.digest).toBe(peppered('p1', three));
  });

  it('is not undone by a change of the key that was read before it', async () => {
    const { store } = await opened(createStore);
    const [key = keyRecord()] = await insertAll(store, [{}]);
    const to = peppered('p1', key);
    await store.replaceDigests([{ id: key.id, from: key.digest, to }]);
    const changed = { ...key, name: 'Another', version: 2 };
    expect(await store.replaceKey(changed, 1, retentionMs)).not.toBe(null);
    expectSameKey(await store.findKey([to]), { ...changed, digest: to });
  });

  it('frees the digest that the key had', async () => {
    const { store } = await opened(createStore);
    const [key = keyRecord()] = await insertAll(store, [{}]);
    await store.replaceDigests([{ id: key.id, from: key.digest, to: peppered('p1', key) }]);
    await insertAll(store, [{ digest: key.digest }]);
    expect((await store.findKey([key.digest]))?.id).not.toBe(key.id);
  });

  it('has told the subscriber of each key whose digest changed', async () => {
    const { store } = await createStore({ now: () => testNow });
    const told = new Set<string>();
    store.feed.subscribe({
      onChange: (id) => told.add(id),
      onRoleChange() {},
      onOwnerChange() {},
      onGap() {},
    });
    await store.open();
    const [key = keyRecord()] = await insertAll(store, [{}]);
    told.clear();
    await store.replaceDigests([{ id: key.id, from: key.digest, to: peppered('p1', key) }]);
    expect(told).toContain(key.id);
  });

  it('changes nothing when there is nothing to change', async () => {
    const { store } = await opened(createStore);
    await store.replaceDigests([]);
    expect(await store.countDigests()).toEqual(new Map());
  });

  it('counts the keys under each pepper, and under none by the empty string', async () => {
    const { store } = await opened(createStore);
    const keys = await insertAll(store, Array(7).fill({}));
    expect(await store.countDigests()).toEqual(new Map([['', 7]]));
    await store.replaceDigests(
      keys.slice(0, 6).map((key, place) => ({
        id: key.id,
        from: key.digest,
        to: peppered(['2026', '2026-b', 'p'][Math.min(place % 4, 2)] ?? '', key),
      })),
    );
    const counts = new Map([
      ['', 1],
      ['2026', 2],
      ['2026-b', 2],
      ['p', 2],
    ]);
    expect(await store.countDigests()).toEqual(counts);
  });

  it('counts the keys in each state, as a Check would judge them at that time', async () => {
    const { store } = await opened(createStore);
    expect(await store.countKeys(testNow)).toEqual({ active: 0, disabled: 0, revoked: 0, expired: 0 });
    await insertAll(store, [
      {},
      { expiresAt: testNow + 1 },
      { expiresAt: testNow },
      { disabledAt: testNow, expiresAt: testNow - 1 },
      { disabledAt: testNow },
      { disabledAt: testNow, revokedAt: testNow, expiresAt: testNow - 1 },
    ]);
    expect(await store.countKeys(testNow)).toEqual({ active: 2, disabled: 2, revoked: 1, expired: 1 });
    expect(await store.countKeys(testNow + 1)).toEqual({ active: 1, disabled: 2, revoked: 1, expired: 2 });
  });

  it('says which of the digests keys have', async () => {
    const { store } = await opened(createStore);
    const [one = keyRecord(), two = keyRecord()] = await insertAll(store, [{}, { revokedAt: testNow }, {}]);
    const to = peppered('p1', two);
    await store.replaceDigests([{ id: two.id, from: two.digest, to }]);
    const asked = [digestOf('nobody'), one.digest, two.digest, to, one.digest];
    expect(await store.findDigests(asked)).toEqual(new Set([one.digest, to]));
    expect(await store.findDigests([])).toEqual(new Set());
  });

  it('rejects every call about digests while it is not open with StoreUnavailable', async () => {
    const { store } = await createStore({ now: () => testNow });
    await expect(store.replaceDigests([])).rejects.toThrow(StoreUnavailable);
    await expect(store.findDigests([digestOf('nobody')])).rejects.toThrow(StoreUnavailable);
    await expect(store.countDigests()).rejects.toThrow(StoreUnavailable);
    await expect(store.countKeys(testNow)).rejects.toThrow(StoreUnavailable);
    await expect(store.listReplicas()).rejects.toThrow(StoreUnavailable);
  });
}

function peppered(id: string, key: Pick<KeyRecord, 'id'>): Digest {
  return createDigester([{ id, key: Buffer.alloc(32, id) }]).sign(key.id);
}
