import { describe, expect, inject, it, vi } from 'vitest';
import { type AddressUse, keyAddressesMax } from '../../src/journal/journal-store.ts';
import { BadRecord, usageRetentionMs } from '../../src/store/store.ts';
import { dayMs, journalDraft, nextId, testNow } from '../store-contract/setting.ts';
import { createSetting } from './setting.ts';

async function openStore(
  dependencies: Parameters<Awaited<ReturnType<typeof createSetting>>['store']>[0] = {},
) {
  const setting = await createSetting(inject('mongoUri'));
  const store = setting.store({ now: () => testNow, ...dependencies });
  await store.open();
  return { setting, store, database: setting.client.db() };
}

const all = { order: 'oldest', after: null, size: 100 } as const;

describe('the journal in MongoDB', () => {
  it('is kept for 400 days, or as long as is said, by a TTL index', async () => {
    const { setting, store, database } = await openStore();
    const short = setting.store({ now: () => testNow, journalRetentionMs: 7 * dayMs });
    await short.open();
    await store.appendJournal([journalDraft()]);
    await short.appendJournal([journalDraft()]);
    const entries = await database.collection('journal').find().sort({ _id: 1 }).toArray();
    const days = entries.map(({ at, purge_at }) => (purge_at.getTime() - at.getTime()) / dayMs);
    expect(days).toEqual([400, 7]);
    expect(await database.collection('journal').indexes()).toContainEqual(
      expect.objectContaining({ key: { purge_at: 1 }, expireAfterSeconds: 0 }),
    );
  });

  it('has no field whose name comes from a user', async () => {
    const { store, database } = await openStore();
    await store.appendJournal([journalDraft(), journalDraft({ after: { $where: { 'a.b': 1 } } })]);
    const [plain, strange] = await database.collection('journal').find().sort({ _id: 1 }).toArray();
    expect(Object.keys(strange ?? {})).toEqual(Object.keys(plain ?? {}));
    expect(typeof strange?.after).toBe('string');
  });

  it.each([
    { before: '{' },
    { after: { $gt: '' } },
    { at: 'today' },
    { outcome: 'fine' },
    { actor: 7 },
    { hash: null },
  ])('leaves out an entry that cannot be read, and no other: %j', async (damage) => {
    const onBadRecord = vi.fn();
    const { store, database } = await openStore({ onBadRecord });
    await store.appendJournal([journalDraft(), journalDraft(), journalDraft()]);
    await database.collection<{ _id: number }>('journal').updateOne({ _id: 2 }, { $set: damage });
    const page = await store.listJournal({}, { ...all, size: 2 });
    expect(page.map(({ sequence }) => sequence)).toEqual([1, 3]);
    expect(onBadRecord).toHaveBeenCalledExactlyOnceWith('evt_0000000000000002', expect.any(BadRecord));
  });
});

describe('the addresses of keys in MongoDB', () => {
  it('are kept while the key is used, and are forgotten with its use', async () => {
    let now = testNow;
    const { store, database } = await openStore({ now: () => now });
    const use = { key: nextId(), address: '192.0.2.1' };
    const known = database.collection<{ _id: string; purge_at: Date }>('addresses');
    const left = async () => ((await known.findOne({ _id: use.key }))?.purge_at.getTime() ?? 0) - now;
    await store.noteAddresses([use]);
    expect(await left()).toBe(usageRetentionMs);
    now += usageRetentionMs / 2 - dayMs;
    await store.noteAddresses([use]);
    expect(await left()).toBe(usageRetentionMs / 2 + dayMs);
    now += 2 * dayMs;
    await store.noteAddresses([use]);
    expect(await left()).toBe(usageRetentionMs);
    expect(await known.indexes()).toContainEqual(
      expect.objectContaining({ key: { purge_at: 1 }, expireAfterSeconds: 0 }),
    );
  });

  it('are new once, whichever of several replicas is first, and never too many', async () => {
    const { setting, store: one } = await openStore();
    const two = setting.store();
    await two.open();
    const keys = Array.from({ length: 30 }, nextId);
    const usesFrom = (...addresses: string[]): AddressUse[] =>
      keys.flatMap((key) => addresses.map((address) => ({ key, address })));
    const noted = await Promise.all([
      one.noteAddresses(usesFrom('192.0.2.1', '192.0.2.2')),
      two.noteAddresses(usesFrom('192.0.2.3', '192.0.2.2')),
    ]);
    // Of three addresses of each key all but the first are new.
    expect(noted.flat()).toHaveLength(60);
    const many = Array.from({ length: 60 }, (_, host) => [`198.51.100.${host}`, `203.0.113.${host}`]);
    const crowd = await Promise.all(
      [one, two].map((store, place) =>
        store.noteAddresses(many.map((pair) => ({ key: keys[0] ?? nextId(), address: pair[place] ?? '' }))),
      ),
    );
    expect(crowd.flat()).toHaveLength(keyAddressesMax - 3);
  });
});

describe('duties in MongoDB', () => {
  it('are held by the clock of the server, whatever the replicas take the time for', async () => {
    const { setting, store: ahead } = await openStore();
    const behind = setting.store({ now: () => 0 });
    await behind.open();
    expect(await behind.claimDuty('expiry', 'behind', 60_000)).toEqual({ progress: 0 });
    expect(await ahead.claimDuty('expiry', 'ahead', 60_000)).toBe(null);
    expect(await behind.recordDuty('expiry', 'behind', 5)).toBe(true);
  });

  it('take names for names, not for what they would mean to MongoDB', async () => {
    const { store } = await openStore();
    expect(await store.claimDuty('$where', '$holder', 60_000)).toEqual({ progress: 0 });
    expect(await store.claimDuty('$where', '$until', 60_000)).toBe(null);
    expect(await store.recordDuty('$where', '$holder', 5)).toBe(true);
  });
});
