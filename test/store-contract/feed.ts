import { expect, it } from 'vitest';
import type { Digest } from '../../src/keys/secret.ts';
import type { Store } from '../../src/store/store.ts';
import { keyRecord } from '../records.ts';
import type { CreateStore } from '../store-contract.ts';
import { nextId, retentionMs, testNow } from './setting.ts';

/** What a subscriber is told of this process's own changes. */
export function feedContract(createStore: CreateStore): void {
  it('has told the subscriber of a new key, with its digest, when its promise resolves', async () => {
    const { store, told } = await subscribed(createStore);
    const key = keyRecord({ id: nextId() });
    await store.insertKey(key, retentionMs);
    expect(told.get(key.id)).toContain(key.digest);
    const first = keyRecord({ id: nextId() });
    await store.insertFirstKey(first, retentionMs);
    expect(told.get(first.id)).toContain(first.digest);
  });

  it('has told the subscriber of a changed key when its promise resolves', async () => {
    const { store, told } = await subscribed(createStore);
    const key = keyRecord({ id: nextId() });
    await store.insertKey(key, retentionMs);
    told.clear();
    await store.replaceKey({ ...key, disabledAt: testNow, version: 2 }, 1, retentionMs);
    expect(told.has(key.id)).toBe(true);
  });

  it('has a new key that nobody has heard of, and tells the subscriber of its changes', async () => {
    const { store, told } = await subscribed(createStore);
    const key = keyRecord({ id: nextId() });
    await store.insertKey(key, retentionMs, undefined, true);
    expect(await store.findKey([key.digest])).toEqual(key);
    told.clear();
    await store.replaceKey({ ...key, disabledAt: testNow, version: 2 }, 1, retentionMs);
    expect(told.has(key.id)).toBe(true);
  });

  it('lets memory answer while it is open, and not after', async () => {
    const { store } = await subscribed(createStore);
    expect(store.feed.isFresh()).toBe(true);
    await store.close();
    expect(store.feed.isFresh()).toBe(false);
  });
}

async function subscribed(
  createStore: CreateStore,
): Promise<{ store: Store; told: Map<string, (Digest | null)[]> }> {
  const { store } = await createStore({ now: () => testNow });
  const told = new Map<string, (Digest | null)[]>();
  store.feed.subscribe({
    onChange: (id, digest) => told.set(id, [...(told.get(id) ?? []), digest]),
    onRoleChange() {},
    onOwnerChange() {},
    onGap() {},
  });
  await store.open();
  return { store, told };
}
