import { describe, expect, inject, it } from 'vitest';
import type { IdleRange, JournalFilter } from '../../src/journal/journal-store.ts';
import type { KeyId } from '../../src/keys/key.ts';
import type { KeyFilter } from '../../src/store/records/key-filter.ts';
import type { Store } from '../../src/store/store.ts';
import { keyRecord } from '../records.ts';
import { journalDraft, nextId, retentionMs, testNow } from '../store-contract/setting.ts';
import { profile } from './profile.ts';
import { createSetting } from './setting.ts';

async function openStore() {
  const setting = await createSetting(inject('mongoUri'));
  let now = testNow;
  const store = setting.store({ now: () => now++ });
  await store.open();
  return { setting, store };
}

const size = 10;

describe('a page of keys', () => {
  const filters: readonly [string, Omit<KeyFilter, 'now'>, string][] = [
    ['all', {}, 'IXSCAN { _id: 1 }'],
    ['an owner', { owner: 'a' }, 'IXSCAN { owner: 1, _id: 1 }'],
    ['a scheme', { scheme: 's' }, 'IXSCAN { scheme: 1, _id: -1 }'],
    ['a permission', { permission: 'p' }, 'IXSCAN { permissions: 1, _id: -1 }'],
  ];
  it.each(filters)('of %s costs the same at the start and at the end', async (_, filter, plan) => {
    const { setting, store } = await openStore();
    const ids = await insertKeys(store, 600);
    const profiled = await profile(setting, 'keys', async () => {
      for (const before of [null, ids[300], ids[3 * size]] as const) {
        const page = { before: before ?? null, size };
        expect(await store.listKeys({ ...filter, now: testNow }, page)).toHaveLength(size);
      }
    });
    expectRanges(profiled, plan, 3);
  });

  it('that are about to end is a range, wherever it begins, of keys that end at the same time too', async () => {
    const { setting, store } = await openStore();
    await insertKeys(store, 600);
    const range = { after: testNow, until: testNow + 1_000 };
    let last: { id: KeyId; expiresAt: number } | undefined;
    const profiled = await profile(setting, 'keys', async () => {
      for (let page = 0; page < 3; page++) {
        const found = await store.listExpiring({ ...range, ...(last && { last }) }, 100);
        const end = found.at(-1);
        last = { id: end?.id ?? nextId(), expiresAt: end?.expiresAt ?? 0 };
        expect(found).toHaveLength(100);
      }
    });
    for (const { planSummary, hasSortStage, keysExamined } of profiled) {
      expect(planSummary).toBe('IXSCAN { expires_at: 1, _id: 1 }');
      expect(hasSortStage).toBe(undefined);
      expect(keysExamined).toBeLessThanOrEqual(101);
    }
  });

  it.each([
    ['use', 'IXSCAN { last_used_at: 1, _id: 1 }'],
    ['creation', 'IXSCAN { last_used_at: 1, _id: 1 }'],
    ['revival', 'IXSCAN { revived_at: 1, _id: 1 }'],
  ] as const)('that may be idle since their %s is a range, wherever it begins', async (by, plan) => {
    const { setting, store } = await openStore();
    const records = Array.from({ length: 600 }, (_, place) => {
      const at = by === 'creation' ? null : testNow + 1 + Math.floor(place / 200);
      return keyRecord({
        id: nextId(),
        lastUsedAt: by === 'use' ? at : null,
        revivedAt: by === 'revival' ? at : null,
      });
    });
    await store.insertKeys(records, retentionMs);
    let range: IdleRange = { by, after: testNow - 1, until: testNow + 1_000 };
    const found: KeyId[] = [];
    const profiled = await profile(setting, 'keys', async () => {
      for (;;) {
        const { keys, last } = await store.listIdle(range, 100);
        found.push(...keys.map(({ id }) => id));
        if (last === null) break;
        range = { ...range, last };
      }
    });
    expect(found).toEqual(records.map(({ id }) => id));
    for (const { planSummary, hasSortStage, keysExamined } of profiled) {
      expect(planSummary).toBe(plan);
      expect(hasSortStage).toBe(undefined);
      expect(keysExamined).toBeLessThanOrEqual(101);
    }
  });

  /** Half of them are good for each filter, and all end, at four times. */
  async function insertKeys(store: Store, count: number): Promise<KeyId[]> {
    const records = Array.from({ length: count }, (_, index) => {
      const members = index % 2 === 0 ? { owner: 'a', scheme: 's', permissions: ['p'] } : {};
      return keyRecord({
        id: nextId(),
        expiresAt: testNow + 1 + Math.floor((4 * index) / count),
        ...members,
      });
    });
    expect(await store.insertKeys(records, retentionMs)).toEqual([]);
    return records.map(({ id }) => id);
  }
});

