import { describe, expect, it } from 'vitest';
import { KeyTable } from '../../src/cache/key-table.ts';
import { createSharedTerms } from '../../src/cache/shared-terms.ts';
import type { Allowed, Denied } from '../../src/check/authorize.ts';
import { type CheckedKey, createKeyIds, type KeyId } from '../../src/keys/key.ts';
import { readPresets } from '../../src/presets/read.ts';
import type { Scheme } from '../../src/schemes/scheme.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import type { UsageTally } from '../../src/store/usage/usage-tally.ts';
import { batchSize, createUsage } from '../../src/usage/usage.ts';
import { createHold, keyRecord } from '../records.ts';

const hourMs = 3_600_000;
const noon = Date.UTC(2030, 0, 1, 12);
const scheme = readPresets().get('postern') as Scheme;

describe('the use of keys that memory holds', () => {
  it('is written in the order of their ids, each once, however many they are and in whatever order they came', async () => {
    const { usage, batches, written } = setUp();
    const keys = Array.from({ length: 7_003 }, () => heldKey());
    for (let at = 0; at < 2 * keys.length; at++)
      usage.record(allowed(keys[(at * 1_999) % keys.length]), '192.0.2.1', noon + at);
    await usage.flush();
    expect(written().map(({ key }) => key)).toEqual(keys.map(({ id }) => id));
    expect(new Set(written().map(({ allowed }) => allowed))).toEqual(new Set([2]));
    expect(batches.every((batch) => batch.length <= batchSize)).toBe(true);
    expect(batches.length).toBe(Math.ceil(keys.length / batchSize));
    await usage.flush();
    expect(written()).toHaveLength(keys.length);
  });

  it.each([
    ['in one millisecond', () => noon],
    ['now and then over twenty years', (at: number) => noon + at * 10 * 24 * hourMs],
    ['before there were any', (at: number) => Math.floor(at / 100) * hourMs],
  ])('is written in the order of ids that were made %s', async (_, madeAt) => {
    const { usage, written } = setUp();
    let at = 0;
    const nextId = createKeyIds(() => madeAt(at));
    const keys = Array.from({ length: 2_500 }, () => {
      at++;
      return heldKey(nextId());
    });
    for (let used = 0; used < keys.length; used++)
      usage.record(allowed(keys[(used * 1_999) % keys.length]), '192.0.2.1', noon);
    await usage.flush();
    expect(written().map(({ key }) => key)).toEqual(keys.map(({ id }) => id));
  });

  it('is put in order where two processes made ids in one millisecond', async () => {
    const { usage, written } = setUp();
    const makers = Array.from({ length: 20 }, () => createKeyIds(() => noon));
    const keys = Array.from({ length: 2_000 }, (_, at) => heldKey(makers[at % makers.length]?.()));
    for (const key of keys) usage.record(allowed(key), '192.0.2.1', noon);
    await usage.flush();
    expect(written().map(({ key }) => key)).toEqual(keys.map(({ id }) => id).sort());
  });

  it('is by hours, the earlier ones first, when an hour begins', async () => {
    const { usage, written } = setUp();
    const keys = Array.from({ length: 1_200 }, () => heldKey());
    for (const [at, key] of keys.entries())
      usage.record(allowed(key), '192.0.2.1', noon + (at % 3) * hourMs - 1);
    await usage.flush();
    const hours = written().map(({ hour }) => (hour - noon) / hourMs);
    expect(hours).toEqual([-1, 0, 1].flatMap((hour) => Array.from({ length: 400 }, () => hour)));
    for (const { hour, lastUsedAt } of written()) expect(lastUsedAt).toBe(hour + hourMs - 1);
  });

  it('goes on waiting by its hours where the store takes nothing of the first', async () => {
    const { usage, written, store } = setUp();
    const keys = Array.from({ length: 3_000 }, () => heldKey());
    for (const [at, key] of keys.entries()) usage.record(allowed(key), '192.0.2.1', noon + (at % 3) * hourMs);
    store.isAway = true;
    await usage.flush();
    store.isAway = false;
    await usage.flush();
    await usage.flush();
    const hours = new Map(
      written().map(({ key, hour, allowed }) => [key, (allowed * (hour - noon)) / hourMs]),
    );
    expect(keys.map(({ id }) => hours.get(id))).toEqual(keys.map((_, at) => at % 3));
    expect(written()).toHaveLength(keys.length);
  });

  it('adds up to what it was, from whatever addresses, in whatever hours, allowed or not', async () => {
    const { usage, written } = setUp();
    const key = heldKey();
    const times = [noon, noon + 5, noon + 3, noon + hourMs, noon + 1, noon - 1];
    for (const at of times)
      for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.1']) usage.record(allowed(key), address, at);
    usage.record(denied(key), '192.0.2.3', noon + 9);
    usage.record({ ...denied(key), plan: null }, '192.0.2.1', noon + 9);
    usage.record(allowed(key), 'no address', noon + 10);
    await usage.flush();
    expect(sumOf(written(), noon)).toEqual({
      ...{ allowed: 13, denied: 2, lastUsedAt: noon + 10 },
      addresses: ['192.0.2.1', '192.0.2.2', '192.0.2.3'],
    });
    expect(sumOf(written(), noon + hourMs)).toMatchObject({ allowed: 3, lastUsedAt: noon + hourMs });
    expect(sumOf(written(), noon - hourMs)).toMatchObject({ allowed: 3, lastUsedAt: noon - 1 });
  });

  it('is told apart by the plan that held, and says what the key was', async () => {
    const { usage, written } = setUp();
    const key = heldKey();
    for (const plan of ['free', 'pro', 'free', null, 'pro', 'pro'])
      usage.record({ ...allowed(key), plan }, '192.0.2.1', noon);
    usage.record({ ...denied(key), plan: 'free' }, '192.0.2.1', noon);
    await usage.flush();
    const byPlan = (plan: string | null) => {
      const tallies = written().filter(({ about }) => about?.plan === plan);
      return tallies.reduce((sum, { allowed }) => sum + allowed, 0);
    };
    expect([byPlan('free'), byPlan('pro'), byPlan(null)]).toEqual([2, 3, 1]);
    const ofFree = written().filter(({ about }) => about?.plan === 'free');
    expect(ofFree.some(({ denied }) => denied.permission_denied === 1)).toBe(true);
    const { owner, scheme, environment } = key;
    for (const { about } of written()) expect(about).toMatchObject({ owner, scheme, environment });
  });

  it('is in order with what others were denied for, which waits for a store that takes nothing, too', async () => {
    const { usage, written, store } = setUp();
    const keys = Array.from({ length: 1_201 }, () => heldKey());
    const judged = (key: CheckedKey, at: number) =>
      at % 2 === 0 ? allowed(key) : { ...denied(key), plan: null };
    for (const [at, key] of keys.entries()) usage.record(judged(key, at), '192.0.2.1', noon + at);
    store.isAway = true;
    await usage.flush();
    store.isAway = false;
    await usage.flush();
    for (const [at, key] of keys.entries()) usage.record(judged(key, at), '192.0.2.1', noon + at);
    const before = written().length;
    await usage.flush();
    expect(before).toBe(keys.length);
    const [first, ...others] = written().slice(before);
    expect([first, ...others].map((tally) => tally?.key)).toEqual(keys.map(({ id }) => id));
    expect(first).toMatchObject({ allowed: 1, denied: {}, lastUsedAt: noon });
    expect(others[0]).toMatchObject({ allowed: 0, denied: { permission_denied: 1 }, lastUsedAt: null });
    for (const half of [written().slice(0, before), [first, ...others]])
      expect(half.filter((tally) => tally?.denied.permission_denied === 1)).toHaveLength(600);
  });

  it('waits for a store that takes nothing, and counts on meanwhile', async () => {
    const { usage, written, store } = setUp();
    const keys = Array.from({ length: 3 * batchSize }, () => heldKey());
    const useAll = () => {
      for (const key of keys) usage.record(allowed(key), '192.0.2.1', noon);
    };
    useAll();
    store.isAway = true;
    await usage.flush();
    useAll();
    store.isAway = false;
    await usage.flush();
    await usage.flush();
    const sums = new Map<string, number>();
    for (const { key, allowed } of written()) sums.set(key, (sums.get(key) ?? 0) + allowed);
    expect([...sums.values()]).toEqual(keys.map(() => 2));
  });

  it('is counted while it is being written, and written with the next flush', async () => {
    const { usage, written, store } = setUp();
    const keys = Array.from({ length: 2 * batchSize }, () => heldKey());
    for (const key of keys) usage.record(allowed(key), '', noon);
    store.onRecord = () => {
      for (const key of keys) usage.record(allowed(key), '', noon);
      store.onRecord = () => undefined;
    };
    await usage.flush();
    await usage.flush();
    const total = written().reduce((sum, { allowed }) => sum + allowed, 0);
    expect(total).toBe(2 * keys.length);
  });

  it('is written of a key that memory forgot since, and of one that it forgot before, once each', async () => {
    const { usage, written } = setUp();
    const table = new KeyTable(1, createSharedTerms());
    const records = [keyRecord(), keyRecord(), keyRecord()];
    const found = records.map((record) => {
      table.set(record.digest, record);
      return table.get(record.digest);
    });
    for (const key of found) usage.record(allowed(key), '192.0.2.1', noon);
    for (const key of found) usage.record(allowed(key), '192.0.2.1', noon + 1);
    table.clear();
    usage.record(allowed(found[2]), '192.0.2.1', noon + 2);
    await usage.flush();
    const sums = new Map(records.map(({ id }) => [id, 0]));
    for (const { key, allowed } of written()) sums.set(key, (sums.get(key) ?? 0) + allowed);
    expect([...sums.values()]).toEqual([2, 2, 3]);
    await usage.flush();
    expect(written()).toHaveLength(3);
  });

  it('is written of a key that memory forgets while others are written', async () => {
    const { usage, written, store } = setUp();
    const table = new KeyTable(10_000, createSharedTerms());
    const records = Array.from({ length: 3 * batchSize }, () => keyRecord());
    for (const record of records) table.set(record.digest, record);
    for (const { digest } of records) usage.record(allowed(table.get(digest)), '192.0.2.1', noon);
    store.onRecord = () => {
      for (const { id } of records) table.forget(id);
      for (const record of records) table.set(record.digest, { ...record, id: keyRecord().id });
    };
    await usage.flush();
    expect(written().map(({ key, allowed }) => [key, allowed])).toEqual(records.map(({ id }) => [id, 1]));
  });

  it('of more keys than are to wait is gathered all the same', async () => {
    const { usage, written } = setUp({ heldMax: 2 });
    const keys = Array.from({ length: 5 }, () => heldKey());
    for (const key of keys) usage.record(allowed(key), '', noon);
    await usage.flush();
    expect(written().map(({ key, allowed }) => [key, allowed])).toEqual(keys.map(({ id }) => [id, 1]));
  });

  it('says what it drops at the end', async () => {
    const { usage, store, dropped } = setUp();
    const keys = Array.from({ length: 3 * batchSize }, () => heldKey());
    for (const key of keys) usage.record(allowed(key), '', noon);
    store.onRecord = () => new Promise(() => {});
    await usage.stop(AbortSignal.timeout(1));
    expect(dropped).toEqual([keys.length]);
  });
});

