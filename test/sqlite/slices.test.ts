import { beforeAll, describe, expect, it } from 'vitest';
import type { JournalFilter, JournalPage } from '../../src/journal/journal-store.ts';
import type { KeyId } from '../../src/keys/key.ts';
import { type KeyPlace, keyOrders, placeOf } from '../../src/keys/key-order.ts';
import { createDigester } from '../../src/keys/secret.ts';
import { createSqliteStore } from '../../src/sqlite/store.ts';
import { insertsMax, type Store, StoreUnavailable } from '../../src/store/store.ts';
import { keyRecord } from '../records.ts';
import { journalDraft, nextId, retentionMs, testNow } from '../store-contract/setting.ts';

const batches = 12;
const digester = createDigester([{ id: 'p', key: Buffer.alloc(32) }]);

/** Every 2 500th is rare: at each edge of what is looked through at once, and between them. */
function isRare(place: number): boolean {
  return place % 2_500 === 0;
}

describe('looking through more keys than at once', () => {
  const ids: KeyId[] = [];
  let store: Store;

  beforeAll(async () => {
    store = createSqliteStore({ path: ':memory:', now: () => testNow });
    await store.open();
    for (let batch = 0; batch < batches; batch++) await store.insertKeys(recordsOf(batch), retentionMs);
    return () => store.close();
  });

  function recordsOf(batch: number) {
    return Array.from({ length: insertsMax }, (_, at) => {
      const id = nextId();
      const place = ids.push(id) - 1;
      const rare = { name: 'Rare', permissions: ['read', 'rare'], owner: 'acme' };
      const digest = batch % 2 === 0 ? digester.sign(id) : undefined;
      return keyRecord({
        id,
        permissions: ['read'],
        ...(digest && { digest }),
        ...(isRare(place) && rare),
        ...(at === 0 && { scheme: 'other' }),
      });
    });
  }

  /** The rare ones, newest first. */
  const rare = () => ids.filter((_, place) => isRare(place)).reverse();

  it('finds each that the filter keeps, once, in pages of any size', async () => {
    const filters = [
      { nameContains: 'rare' },
      { nameContains: 'rare', scheme: 'postern' },
      { nameContains: 'rare', permission: 'read' },
      { nameContains: 'rare', state: 'active' as const },
      { permission: 'rare' },
    ];
    for (const filter of filters) {
      const expected = rare().filter((id) => !('scheme' in filter) || ids.indexOf(id) % insertsMax !== 0);
      for (const size of [1, 2, 100]) expect(await allPages(filter, size)).toEqual(expected);
    }
  });

  it('finds what a search keeps in any order, once, in pages of any size', async () => {
    for (const filter of [{ nameContains: 'rare' }, { search: { kind: 'text', text: 'RARE' } as const }]) {
      for (const by of keyOrders) {
        const order = { by, isDescending: true };
        const expected = rare();
        const seen: KeyPlace[] = [];
        for (;;) {
          const page = { after: seen.at(-1) ?? null, size: 2 };
          const keys = await store.listKeysInOrder({ ...filter, now: testNow }, order, page);
          seen.push(...keys.map((key) => placeOf(key, order)));
          if (keys.length < 2) break;
        }
        expect([by, seen.map(({ id }) => id)]).toEqual([by, expected]);
      }
    }
  });

  async function allPages(filter: object, size: number): Promise<KeyId[]> {
    const seen: KeyId[] = [];
    for (;;) {
      const page = await store.listKeys({ ...filter, now: testNow }, { before: seen.at(-1) ?? null, size });
      seen.push(...page.map(({ id }) => id));
      if (page.length < size) return seen;
    }
  }

  it('lets others have the thread meanwhile', async () => {
    for (const look of [
      () => store.listKeys({ nameContains: 'nobody', now: testNow }, { before: null, size: 1 }),
      () => store.countDigests(),
      () => store.countKeys(testNow),
    ]) {
      expect(await turnsDuring(look)).toBeGreaterThan(1);
    }
  });

  it('is StoreUnavailable when the store is closed meanwhile', async () => {
    const closed = createSqliteStore({ path: ':memory:', now: () => testNow });
    await closed.open();
    for (let batch = 0; batch < 6; batch++) {
      const records = Array.from({ length: insertsMax }, () => keyRecord({ id: nextId() }));
      await closed.insertKeys(records, retentionMs);
    }
    const listed = closed.listKeys({ nameContains: 'nobody', now: testNow }, { before: null, size: 1 });
    await closed.close();
    await expect(listed).rejects.toThrow(StoreUnavailable);
  });

  it('counts every key once', async () => {
    const half = (batches / 2) * insertsMax;
    expect(await store.countDigests()).toEqual(
      new Map([
        ['', half],
        ['p', half],
      ]),
    );
    expect(await store.countKeys(testNow)).toMatchObject({ active: ids.length });
  });
});

describe('looking through more of the journal than at once', () => {
  const entriesCount = 24_001;
  const rare = Array.from({ length: entriesCount }, (_, at) => at + 1).filter((place) => place % 2_500 < 2);
  const isBusy = (place: number) => place % 2 === 0 && !rare.includes(place);
  const busy = Array.from({ length: entriesCount }, (_, at) => at + 1).filter(isBusy);
  let store: Store;

  beforeAll(async () => {
    store = createSqliteStore({ path: ':memory:', now: () => testNow });
    await store.open();
    const drafts = Array.from({ length: entriesCount }, (_, at) =>
      journalDraft({
        ...{ owner: 'acme', target: null, outcome: isBusy(at + 1) ? 'ok' : 'refused' },
        actor: rare.includes(at + 1) ? 'rare' : isBusy(at + 1) ? 'busy' : null,
      }),
    );
    await store.appendJournal(drafts);
    return () => store.close();
  });

  async function allPages(filter: JournalFilter, order: JournalPage['order'], size: number) {
    const seen: number[] = [];
    for (;;) {
      const page = await store.listJournal(filter, { order, after: seen.at(-1) ?? null, size });
      seen.push(...page.map(({ sequence }) => sequence));
      if (page.length < size) return seen;
    }
  }

  it('finds each that the filter keeps, once, in pages of any size and in either order', async () => {
    for (const size of [1, 3, 100]) {
      const filter = { owner: 'acme', actor: 'rare' };
      expect(await allPages(filter, 'oldest', size)).toEqual(rare);
      expect(await allPages({ ...filter, since: testNow }, 'newest', size)).toEqual(rare.toReversed());
      expect(await allPages({ ...filter, until: testNow }, 'newest', size)).toEqual([]);
    }
  });

  it('finds them where every value is of many entries, too', async () => {
    for (const order of ['oldest', 'newest'] as const) {
      const found = await allPages({ owner: 'acme', actor: 'busy', outcome: 'ok' }, order, 1_000);
      expect(found).toEqual(order === 'oldest' ? busy : busy.toReversed());
    }
    expect(await allPages({ actor: 'busy', outcome: 'refused' }, 'newest', 10)).toEqual([]);
    expect(await allPages({ owner: 'acme', actor: 'nobody' }, 'newest', 10)).toEqual([]);
  });

  it('lets others have the thread meanwhile', async () => {
    const page = { order: 'newest', after: null, size: 1 } as const;
    // Thousands of either, none of both.
    expect(
      await turnsDuring(() => store.listJournal({ actor: 'busy', outcome: 'refused' }, page)),
    ).toBeGreaterThan(1);
  });
});

/** How often others had the thread until it was done. */
async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  const turn = () => {
    turns++;
    next = setImmediate(turn);
  };
  let next = setImmediate(turn);
  await work();
  clearImmediate(next);
  return turns;
}