describe('a page of the journal', () => {
  const filters: readonly [string, JournalFilter, string][] = [
    ['everything', {}, 'IXSCAN { _id: 1 }'],
    ['an owner', { owner: 'a' }, 'IXSCAN { owner: 1, _id: 1 }'],
    ['an actor', { actor: 'b' }, 'IXSCAN { actor: 1, _id: 1 }'],
    ['an action', { action: 'c' }, 'IXSCAN { action: 1, _id: 1 }'],
    ['a target', { target: 'd' }, 'IXSCAN { target: 1, _id: 1 }'],
  ];
  it.each(filters)(
    'of %s costs the same at the start and at the end, in either order',
    async (_, filter, plan) => {
      const { setting, store } = await openStore();
      await appendEntries(store, 600);
      const profiled = await profile(setting, 'journal', async () => {
        for (const order of ['newest', 'oldest'] as const) {
          for (const after of [null, 300, order === 'newest' ? 50 : 550]) {
            expect(await store.listJournal(filter, { order, after, size })).toHaveLength(size);
          }
        }
      });
      expectRanges(profiled, plan, 6);
    },
  );

  it('of a time is found by an index, and then is a range as any other', async () => {
    const { setting, store } = await openStore();
    await appendEntries(store, 600);
    const [middle] = await store.listJournal({}, { order: 'newest', after: 301, size: 1 });
    const at = middle?.at ?? 0;
    const profiled = await profile(setting, 'journal', async () => {
      for (const order of ['newest', 'oldest'] as const) {
        const page = { order, after: null, size };
        const until = await store.listJournal({ owner: 'a', until: at }, page);
        const since = await store.listJournal({ owner: 'a', since: at }, page);
        expect(until.every((entry) => entry.at < at) && since.every((entry) => entry.at >= at)).toBe(true);
        expect([until.length, since.length]).toEqual([size, size]);
      }
    });
    expect(profiled.map(({ planSummary }) => planSummary)).toEqual(
      Array(4).fill(['IXSCAN { at: 1, _id: 1 }', 'IXSCAN { owner: 1, _id: 1 }']).flat(),
    );
    for (const { keysExamined, hasSortStage } of profiled) {
      expect(keysExamined).toBeLessThanOrEqual(size + 1);
      expect(hasSortStage).toBe(undefined);
    }
  });

  /** Half of them are good for each filter. */
  async function appendEntries(store: Store, count: number): Promise<void> {
    const members = { owner: 'a', actor: 'b', action: 'c', target: 'd' };
    for (let done = 0; done < count; done += 10) {
      const drafts = Array.from({ length: 10 }, (_, index) => journalDraft(index % 2 === 0 ? members : {}));
      await store.appendJournal(drafts);
    }
  }
});

/** Each query is a range of this index, in its order, and as long as the page. */
function expectRanges(profiled: Awaited<ReturnType<typeof profile>>, plan: string, count: number): void {
  expect(profiled.map(({ planSummary }) => planSummary)).toEqual(Array(count).fill(plan));
  for (const { hasSortStage, keysExamined, docsExamined } of profiled) {
    expect(hasSortStage).toBe(undefined);
    expect(keysExamined).toBeLessThanOrEqual(size + 1);
    expect(docsExamined).toBe(size);
  }
}