function setUp({ heldMax = 100_000 }: { readonly heldMax?: number } = {}) {
  const batches: (readonly UsageTally[])[] = [];
  const dropped: number[] = [];
  const store = {
    isAway: false,
    onRecord: (): unknown => undefined,
    async recordUsage(tallies: readonly UsageTally[]) {
      if (store.isAway) throw new StoreUnavailable('away');
      await store.onRecord();
      batches.push(tallies);
    },
  };
  const usage = createUsage(
    { store, onError: () => {}, onDropped: (tallies) => dropped.push(tallies) },
    { flushMs: 5_000, talliesMax: 100_000, heldMax },
  );
  return { usage, store, batches, dropped, written: () => batches.flat() };
}

const hold = createHold();

/** A key as memory holds it. */
function heldKey(id?: KeyId): CheckedKey {
  return hold(keyRecord(id === undefined ? {} : { id, spender: id }));
}

function allowed(key: CheckedKey | undefined): Allowed {
  if (key === undefined) throw new Error('there is no such key');
  return { verdict: 'allow', key, scheme, plan: null } as Allowed;
}

function denied(key: CheckedKey): Denied {
  return { verdict: 'deny', reason: 'permission_denied', scheme, key, terms: null, rate: null };
}

/** What tallies of one hour come to together. */
function sumOf(tallies: readonly UsageTally[], hour: number) {
  const ofHour = tallies.filter((tally) => tally.hour === hour);
  const sum = (of: (tally: UsageTally) => number) => ofHour.reduce((total, tally) => total + of(tally), 0);
  return {
    allowed: sum((tally) => tally.allowed),
    denied: sum((tally) => tally.denied.permission_denied ?? 0),
    lastUsedAt: Math.max(...ofHour.map(({ lastUsedAt }) => lastUsedAt ?? 0)),
    addresses: [...new Set(ofHour.flatMap(({ addresses }) => addresses))].toSorted(),
  };
}
