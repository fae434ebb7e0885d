import { expect, it } from 'vitest';
import type { KeyRecord } from '../../../src/keys/key.ts';
import { type Store, StoreUnavailable } from '../../../src/store/store.ts';
import { addressesMax, type UsageTally } from '../../../src/store/usage/usage-tally.ts';
import { until } from '../../real/until.ts';
import type { CreateStore } from '../../store-contract.ts';
import { insertAll, nextId, opened, retentionMs, testNow } from '../setting.ts';

const hourMs = 3_600_000;

/** What keys were used for. */
export function usageContract(createStore: CreateStore): void {
  it('adds up what is recorded of a key in an hour, reason by reason', async () => {
    const { store, key } = await withKey(createStore);
    await store.recordUsage([
      tally(key, { allowed: 2, denied: { rate_limited: 1 }, observed: { expired: 2 } }),
    ]);
    await store.recordUsage([
      tally(key, { denied: { rate_limited: 4, expired: 1 }, observed: { expired: 1, missing: 1 } }),
    ]);
    await store.recordUsage([tally(key, { allowed: 3 })]);
    await counted(store, key, 5);
    expect(await store.getUsage(key.id, testNow)).toEqual([
      tally(key, {
        ...{ allowed: 5, denied: { rate_limited: 5, expired: 1 } },
        observed: { expired: 3, missing: 1 },
      }),
    ]);
  });

  it('adds up what is recorded one after another, from known addresses and new ones, allowed and denied', async () => {
    const { store, key } = await withKey(createStore);
    const [one, other] = [{ addresses: ['203.0.113.1'] }, { addresses: ['203.0.113.2'] }];
    const parts: Partial<UsageTally>[] = [
      { denied: { revoked: 1 }, ...one },
      { denied: { revoked: 2 }, ...one },
      { denied: { expired: 3 }, ...one },
      { denied: { revoked: 1 }, ...other },
      { denied: { revoked: 1 } },
      { allowed: 1, lastUsedAt: testNow + 5, ...one },
      { denied: { revoked: 1 }, ...one },
      { allowed: 2, lastUsedAt: testNow + 3, ...one },
      { denied: { revoked: 1, expired: 1 }, ...one },
      {
        ...{ allowed: 1, denied: { revoked: 1 }, observed: { missing: 1 } },
        ...{ lastUsedAt: testNow + 9, ...other },
      },
    ];
    for (const part of parts) await store.recordUsage([tally(key, part)]);
    await counted(store, key, 4);
    await lastUsed(store, key, testNow + 9);
    const [sum] = await store.getUsage(key.id, testNow);
    expect({ ...sum, addresses: sum?.addresses.toSorted() }).toEqual(
      tally(key, {
        ...{ allowed: 4, denied: { revoked: 8, expired: 4 }, observed: { missing: 1 } },
        ...{ lastUsedAt: testNow + 9, addresses: [...one.addresses, ...other.addresses] },
      }),
    );
  });

  it('loses none of what many record at once', async () => {
    const { store, key } = await withKey(createStore);
    const some = tally(key, { allowed: 1, denied: { revoked: 2 }, lastUsedAt: testNow });
    await Promise.all(Array.from({ length: 40 }, () => store.recordUsage([some])));
    await counted(store, key, 40);
    const [sum] = await store.getUsage(key.id, testNow);
    expect(sum).toMatchObject({ allowed: 40, denied: { revoked: 80 } });
  });

  it('keeps hours apart, gives them oldest first, from the one that holds the time asked for', async () => {
    const { store, key } = await withKey(createStore);
    const hours = [3, 0, 2, 1].map((hour) => testNow + hour * hourMs);
    await store.recordUsage(hours.map((hour, index) => tally(key, { hour, allowed: index + 1 })));
    await counted(store, key, 10);
    const allowedSince = async (since: number) =>
      (await store.getUsage(key.id, since)).map(({ hour, allowed }) => [(hour - testNow) / hourMs, allowed]);
    const all = [
      [0, 2],
      [1, 4],
      [2, 3],
      [3, 1],
    ];
    expect(await allowedSince(0)).toEqual(all);
    expect(await allowedSince(testNow)).toEqual(all);
    expect(await allowedSince(testNow + hourMs - 1)).toEqual(all);
    expect(await allowedSince(testNow + hourMs)).toEqual(all.slice(1));
    expect(await allowedSince(testNow + 4 * hourMs)).toEqual([]);
  });

  it('keeps keys apart, one whose id begins like that of another too', async () => {
    const { store, key } = await withKey(createStore);
    const [other] = await insertAll(store, [{}]);
    if (other === undefined) throw new Error('no key');
    await store.recordUsage([tally(key, { allowed: 1 }), tally(other, { allowed: 2 })]);
    await counted(store, other, 2);
    await counted(store, key, 1);
    expect(await store.getUsage(key.id, 0)).toEqual([tally(key, { allowed: 1 })]);
    expect(await store.getUsage(other.id, 0)).toEqual([tally(other, { allowed: 2 })]);
    expect(await store.getUsage(key.id.slice(0, -1) as typeof key.id, 0)).toEqual([]);
    expect(await store.getUsage(nextId(), 0)).toEqual([]);
  });

  it('keeps addresses of every record, each once, and no more than a bounded sample of them', async () => {
    const { store, key } = await withKey(createStore);
    let records = 0;
    const record = async (addresses: string[]) => {
      await store.recordUsage([tally(key, { allowed: 1, addresses })]);
      await counted(store, key, ++records);
    };
    await record(['192.0.2.1', '2001:db8::1']);
    await record(['$allowed', '192.0.2.1']);
    const addresses = async () => (await store.getUsage(key.id, 0))[0]?.addresses ?? [];
    expect((await addresses()).toSorted()).toEqual(['$allowed', '192.0.2.1', '2001:db8::1']);
    for (let block = 0; block < 3; block++) {
      await record(Array.from({ length: addressesMax }, (_, index) => `198.51.${block}.${index}`));
    }
    expect(await addresses()).toHaveLength(addressesMax);
    expect(new Set(await addresses()).size).toBe(addressesMax);
  });

  it('moves the last use of a key on, never back, and leaves all else of the key as it is', async () => {
    const { store, key } = await withKey(createStore);
    let records = 0;
    const record = async (lastUsedAt: number | null) => {
      await store.recordUsage([tally(key, { allowed: 1, lastUsedAt })]);
      await counted(store, key, ++records);
    };
    await record(null);
    expect(await store.getKey(key.id)).toEqual(key);
    for (const [at, latest] of [
      [testNow + 5, testNow + 5],
      [testNow + 3, testNow + 5],
      [null, testNow + 5],
      [testNow + 9, testNow + 9],
    ] as const) {
      await record(at);
      await lastUsed(store, key, latest);
      expect(await store.getKey(key.id)).toEqual({ ...key, lastUsedAt: latest });
      expect((await store.getUsage(key.id, 0))[0]?.lastUsedAt).toBe(latest);
    }
    expect((await store.findKey([key.digest]))?.lastUsedAt).toBe(testNow + 9);
    // A Check needs it least: by an hour at the most.
    const { lastUsedAt, ...checked } = (await store.findKey([key.digest], 'check')) ?? {};
    expect({ ...checked, lastUsedAt: null }).toEqual({ ...key, lastUsedAt: null });
    expect(testNow + 9 - Number(lastUsedAt)).toBeLessThan(3_600_000);
  });

  it('keeps the last use through a change of the key, and a change through a last use', async () => {
    const { store, key } = await withKey(createStore);
    await store.recordUsage([tally(key, { allowed: 1, lastUsedAt: testNow + 1 })]);
    await lastUsed(store, key, testNow + 1);
    const changed = { ...key, name: 'Another name', version: 2 };
    await store.replaceKey(changed, 1, retentionMs);
    await store.recordUsage([tally(key, { allowed: 1, lastUsedAt: testNow + 2 })]);
    await lastUsed(store, key, testNow + 2);
    expect(await store.getKey(key.id)).toEqual({ ...changed, lastUsedAt: testNow + 2 });
    const again = { ...changed, disabledAt: testNow, version: 3 };
    expect(await store.replaceKey(again, 2, retentionMs)).not.toBe(null);
  });

  it('does not tell the subscriber of a use: memory keeps what it knows', async () => {
    const { store } = await createStore({ now: () => testNow });
    const told: string[] = [];
    store.feed.subscribe({
      onChange: (id) => told.push(id),
      onRoleChange() {},
      onOwnerChange() {},
      onGap() {},
    });
    await store.open();
    const [key] = await insertAll(store, [{}]);
    if (key === undefined) throw new Error('no key');
    for (let use = 0; use < 20; use++) {
      await store.recordUsage([tally(key, { allowed: 1, lastUsedAt: testNow + use })]);
    }
    await lastUsed(store, key, testNow + 19);
    // Of its making it is told here, and once more where a feed brings it back.
    expect(told.filter((id) => id === key.id).length).toBeLessThanOrEqual(2);
  });

  it('records the use of a key that is gone, and makes no key of it', async () => {
    const { store } = await opened(createStore);
    const gone = { id: nextId() };
    await store.recordUsage([tally(gone, { denied: { revoked: 1 }, lastUsedAt: testNow })]);
    await until('its use is known', async () => (await store.getUsage(gone.id, 0)).length > 0);
    expect(await store.getKey(gone.id)).toBe(null);
    expect(await store.getUsage(gone.id, 0)).toHaveLength(1);
  });

  it('records nothing when there is nothing', async () => {
    const { store } = await opened(createStore);
    await store.recordUsage([]);
  });

  it('keeps what was recorded, for whoever opens the data next', async () => {
    const { store, key, reopen } = await withKey(createStore);
    const recorded = tally(key, { allowed: 1, addresses: ['192.0.2.1'], lastUsedAt: testNow });
    await store.recordUsage([recorded]);
    const another = await reopen();
    await counted(another, key, 1);
    expect(await another.getUsage(key.id, 0)).toEqual([recorded]);
  });

  it('rejects every call about use while it is not open with StoreUnavailable', async () => {
    const { store } = await createStore({ now: () => testNow });
    await expectUnavailable(store);
    await store.open();
    await store.close();
    await expectUnavailable(store);
  });
}

