import fc from 'fast-check';
import { expect, it } from 'vitest';
import { insertsMax, type Store, StoreUnavailable } from '../../src/store/store.ts';
import { digestOf, keyRecord } from '../records.ts';
import type { CreateStore } from '../store-contract.ts';
import {
  anyKeyRecord,
  expectSameKey,
  insertAll,
  journalDraft,
  listActions,
  listChain,
  listIds,
  nextId,
  opened,
  retentionMs,
  testNow,
} from './setting.ts';

/** Inserting many keys at once. */
export function importContract(createStore: CreateStore): void {
  it('inserts all of them, as they were given, for whoever opens the data next', async () => {
    const { store, reopen } = await opened(createStore);
    const records = fc.sample(anyKeyRecord, 30);
    expect(await store.insertKeys(records, 4e15)).toEqual([]);
    const another = await reopen();
    for (const record of records) expectSameKey(await another.getKey(record.id), record);
    expect(await listIds(another)).toEqual(records.map(({ id }) => id).reverse());
  });

  it('leaves out those whose id, digest or request is taken, and says which', async () => {
    const { store } = await opened(createStore);
    const [there = keyRecord()] = await insertAll(store, [{ requestKey: 'one' }]);
    const records = [
      keyRecord({ id: nextId() }),
      keyRecord({ id: there.id, digest: digestOf('other') }),
      keyRecord({ id: nextId(), digest: there.digest }),
      keyRecord({ id: nextId(), requestKey: 'two' }),
      keyRecord({ id: nextId(), requestKey: 'one' }),
    ];
    expect(await store.insertKeys(records, retentionMs)).toEqual([1, 2, 4]);
    expect(await listIds(store)).toEqual([records[3]?.id, records[0]?.id, there.id]);
    expectSameKey(await store.getKey(there.id), there);
  });

  it('inserts the first of those that are alike among themselves', async () => {
    const { store } = await opened(createStore);
    const [one, two, three] = [nextId(), nextId(), nextId()];
    const records = [
      keyRecord({ id: one, requestKey: 'one' }),
      keyRecord({ id: one, digest: digestOf('other') }),
      keyRecord({ id: two, digest: digestOf(one) }),
      keyRecord({ id: two, requestKey: 'one' }),
      // What was left out takes nothing from those after it.
      keyRecord({ id: two, requestKey: null }),
      keyRecord({ id: three, digest: digestOf('other'), requestKey: null }),
    ];
    expect(await store.insertKeys(records, retentionMs)).toEqual([1, 2, 3]);
    expect(await listIds(store)).toEqual([three, two, one]);
    expectSameKey(await store.getKey(one), keyRecord({ ...records[0] }));
  });

  it('inserts as many as may be at once', async () => {
    const { store } = await opened(createStore);
    const records = Array.from({ length: insertsMax }, () => keyRecord({ id: nextId() }));
    expect(await store.insertKeys(records, retentionMs)).toEqual([]);
    expect(await listIds(store)).toHaveLength(insertsMax);
    expect(await store.insertKeys(records, retentionMs)).toEqual(records.map((_, place) => place));
  });

  it('writes one draft, made of the number that went in', async () => {
    const { store } = await opened(createStore);
    const [there = keyRecord()] = await insertAll(store, [{}]);
    const records = [there, keyRecord({ id: nextId() }), keyRecord({ id: nextId() })];
    await store.insertKeys(records, retentionMs, importDraft);
    expect(await listChain(store)).toMatchObject([{ action: 'ImportKeys', after: { inserted: 2 } }]);
  });

  it('writes no draft where none went in', async () => {
    const { store } = await opened(createStore);
    const there = await insertAll(store, [{}, {}]);
    expect(await store.insertKeys(there, retentionMs, importDraft)).toEqual([0, 1]);
    expect(await store.insertKeys([], retentionMs, importDraft)).toEqual([]);
    expect(await listActions(store)).toEqual([]);
  });

  it('inserts each key once, and counts it once, when many give the same at once', async () => {
    const { store } = await opened(createStore);
    const records = Array.from({ length: 30 }, () => keyRecord({ id: nextId() }));
    const answers = await Promise.all(
      Array.from({ length: 5 }, (_, turn) =>
        store.insertKeys(
          [...records.slice(turn * 6), ...records.slice(0, turn * 6)],
          retentionMs,
          importDraft,
        ),
      ),
    );
    expect(answers.map((taken) => records.length - taken.length).reduce((a, b) => a + b)).toBe(
      records.length,
    );
    expect(await listIds(store)).toEqual(records.map(({ id }) => id).reverse());
    expect(await insertedByJournal(store)).toBe(records.length);
  });

  it('has told the subscriber of each new key, with its digest, and of no other', async () => {
    const { store } = await createStore({ now: () => testNow });
    const told = new Map<string, string | null>();
    store.feed.subscribe({
      onChange: (id, digest) => told.set(id, digest),
      onRoleChange() {},
      onOwnerChange() {},
      onGap() {},
    });
    await store.open();
    const [there = keyRecord()] = await insertAll(store, [{}]);
    told.clear();
    const fresh = [keyRecord({ id: nextId() }), keyRecord({ id: nextId() })];
    const taken = keyRecord({ id: nextId(), digest: there.digest });
    await store.insertKeys([...fresh, taken], retentionMs);
    for (const { id, digest } of fresh) expect(told.get(id)).toBe(digest);
    expect(told.has(taken.id)).toBe(false);
  });

  it('rejects inserting many while it is not open with StoreUnavailable', async () => {
    const { store } = await createStore({ now: () => testNow });
    const inserted = store.insertKeys([keyRecord({ id: nextId() })], retentionMs);
    await expect(inserted).rejects.toThrow(StoreUnavailable);
  });
}

function importDraft(inserted: number) {
  return journalDraft({ action: 'ImportKeys', after: { inserted } });
}

async function insertedByJournal(store: Store): Promise<number> {
  const entries = await listChain(store);
  return entries.reduce((sum, { after }) => sum + (after as { inserted: number }).inserted, 0);
}
