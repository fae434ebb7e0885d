import { describe, expect, it, vi } from 'vitest';
import { hashOf } from '../../src/journal/journal.ts';
import type { Store } from '../../src/store/store.ts';
import { keyRecord, ownerRecord } from '../records.ts';
import {
  dayMs,
  expectSameKey,
  insertAll,
  journalDraft,
  listActions,
  listChain,
  listIds,
  nextId,
  retentionMs,
  testNow,
} from '../store-contract/setting.ts';
import { createStoreFile } from './setting.ts';

const everything = { order: 'oldest', after: null, size: 10_000 } as const;

describe('a journal that cannot be written', () => {
  it('keeps every change from being made, and reads go on', async () => {
    const { store, key, told } = await withoutJournal();
    const made = keyRecord({ id: nextId() });
    const draft = journalDraft();
    const changes = [
      () => store.insertKey(made, retentionMs, draft),
      () => store.insertFirstKey(made, retentionMs, draft),
      () => store.insertKeys([made, keyRecord({ id: nextId() })], retentionMs, () => draft),
      () => store.replaceKey({ ...key, revokedAt: testNow, version: 2 }, 1, retentionMs, draft),
      () => store.rotateKey({ old: { ...key, version: 2 }, ifVersion: 1, made }, retentionMs, draft),
      () => store.putOwner(ownerRecord(), 0, draft),
      () => store.appendJournal([draft]),
    ];
    for (const change of changes) {
      await expect(change()).rejects.toThrow('no journal');
      expectSameKey(await store.findKey([key.digest]), key);
      expect(await listIds(store)).toEqual([key.id]);
      expect(await store.getOwner('acme')).toBe(null);
    }
    expect(told).toEqual([]);
    // The mark of the first key went with it.
    expect(await store.insertFirstKey(made, retentionMs)).toBe(true);
  });
});

describe('an entry of the journal past its retention', () => {
  it('is removed, oldest first, however many there are, and the chain goes on', async () => {
    const clock = { now: testNow };
    const file = createStoreFile();
    const now = () => clock.now;
    const store = await file.open({ now });
    await store.appendJournal(Array.from({ length: 1_201 }, () => journalDraft()));
    clock.now += dayMs;
    await store.appendJournal([journalDraft({ action: 'later' })]);
    const [last] = await store.listJournal({}, { order: 'newest', after: null, size: 1 });

    clock.now = testNow + 2 * dayMs - 1;
    expect(await listChain(await file.open({ now, journalRetentionMs: 2 * dayMs }))).toHaveLength(1_202);
    clock.now++;
    const later = await file.open({ now, journalRetentionMs: 2 * dayMs });
    expect(await later.listJournal({}, everything)).toEqual([last]);
  });

  it('leaves the head of the chain behind when it was the last', async () => {
    const clock = { now: testNow };
    const file = createStoreFile();
    const now = () => clock.now;
    const store = await file.open({ now });
    await store.appendJournal([journalDraft(), journalDraft()]);
    const [, last] = await listChain(store);
    clock.now += 400 * dayMs;
    expect(await listChain(await file.open({ now }))).toEqual([]);

    const later = await file.open({ now });
    await later.appendJournal([journalDraft({ action: 'later' })]);
    const head = { sequence: 2, at: testNow, hash: last?.hash ?? '' };
    expect(await listChain(later, head)).toMatchObject([{ sequence: 3, action: 'later' }]);
  });

  it('stays for as long as one before it does', async () => {
    const file = createStoreFile();
    const store = await file.open();
    await store.appendJournal([journalDraft(), journalDraft(), journalDraft()]);
    await file.tamper(`UPDATE journal SET at = ${testNow + dayMs} WHERE sequence = 2`);
    const later = await file.open({ now: () => testNow + dayMs, journalRetentionMs: dayMs });
    const left = await later.listJournal({}, everything);
    expect(left.map(({ sequence }) => sequence)).toEqual([2, 3]);
  });

  it('is removed within a minute while the store is open', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] });
    const clock = { now: testNow };
    const store = await createStoreFile().open({ now: () => clock.now });
    await store.appendJournal([journalDraft()]);
    clock.now += 400 * dayMs;
    await vi.advanceTimersByTimeAsync(60_000);
    vi.useRealTimers();
    await expect.poll(async () => await store.listJournal({}, everything)).toEqual([]);
  });
});

describe('an entry of the journal that was tampered with', () => {
  const changes = [
    "action = 'GetKey'",
    'actor = NULL',
    'at = at - 1',
    "once = 'once'",
    "body = json_set(body, '$.after.name', 'Another')",
    "body = json_remove(body, '$.before')",
    "body = '{}'",
  ];
  for (const change of changes) {
    it(`has another hash than it says: ${change}`, async () => {
      const file = createStoreFile();
      await (await file.open()).appendJournal([journalDraft(), journalDraft()]);
      await file.tamper(`UPDATE journal SET ${change} WHERE sequence = 1`);
      const entries = await (await file.open()).listJournal({}, everything);
      expect(entries.map((entry) => hashOf(entry) === entry.hash)).toEqual([false, true]);
    });
  }

  it('is left out where it cannot be read, makes no page short, and is told of', async () => {
    const file = createStoreFile();
    await (await file.open()).appendJournal([journalDraft(), journalDraft(), journalDraft()]);
    await file.tamper("UPDATE journal SET body = '{' WHERE sequence = 2");
    const onBadRecord = vi.fn();
    const store = await file.open({ onBadRecord });
    const page = await store.listJournal({}, { order: 'newest', after: null, size: 2 });
    expect(page.map(({ sequence }) => sequence)).toEqual([3, 1]);
    expect(onBadRecord).toHaveBeenCalledExactlyOnceWith('evt_0000000000000002', expect.any(Error));
    await store.appendJournal([journalDraft({ action: 'later' })]);
    expect((await store.listJournal({}, everything)).at(-1)).toMatchObject({ sequence: 4, action: 'later' });
  });
});

/** A store with one key, whose journal takes no more entries. */
async function withoutJournal() {
  const file = createStoreFile();
  const [key = keyRecord()] = await insertAll(await file.open(), [{}]);
  await file.tamper(
    "CREATE TRIGGER refused BEFORE INSERT ON journal BEGIN SELECT RAISE(ABORT, 'no journal'); END",
  );
  const store: Store = await file.open();
  const told: string[] = [];
  store.feed.subscribe({
    onChange: (id) => told.push(id),
    onRoleChange() {},
    onOwnerChange: (id) => told.push(id),
    onGap() {},
  });
  expect(await listActions(store)).toEqual([]);
  return { store, key, told };
}