/** Until the store tells of so many requests that were allowed: use is known some time after it was recorded. */
async function counted(store: Store, { id }: Pick<KeyRecord, 'id'>, allowed: number): Promise<void> {
  await until('all use is known', async () => {
    const tallies = await store.getUsage(id, 0);
    return tallies.reduce((sum, one) => sum + one.allowed, 0) >= allowed;
  });
}

/** Until the store tells of this last use, or a later one. */
export async function lastUsed(store: Store, { id }: Pick<KeyRecord, 'id'>, at: number): Promise<void> {
  await until('the last use is known', async () => ((await store.getKey(id))?.lastUsedAt ?? 0) >= at);
  // Written after it.
  await until('its hour is known', async () =>
    (await store.getUsage(id, 0)).some(({ lastUsedAt }) => (lastUsedAt ?? 0) >= at),
  );
}

/** An hour in which nothing happened, apart from what is given. */
export function tally(key: Pick<KeyRecord, 'id'>, given: Partial<UsageTally> = {}): UsageTally {
  return {
    ...{ key: key.id, hour: testNow, allowed: 0, denied: {}, observed: {}, lastUsedAt: null, addresses: [] },
    ...given,
  };
}

async function withKey(createStore: CreateStore) {
  const { store, reopen } = await opened(createStore);
  const [key] = await insertAll(store, [{}]);
  if (key === undefined) throw new Error('no key');
  return { store, reopen, key };
}

async function expectUnavailable(store: Store): Promise<void> {
  await expect(store.recordUsage([tally({ id: nextId() })])).rejects.toThrow(StoreUnavailable);
  await expect(store.getUsage(nextId(), 0)).rejects.toThrow(StoreUnavailable);
}
