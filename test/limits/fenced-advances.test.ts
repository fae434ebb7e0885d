import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KeyId } from '../../src/keys/key.ts';
import { limitsOfShort } from '../../src/keys/limit.ts';
import { createFencedAdvances } from '../../src/limits/fenced-advances.ts';
import { createLimiter, type Limiter } from '../../src/limits/limiter.ts';
import { spanAt } from '../../src/limits/period.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { createSlowStore, untilIdle } from './slow-store.ts';
import { createUnitLedger, type UnitLedger } from './unit-ledger.ts';

const noon = Date.UTC(2030, 0, 1, 12);
const secondMs = 1_000;
const minuteMs = 60_000;
const limits = limitsOfShort({ limit: 100, windowMs: minuteMs });

/** One of them is spent in advance. */
const few = 50;
const brief = 10 * secondMs;
const fewLimits = limitsOfShort({ limit: few, windowMs: brief });

describe('a limiter that others may share the store with at any time', () => {
  it('asks the store for nothing at the first requests of a window, once it was alone for a while', async () => {
    const ledger = createUnitLedger();
    const limiter = limiterOn(ledger);
    await limiter.spend(key('a'), null, limits, 1, noon);
    await pass(limiter, noon, 2 * minuteMs);
    const before = ledger.leases();
    for (const id of ['a', 'b', 'c']) {
      const verdict = limiter.spend(key(id), null, limits, 1, noon + 2 * minuteMs);
      expect(verdict).toMatchObject({ isAllowed: true, remaining: 99 });
    }
    expect(ledger.leases()).toBe(before);
  });

  it('asks the store for nothing of any key but the first, where nobody leased lately and it is alone', async () => {
    const ledger = createUnitLedger();
    const limiter = limiterOn(ledger);
    await limiter.spend(key('a'), null, limits, 1, noon);
    const before = ledger.leases();
    for (const id of ['b', 'c', 'd']) {
      const verdict = limiter.spend(key(id), null, limits, 1, noon);
      expect(verdict).toMatchObject({ isAllowed: true, remaining: 99 });
    }
    expect(ledger.leases()).toBe(before);
    const other = limiterOn(ledger, () => 2);
    expect(await admitted(other, 'b', noon)).toBe(98);
    expect(await admitted(limiter, 'b', noon)).toBe(1);
  });

  it('admits a limit exactly in each window while it comes to hold the advances', async () => {
    const limiter = limiterOn(createUnitLedger());
    for (let at = noon; at < noon + 5 * minuteMs; at += minuteMs) {
      expect(await admitted(limiter, 'a', at)).toBe(100);
      await pass(limiter, at, minuteMs);
    }
  });

  it('leaves what it may have spent to nobody, and each window to all of them as soon as another leases', async () => {
    const ledger = createUnitLedger();
    let sharers = 1;
    const first = limiterOn(ledger, () => sharers);
    await first.spend(key('a'), null, limits, 1, noon);
    await pass(first, noon, 2 * minuteMs);
    const at = noon + 2 * minuteMs;
    expect((await first.spend(key('a'), null, limits, 1, at)).isAllowed).toBe(true);
    sharers = 2;
    const other = limiterOn(ledger, () => sharers);
    expect(await admitted(other, 'a', at)).toBe(98);
    expect(await admitted(first, 'a', at)).toBe(1);
    await Promise.all([pass(first, at, minuteMs), pass(other, at, minuteMs)]);
    expect(await admitted(other, 'a', at + minuteMs)).toBe(100);
    expect(await admitted(first, 'a', at + minuteMs)).toBe(0);
  });

  it('tells of a window what may have been spent of it elsewhere, and of one that it has to itself nothing', async () => {
    const ledger = createUnitLedger();
    const first = limiterOn(ledger);
    await first.spend(key('a'), null, limits, 1, noon);
    await pass(first, noon, 2 * minuteMs);
    const other = limiterOn(ledger);
    const at = noon + 2 * minuteMs;
    const window = { holder: 'a', counter: 'a', ...spanAt(minuteMs, null, at), limit: 100 };
    await other.know([window]);
    expect(other.held([window])).toEqual([-2]);
    expect(first.held([window])).toEqual([0]);
    await first.spend(key('a'), null, limits, 1, at);
    expect(first.held([window])).toEqual([-1]);
    const alone = limiterOn(createUnitLedger());
    await alone.know([window]);
    expect(alone.held([window])).toEqual([0]);
  });

  it('leaves no window smaller to the next when it stops, and those of the next half minute when it is killed', async () => {
    for (const isKilled of [false, true]) {
      const ledger = createUnitLedger();
      const first = limiterOn(ledger);
      await first.spend(key('a'), null, limits, 1, noon);
      await pass(first, noon, 2 * minuteMs);
      const at = noon + 2 * minuteMs;
      expect((await first.spend(key('a'), null, limits, 1, at)).isAllowed).toBe(true);
      if (!isKilled) await first.close(at);
      const next = limiterOn(ledger);
      expect(await admitted(next, 'a', at)).toBe(isKilled ? 98 : 99);
      expect(await admitted(next, 'b', at)).toBe(isKilled ? 98 : 100);
      expect(await admitted(next, 'b', at + minuteMs)).toBe(100);
    }
  });

  it('leases nothing of a window before the store has said what others may have spent of it', async () => {
    const ledger = createUnitLedger();
    let isAway = true;
    const leaseUnits: UnitLedger['leaseUnits'] = async (request) => {
      if (isAway) throw new StoreUnavailable('away');
      return ledger.leaseUnits(request);
    };
    const limiter = limiterOn({ ...ledger, leaseUnits });
    await expect(limiter.spend(key('a'), null, limits, 1, noon)).rejects.toThrow(StoreUnavailable);
    isAway = false;
    expect(await admitted(limiter, 'a', noon)).toBe(100);
    isAway = true;
    const later = noon + 10 * minuteMs;
    await expect(limiter.spend(key('b'), null, limits, 1, later)).rejects.toThrow(StoreUnavailable);
  });

  it("spends no advance of a window that was another's, though its clock is behind", async () => {
    const ledger = createUnitLedger();
    const first = limiterOn(ledger);
    await first.spend(key('a'), null, limits, 1, noon);
    await pass(first, noon, 2 * minuteMs - 5 * secondMs);
    const behind = limiterOn(ledger);
    const from = noon + minuteMs;
    await behind.spend(key('a'), null, limits, 1, from);
    await pass(behind, from, 20 * secondMs);
    const at = noon + 2 * minuteMs;
    expect((await admitted(first, 'b', at)) + (await admitted(behind, 'b', at))).toBe(100);
    await pass(first, at, minuteMs);
    await pass(behind, at, minuteMs);
    const later = at + minuteMs;
    expect((await admitted(behind, 'b', later)) + (await admitted(first, 'b', later))).toBeLessThanOrEqual(
      100,
    );
  });

  it('admits no more than a limit, wherever another comes to hold the advances in between', async () => {
    for (let before = 0; before < 16; before++) {
      const ledger = createUnitLedger();
      const stores = [createSlowStore(ledger), createSlowStore(ledger)] as const;
      const [first, other] = stores.map((store) => limiterOn(store)) as [Limiter, Limiter];
      const spent = new Map<number, number>();
      const drain = async (at: number) => {
        for (const [one, limiter] of [first, other].entries()) {
          for (let time = 0; time <= few; time++) void spendOne(limiter, at, spent);
          await stores[one]?.goOn(untilIdle);
        }
      };
      await drain(noon);
      for (const limiter of [first, other]) void limiter.giveBack(noon);
      void first.giveBack(noon + 11 * secondMs);
      await stores[0].goOn(Array.from({ length: before }, () => 0));
      void other.giveBack(noon + 11 * secondMs);
      await stores[1].goOn(untilIdle);
      await stores[0].goOn(untilIdle);
      for (let window = 1; window < 5; window++) await drain(noon + window * brief);
      expect(spent.size).toBe(5);
      for (const count of spent.values()) expect(count).toBeLessThanOrEqual(few);
    }
  });

  it('admits no more than a limit with others, whoever thinks to be alone, stands still, ends or has another clock', async () => {
    const places = fc.array(fc.nat(9), { maxLength: 8 });
    const step = fc.record({
      what: fc.constantFrom('spend' as const, 'keep' as const, 'keep' as const, 'begin' as const),
      who: fc.nat(2),
      isAlone: fc.boolean(),
      ms: fc.constantFrom(0, 0, secondMs, 11 * secondMs),
      places,
    });
    const skew = fc.constantFrom(0, 0, -7 * secondMs, 7 * secondMs);
    const skews = fc.tuple(skew, skew, skew);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 20 }), skews, async (steps, offsets) => {
        const store = createSlowStore();
        const spent = new Map<number, number>();
        const isAlone = [true, true, true];
        const make = (one: number) => limiterOn(store, () => (isAlone[one] ? 1 : 2));
        const all = isAlone.map((_, one) => make(one));
        const drain = async (at: number) => {
          for (const [one, limiter] of all.entries()) {
            for (let time = 0; time <= few; time++) void spendOne(limiter, at + (offsets[one] ?? 0), spent);
            await store.goOn(untilIdle);
          }
        };
        const [first] = all;
        if (first !== undefined) void spendOne(first, noon, spent);
        let now = noon;
        for (; now < noon + minuteMs; now += secondMs) {
          await store.goOn(untilIdle);
          void first?.giveBack(now);
        }
        for (const { what, who, ms, ...more } of steps) {
          now += ms;
          isAlone[who] = more.isAlone;
          const at = now + (offsets[who] ?? 0);
          if (what === 'begin') all[who] = make(who);
          else if (what === 'keep') void all[who]?.giveBack(at);
          else if (all[who] !== undefined) void spendOne(all[who], at, spent);
          await store.goOn(more.places);
        }
        await store.goOn(untilIdle);
        for (let window = 0; window < 5; window++) await drain(now + window * brief);
        for (const count of spent.values()) expect(count).toBeLessThanOrEqual(few);
      }),
      { numRuns: 150 },
    );
  });
});

async function spendOne(limiter: Limiter, at: number, spent: Map<number, number>): Promise<void> {
  const verdict = await Promise.resolve(limiter.spend(key('a'), null, fewLimits, 1, at)).catch(() => null);
  if (verdict === null) return;
  const { isAllowed, resetAt } = verdict;
  if (isAllowed) spent.set(resetAt ?? 0, (spent.get(resetAt ?? 0) ?? 0) + 1);
}

/** Lets that time pass, as in a service. */
async function pass(limiter: Limiter, from: number, ms: number): Promise<void> {
  for (let at = from; at <= from + ms; at += secondMs) await limiter.giveBack(at);
}

function limiterOn(store: Pick<UnitLedger, 'leaseUnits' | 'returnUnits'>, sharers = () => 1): Limiter {
  const options = { spendersMax: 100, allowWhenUnavailable: false, sharers };
  return createLimiter(store, { ...options, advances: createFencedAdvances(store, sharers) });
}

async function admitted(limiter: Limiter, id: string, at: number): Promise<number> {
  let count = 0;
  while ((await limiter.spend(key(id), null, limits, 1, at)).isAllowed) count++;
  return count;
}

function key(id: string) {
  return { spender: id as KeyId, owner: null };
}
