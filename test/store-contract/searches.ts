import { expect, it } from 'vitest';
import type { KeyId, KeyRecord } from '../../src/keys/key.ts';
import type { KeySearch } from '../../src/keys/key-search.ts';
import type { KeyFilter } from '../../src/store/records/key-filter.ts';
import { insertsMax } from '../../src/store/store.ts';
import { keyRecord } from '../records.ts';
import type { CreateStore } from '../store-contract.ts';
import { insertAll, listIds, nextId, opened, retentionMs, testNow } from './setting.ts';

/** One search over ids, what is shown of a key, names and labels. */
export function searchContract(createStore: CreateStore): void {
  it('finds a key by its id, by what is shown of it, and by any of these or its name as a text', async () => {
    const { store } = await opened(createStore);
    const [one, two, three] = await insertAll(store, [
      { name: 'Backend', prefix: 'pst_live_s3BT', last4: '6WNH', owner: 'acme' },
      { name: 'Front 6wnh', prefix: 'pst_live_s3BT', last4: 'abcd' },
      { name: 'Other', prefix: 'pst_live_s3B', last4: '%_.*' },
    ]);
    const search = (wanted: KeySearch, more: Partial<KeyFilter> = {}) =>
      listIds(store, { search: wanted, ...more });
    const id = (wanted: KeyId | undefined, more = {}) =>
      search({ kind: 'id', text: '', id: wanted as KeyId }, more);
    const shown = (prefixes: string[], last4: string | null = null, more = {}) =>
      search({ kind: 'shown', text: '', prefixes, last4 }, more);
    const text = (wanted: string, more = {}) => search({ kind: 'text', text: wanted }, more);

    expect(await id(two?.id)).toEqual([two?.id]);
    expect(await id(nextId())).toEqual([]);
    expect(await id(two?.id, { owner: 'acme' })).toEqual([]);
    expect(await shown(['pst_live_s3BT'])).toEqual([two?.id, one?.id]);
    expect(await shown(['pst_live_s3B', 'pst_live_s3BT'])).toEqual([three?.id, two?.id, one?.id]);
    expect(await shown(['pst_live_s3BT'], '6WNH')).toEqual([one?.id]);
    expect(await shown(['pst_live_s3BT'], null, { owner: 'acme', state: 'active' })).toEqual([one?.id]);
    expect(await shown(['pst_live_s'])).toEqual([]);
    expect(await text('6WNH')).toEqual([two?.id, one?.id]);
    expect(await text('6wnh', { state: 'active' })).toEqual([two?.id, one?.id]);
    expect(await text('pst_live_s3')).toEqual([three?.id, two?.id, one?.id]);
    expect(await text('BACK')).toEqual([one?.id]);
    for (const wanted of ['%_.*', '%']) expect(await text(wanted)).toEqual(wanted === '%' ? [] : [three?.id]);
    expect(await text('pst_live_s3bt')).toEqual([]);
    expect(await listIds(store, { search: { kind: 'text', text: 'pst' }, nameContains: 'front' })).toEqual([
      two?.id,
    ]);
  });

  it("finds a key by a label's value or name=value, from the beginning, in any case and any Unicode form", async () => {
    const { store } = await opened(createStore);
    const [grid, cafe, strange, none] = await insertAll(store, [
      { labels: { team: 'Grid Ops', tier: 'gold=1' } },
      { labels: { 'Team/eu': 'Cafe\u0301', __proto__x: '' } },
      { labels: { team: '.*', note: 'a\\b (grid)' } },
      { labels: {} },
    ]);
    const text = (wanted: string, more = {}) =>
      listIds(store, { search: { kind: 'text', text: wanted }, ...more });
    for (const wanted of [
      'grid ops',
      'GRID',
      'team=grid',
      'TEAM=GRID OPS',
      'gold=1',
      'tier=gold=1',
      'tier=g',
    ])
      expect([wanted, await text(wanted)]).toEqual([wanted, [grid?.id]]);
    for (const wanted of ['café', 'CAFE\u0301', 'team/eu=caf', '__PROTO__x='])
      expect([wanted, await text(wanted)]).toEqual([wanted, [cafe?.id]]);
    for (const wanted of ['.*', 'team=.*', 'note=a\\b (']) {
      expect([wanted, await text(wanted)]).toEqual([wanted, [strange?.id]]);
    }
    expect(await text('team=')).toEqual([strange?.id, grid?.id]);
    for (const wanted of ['ops', 'team', '1', 'eam=grid', 'am', 'team=gold', '=grid', 'team=.', 'b (grid)']) {
      const wantedIds = wanted === 'team=.' ? [strange?.id] : [];
      expect([wanted, await text(wanted)]).toEqual([wanted, wantedIds]);
    }
    expect(await text('grid', { owner: 'nobody' })).toEqual([]);

    // What a change takes away is found no more.
    await store.replaceKey(
      keyRecord({ ...(none as KeyRecord), labels: { team: 'new' }, version: 2 }),
      1,
      retentionMs,
    );
    await store.replaceKey(keyRecord({ ...(grid as KeyRecord), labels: {}, version: 2 }), 1, retentionMs);
    expect([await text('team=new'), await text('grid ops')]).toEqual([[none?.id], []]);
  });

  it('finds the last four in any case, of few keys and of many', async () => {
    const { store } = await opened(createStore);
    const keys = await insertAll(store, [
      { last4: 'x9Kq' },
      { last4: 'X9kQ', owner: 'acme' },
      { last4: 'x9K' },
    ]);
    const many = Array.from({ length: 1_001 }, () => keyRecord({ id: nextId(), last4: 'Ab12' }));
    for (let start = 0; start < many.length; start += insertsMax)
      await store.insertKeys(many.slice(start, start + insertsMax), retentionMs);
    const text = (wanted: string, more = {}) =>
      listIds(store, { search: { kind: 'text', text: wanted }, ...more });
    expect(await text('x9kq')).toEqual([keys[1]?.id, keys[0]?.id]);
    expect(await text('X9KQ', { owner: 'acme' })).toEqual([keys[1]?.id]);
    expect(await text('x9K')).toEqual([keys[2]?.id]);
    const search = { kind: 'text', text: 'aB12' } as const;
    expect(await store.countListed({ search, now: testNow }, 2_000)).toBe(many.length);
  });

  it('gives what is searched for page by page, the newest first', async () => {
    const { store } = await opened(createStore);
    const keys = await insertAll(store, Array(7).fill({ name: 'Paged', prefix: 'pst_live_page' }));
    const ids = keys.map(({ id }) => id).reverse();
    for (const search of [
      { kind: 'shown', text: '', prefixes: ['pst_live_page'], last4: null },
      { kind: 'text', text: 'paged' },
    ] as const) {
      const page = async (before: KeyId | null) =>
        (await store.listKeys({ search, now: testNow }, { before, size: 3 })).map(({ id }) => id);
      expect(await page(null)).toEqual(ids.slice(0, 3));
      expect(await page(ids[2] ?? null)).toEqual(ids.slice(3, 6));
      expect(await page(ids[5] ?? null)).toEqual(ids.slice(6));
    }
  });
}
