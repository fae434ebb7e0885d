import { describe, expect, it } from 'vitest';
import { type CheckStore, withBreakers } from '../../src/store/breaker.ts';
import { StaleAnswer } from '../../src/store/stale-answer.ts';
import { BadRecord, StoreUnavailable, UnreadableRecord } from '../../src/store/store.ts';
import { keyRecord } from '../records.ts';

const key = keyRecord();
const lease = { spender: 'k', windowStart: 0, windowEnd: 1, limit: 1, units: 1, unitsMin: 1 };

describe('a breaker', () => {
  it('hands on every call and every answer while the store is there', async () => {
    const { store, asked } = setUp();
    expect(await store.findKey([key.digest])).toBe(key);
    expect(await store.getOwner('acme')).toBe(null);
    expect(await store.leaseUnits(lease)).toEqual({ granted: 1, leased: 1 });
    expect(asked).toEqual(['findKey', 'getOwner', 'leaseUnits']);
  });

  it('asks no more after five failures in a row, and says so at once', async () => {
    const { store, state, asked, told } = setUp();
    state.fault = new StoreUnavailable('away');
    for (let times = 0; times < 5; times++) await expect(store.findKey([])).rejects.toBe(state.fault);
    expect(told).toEqual(['reads opened']);
    for (let times = 0; times < 100; times++) {
      await expect(store.findKey([])).rejects.toBeInstanceOf(StoreUnavailable);
      await expect(store.getOwner('acme')).rejects.toBeInstanceOf(StoreUnavailable);
    }
    expect(asked).toHaveLength(5);
    expect(told).toEqual(['reads opened']);
  });

  it('does not count failures with an answer between them', async () => {
    const { store, state, told } = setUp();
    for (let times = 0; times < 20; times++) {
      state.fault = times % 5 === 4 ? null : new StoreUnavailable('away');
      await store.findKey([]).catch(() => {});
    }
    expect(told).toEqual([]);
  });

  it('takes whatever else goes wrong for an answer, and hands it on', async () => {
    const { store, state, told } = setUp();
    state.fault = new BadRecord('key_x', 'name');
    for (let times = 0; times < 20; times++) await expect(store.findKey([])).rejects.toBe(state.fault);
    expect(told).toEqual([]);
  });

  const ofAnswers = [new UnreadableRecord('bad'), new StaleAnswer('late')];
  it.each(ofAnswers)(
    'takes a store for one that is there whose answer cannot be used: $name',
    async (fault) => {
      const { store, state, asked, told } = setUp();
      state.fault = fault;
      for (let times = 0; times < 20; times++) await expect(store.findKey([])).rejects.toBe(state.fault);
      expect(asked).toHaveLength(20);
      expect(told).toEqual([]);
    },
  );

  it('asks once after a while, whoever else asks then, and is as before when that is answered', async () => {
    const { store, state, asked, told } = setUp();
    await fail(store, state);
    state.now += 999;
    await expect(store.findKey([])).rejects.toBeInstanceOf(StoreUnavailable);
    state.now++;
    state.fault = null;
    const answer = Promise.withResolvers<void>();
    state.before = () => answer.promise;
    asked.length = 0;
    const probe = store.findKey([]);
    for (let times = 0; times < 50; times++) {
      await expect(store.findKey([])).rejects.toBeInstanceOf(StoreUnavailable);
    }
    expect(asked).toHaveLength(1);
    answer.resolve();
    expect(await probe).toBe(key);
    expect(told).toEqual(['reads opened', 'reads closed']);
    expect(await Promise.all([store.findKey([]), store.findKey([])])).toEqual([key, key]);
  });

  it('waits again, with nothing more to say, when it finds the store away still', async () => {
    const { store, state, asked, told } = setUp();
    await fail(store, state);
    for (let times = 1; times <= 3; times++) {
      state.now += 1_000;
      asked.length = 0;
      for (let callers = 0; callers < 10; callers++) await store.findKey([]).catch(() => {});
      expect(asked).toHaveLength(1);
    }
    expect(told).toEqual(['reads opened']);
    state.now += 1_000;
    state.fault = null;
    expect(await store.findKey([])).toBe(key);
    expect(told).toEqual(['reads opened', 'reads closed']);
  });

  it('counts from the beginning once the store has answered again', async () => {
    const { store, state, asked } = setUp();
    await fail(store, state);
    state.now += 1_000;
    state.fault = null;
    await store.findKey([]);
    asked.length = 0;
    await fail(store, state);
    expect(asked).toHaveLength(5);
  });

  it('waits for half of its time at least, by chance, so that a fleet does not come back in step', async () => {
    const { store, state } = setUp();
    state.random = 0;
    await fail(store, state);
    state.fault = null;
    state.now += 499;
    await expect(store.findKey([])).rejects.toBeInstanceOf(StoreUnavailable);
    state.now++;
    expect(await store.findKey([])).toBe(key);
  });

  it('goes back to asking when a call that began earlier is answered after all', async () => {
    const { store, state, told } = setUp();
    const answer = Promise.withResolvers<void>();
    state.before = () => answer.promise;
    const early = store.findKey([]);
    state.before = async () => {};
    await fail(store, state);
    state.fault = null;
    answer.resolve();
    expect(await early).toBe(key);
    expect(told).toEqual(['reads opened', 'reads closed']);
    expect(await store.findKey([])).toBe(key);
  });

  it('tells reads from leases: a store without a majority still answers those that it can', async () => {
    const { store, state, told } = setUp();
    state.fault = new StoreUnavailable('no majority');
    for (let times = 0; times < 5; times++) await store.leaseUnits(lease).catch(() => {});
    state.fault = null;
    await expect(store.leaseUnits(lease)).rejects.toBeInstanceOf(StoreUnavailable);
    expect(await store.findKey([])).toBe(key);
    expect(told).toEqual(['leases opened']);
  });
});

function setUp() {
  const state = { now: 0, random: 0.999_999, fault: null as Error | null, before: async () => {} };
  const asked: string[] = [];
  const told: string[] = [];
  const answer = async <T>(name: string, value: T): Promise<T> => {
    asked.push(name);
    await state.before();
    if (state.fault !== null) throw state.fault;
    return value;
  };
  const store = withBreakers(
    {
      findKey: () => answer('findKey', key),
      getRole: async () => null,
      getOwner: () => answer('getOwner', null),
      leaseUnits: () => answer('leaseUnits', { granted: 1, leased: 1 }),
      returnUnits: () => answer('returnUnits', undefined),
    },
    {
      monotonic: () => state.now,
      random: () => state.random,
      onOpened: (circuit) => told.push(`${circuit} opened`),
      onClosed: (circuit) => told.push(`${circuit} closed`),
    },
    { failuresMax: 5, openMs: 1_000 },
  );
  return { store, state, asked, told };
}

async function fail(store: CheckStore, state: { fault: Error | null }): Promise<void> {
  state.fault = new StoreUnavailable('away');
  for (let times = 0; times < 5; times++) await store.findKey([]).catch(() => {});
}
