import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { OwnerRecord } from '../../src/keys/owner.ts';
import { type Store, StoreUnavailable } from '../../src/store/store.ts';
import { ownerRecord } from '../records.ts';
import type { CreateStore } from '../store-contract.ts';
import { opened, strangeTexts, testNow } from './setting.ts';

/** Putting, getting and listing owners. */
export function ownerContract(createStore: CreateStore): void {
  it('gives an owner back as it was put', async () => {
    const { store } = await opened(createStore);
    await fc.assert(
      fc.asyncProperty(anyOwnerRecord, async (record) => {
        const before = await store.getOwner(record.id);
        expect(await store.putOwner(record, before?.version ?? 0)).toEqual({ at: testNow });
        expect(await store.getOwner(record.id)).toEqual(record);
      }),
      { numRuns: 100 },
    );
  });

  it('gives nobody for an owner that nobody has put', async () => {
    const { store } = await opened(createStore);
    await putAll(store, ['acme']);
    for (const id of ['', 'acm', 'Acme', 'acme ', '$ne']) expect(await store.getOwner(id)).toBe(null);
  });

  it('gives those of many owners that somebody has put', async () => {
    const { store } = await opened(createStore);
    await putAll(store, ['acme', 'b', 'other']);
    const found = await store.getOwners(['other', 'acme', 'nobody', '', '$ne']);
    expect(found.map(({ id }) => id).toSorted()).toEqual(['acme', 'other']);
    expect(found.find(({ id }) => id === 'acme')).toEqual(await store.getOwner('acme'));
    expect(await store.getOwners([])).toEqual([]);
  });

  it('keeps what was put when it resolves, for whoever opens the data next', async () => {
    const { store, reopen } = await opened(createStore);
    const first = ownerRecord({ plan: 'pro', activeUntil: testNow });
    const second = ownerRecord({ suspended: true, updatedAt: testNow, version: 2 });
    await store.putOwner(first, 0);
    const another = await reopen();
    expect(await another.getOwner('acme')).toEqual(first);
    await another.putOwner(second, 1);
    expect(await (await reopen()).getOwner('acme')).toEqual(second);
  });

  it('makes an owner once, however many put it as new at once', async () => {
    const { store } = await opened(createStore);
    expect(await winnersOf(store, 20, { version: 1 }, 0)).toEqual([(await store.getOwner('acme'))?.plan]);
    expect(await listIds(store)).toEqual(['acme']);
  });

  it('lets exactly one of many that replace the same version at once win', async () => {
    const { store } = await opened(createStore);
    await putAll(store, ['acme']);
    expect(await winnersOf(store, 20, { version: 2 }, 1)).toEqual([(await store.getOwner('acme'))?.plan]);
  });

  it('says null, and changes nothing, if the version is not that one', async () => {
    const { store } = await opened(createStore);
    const record = ownerRecord({ version: 3 });
    await store.putOwner(record, 0);
    for (const version of [0, 1, 2, 4]) {
      expect(await store.putOwner(ownerRecord({ plan: 'other', version: version + 1 }), version)).toBe(null);
    }
    expect(await store.getOwner('acme')).toEqual(record);
  });

  it('says null, and makes nothing, if a version is expected of an owner that nobody has put', async () => {
    const { store } = await opened(createStore);
    expect(await store.putOwner(ownerRecord({ version: 2 }), 1)).toBe(null);
    expect(await listIds(store)).toEqual([]);
  });

  it('lists owners by id, whatever the order in which they were put', async () => {
    const { store } = await opened(createStore);
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(printableId, { maxLength: 10 }), async (ids) => {
        const there = await listIds(store);
        await putAll(
          store,
          ids.filter((id) => !there.includes(id)),
        );
        expect(await listIds(store)).toEqual([...new Set([...there, ...ids])].sort());
      }),
      { numRuns: 15 },
    );
  });

  it('lists at most as many owners as the page holds, after what is given', async () => {
    const { store } = await opened(createStore);
    await putAll(store, ['d', 'b', 'a/b', 'e', 'c', 'B', 'a']);
    const page = async (after: string | null, size: number) =>
      (await store.listOwners({ after, size })).map(({ id }) => id);
    expect(await page(null, 3)).toEqual(['B', 'a', 'a/b']);
    expect(await page('a/b', 3)).toEqual(['b', 'c', 'd']);
    expect(await page('d', 3)).toEqual(['e']);
    expect(await page('e', 3)).toEqual([]);
    // An owner that never was still marks the place.
    expect(await page('a0', 2)).toEqual(['b', 'c']);
  });

  it('has told the subscriber of an owner when the promise of its change resolves', async () => {
    const { store } = await createStore({ now: () => testNow });
    const told: string[] = [];
    store.feed.subscribe({
      onChange() {},
      onRoleChange() {},
      onOwnerChange: (id) => told.push(id),
      onGap() {},
    });
    await store.open();
    await store.putOwner(ownerRecord(), 0);
    expect(told).toContain('acme');
    told.length = 0;
    await store.putOwner(ownerRecord({ suspended: true, version: 2 }), 1);
    expect(told).toContain('acme');
  });

  it('rejects every call about owners while it is not open with StoreUnavailable', async () => {
    const { store } = await createStore({ now: () => testNow });
    await expectUnavailable(store);
    await store.open();
    await store.close();
    await expectUnavailable(store);
  });
}

async function expectUnavailable(store: Store): Promise<void> {
  await expect(store.getOwner('acme')).rejects.toThrow(StoreUnavailable);
  await expect(store.getOwners(['acme'])).rejects.toThrow(StoreUnavailable);
  await expect(store.listOwners({ after: null, size: 1 })).rejects.toThrow(StoreUnavailable);
  await expect(store.putOwner(ownerRecord(), 0)).rejects.toThrow(StoreUnavailable);
}

async function putAll(store: Store, ids: readonly string[]): Promise<void> {
  for (const id of ids) await store.putOwner(ownerRecord({ id }), 0);
}

async function listIds(store: Store): Promise<string[]> {
  return (await store.listOwners({ after: null, size: 1_000 })).map(({ id }) => id);
}

/** Puts as many at once, each with a plan of its own; gives the plans of those that the store took. */
async function winnersOf(
  store: Store,
  count: number,
  given: Partial<OwnerRecord>,
  ifVersion: number,
): Promise<string[]> {
  const plans = Array.from({ length: count }, (_, index) => `plan ${index}`);
  const commits = await Promise.all(
    plans.map((plan) => store.putOwner(ownerRecord({ ...given, plan }), ifVersion)),
  );
  return plans.filter((_, index) => commits[index] !== null);
}

const printableId = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 6 });
const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.constantFrom(...strangeTexts));
const time = fc.integer({ min: -6e13, max: 4e15 });

/** Any owner that could be, of any age. */
const anyOwnerRecord: fc.Arbitrary<OwnerRecord> = fc.record({
  id: fc.oneof(printableId, fc.constantFrom(...strangeTexts.filter((strange) => strange !== ''))),
  plan: fc.option(text),
  activeUntil: fc.option(time),
  suspended: fc.boolean(),
  name: fc.option(text),
  contact: fc.option(text),
  labels: fc.array(fc.tuple(text, text), { maxLength: 4 }).map((pairs) => Object.fromEntries(pairs)),
  billingAnchor: fc.option(time),
  keysMax: fc.option(fc.nat()),
  createdAt: time,
  updatedAt: time,
  version: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
});
