import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KeyId } from '../../src/keys/key.ts';
import { limitsOfShort } from '../../src/keys/limit.ts';
import { createAdvances } from '../../src/limits/advances.ts';
import { createCharging } from '../../src/limits/charging.ts';
import { createFencedAdvances } from '../../src/limits/fenced-advances.ts';
import { createLimiter, type Limiter } from '../../src/limits/limiter.ts';
import { spanAt } from '../../src/limits/period.ts';
import { createSubleases, type Subleases } from '../../src/limits/subleases.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { createSlowStore, untilIdle } from './slow-store.ts';
import { createUnitLedger, type UnitLedger } from './unit-ledger.ts';

const noon = Date.UTC(2030, 0, 1, 12);
const minuteMs = 60_000;
const secondMs = 1_000;
const limits = limitsOfShort({ limit: 100, windowMs: minuteMs });
const wide = limitsOfShort({ limit: 10_000, windowMs: minuteMs });

describe('limiters that lease by way of one process', () => {
  it('ask the store for nothing at the first requests of a window that began after it did', async () => {
    const ledger = createUnitLedger();
    const { first, other } = serviceOn(ledger);
    await first.spend(key('z'), null, wide, 1, noon);
    const before = ledger.leases();
    const at = noon + minuteMs;
    for (const id of ['a', 'b', 'c']) {
      expect(await first.spend(key(id), null, wide, 1, at)).toMatchObject({ isAllowed: true });
      expect(await other.spend(key(id), null, wide, 1, at)).toMatchObject({ isAllowed: true });
    }
    expect(ledger.leases()).toBe(before);
  });

  it('admit a limit exactly, whether all of them are asked for it or one alone', async () => {
    const { first, other } = serviceOn(createUnitLedger());
    for (const at of [noon, noon + minuteMs, noon + 2 * minuteMs]) {
      expect(await admitted([first, other], 'both', at)).toBe(100);
      expect(await admitted([first], 'alone', at)).toBe(100);
    }
    const at = noon + 3 * minuteMs;
    expect(await first.spend(key('at once'), null, limits, 100, at)).toMatchObject({ isAllowed: true });
  });

  it('admit at least 95 of 100 where one of them has had a request and no more', async () => {
    const { first, other } = serviceOn(createUnitLedger());
    await first.spend(key('z'), null, limits, 1, noon);
    const at = noon + minuteMs;
    await other.spend(key('a'), null, limits, 1, at);
    const count = 1 + (await admitted([first], 'a', at));
    expect(count).toBeGreaterThanOrEqual(95);
    expect(count).toBeLessThanOrEqual(100);
  });

  it('leave no window smaller to the next service when theirs stops, and those of its end when it is killed', async () => {
    for (const isKilled of [false, true]) {
      const ledger = createUnitLedger();
      const { first, other, subleases } = serviceOn(ledger);
      await first.spend(key('z'), null, limits, 1, noon);
      const at = noon + minuteMs;
      for (const one of [first, other]) await one.spend(key('a'), null, limits, 1, at);
      if (!isKilled) await subleases.close(at);
      const next = serviceOn(ledger);
      const all = [next.first, next.other];
      // What its limiters held of a short window is not worth giving back.
      const rest = await admitted(all, 'a', at + 1);
      expect(rest).toBeGreaterThanOrEqual(93);
      expect(rest).toBeLessThanOrEqual(98);
      expect(await admitted(all, 'b', at + 1)).toBe(isKilled ? 98 : 100);
      expect(await admitted(all, 'b', at + minuteMs)).toBe(100);
    }
  });

  it('count what one held that has ended as spent', async () => {
    const service = serviceOn(createUnitLedger());
    await service.first.spend(key('z'), null, wide, 1, noon);
    const at = noon + minuteMs;
    expect(await admitted([service.first], 'a', at, 10, wide)).toBe(10);
    const another = service.another();
    const rest = await admitted([service.other, another], 'a', at, 20_000, wide);
    expect(10 + rest).toBeLessThanOrEqual(10_000);
    expect(10 + rest).toBeGreaterThanOrEqual(9_500);
  });

  it('and what lies at the process that they lease by are told apart from what was used', async () => {
    const { first, other, used } = serviceOn(createUnitLedger());
    await first.spend(key('z'), null, wide, 1, noon);
    const at = noon + minuteMs;
    expect(await used('a', at)).toBe(0);
    await first.spend(key('a'), null, wide, 1, at);
    for (const one of [first, other]) await admitted([one], 'a', at, 3, wide);
    expect(await used('a', at)).toBe(7);
    await admitted([first], 'a', at, 500, wide);
    expect(await used('a', at)).toBe(507);
  });

  it('hear of a charge, of a window that was spent from and of another', async () => {
    const { first, other, used, charge } = serviceOn(createUnitLedger());
    await first.spend(key('z'), null, limits, 1, noon);
    const at = noon + minuteMs;
    for (const id of ['a', 'b']) {
      if (id === 'a') await first.spend(key(id), null, limits, 1, at);
      const before = id === 'a' ? 1 : 0;
      const [charged] = await charge(id, 90, at);
      expect(charged).toMatchObject({ used: 90 + before, remaining: 10 - before });
      expect(await admitted([first, other], id, at)).toBe(10 - before);
      expect(await used(id, at)).toBe(100);
    }
  });

  it('are given nothing before the store has said what those before left behind', async () => {
    const ledger = createUnitLedger();
    let isAway = true;
    const leaseUnits: UnitLedger['leaseUnits'] = async (request) => {
      if (isAway) throw new StoreUnavailable('away');
      return ledger.leaseUnits(request);
    };
    const { first, other } = serviceOn({ ...ledger, leaseUnits });
    await expect(first.spend(key('a'), null, limits, 1, noon)).rejects.toThrow(StoreUnavailable);
    isAway = false;
    expect(await admitted([first, other], 'a', noon)).toBe(100);
  });

  it('keep what lies ready for who asks next when the store is away', async () => {
    const ledger = createUnitLedger();
    let isAway = false;
    const leaseUnits: UnitLedger['leaseUnits'] = async (request) => {
      if (isAway) throw new StoreUnavailable('away');
      return ledger.leaseUnits(request);
    };
    const { first, other } = serviceOn({ ...ledger, leaseUnits });
    await first.spend(key('z'), null, limits, 1, noon);
    const at = noon + minuteMs;
    isAway = true;
    await expect(first.spend(key('a'), null, limits, 5, at)).rejects.toThrow(StoreUnavailable);
    isAway = false;
    expect(await admitted([first, other], 'a', at)).toBe(100);
  });

  it('admit no more than a limit, whoever is killed, forgotten, charged or set back', async () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('spend' as const),
        who: fc.nat(1),
        id: fc.constantFrom('a', 'b', 'c'),
        times: fc.nat(60),
        cost: fc.constantFrom(1, 1, 3),
      }),
      fc.record({ kind: fc.constant('move' as const), ms: fc.integer({ min: -70_000, max: 90_000 }) }),
      fc.record({ kind: fc.constant('replace' as const), who: fc.nat(1) }),
      fc.record({ kind: fc.constantFrom('kill' as const, 'close' as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const ledger = createUnitLedger();
        const spent = new Map<string, number>();
        let service = serviceOn(ledger, 2);
        let all = [service.first, service.other];
        let now = noon;
        let latest = noon;
        for (const one of steps) {
          latest = Math.max(latest, now);
          if (one.kind === 'move') now += one.ms;
          else if (one.kind === 'replace') all[one.who] = service.another();
          else if (one.kind === 'spend') {
            for (let time = 0; time < one.times; time++) {
              const verdict = await all[one.who]?.spend(key(one.id), null, limits, one.cost, now);
              const window = `${one.id} ${verdict?.resetAt}`;
              if (verdict?.isAllowed) spent.set(window, (spent.get(window) ?? 0) + one.cost);
            }
          } else {
            // No clock is set back across the end of one that is killed.
            if (one.kind === 'kill') now = latest;
            else await service.subleases.close(now);
            service = serviceOn(ledger, 2);
            all = [service.first, service.other];
          }
        }
        for (const count of spent.values()) expect(count).toBeLessThanOrEqual(100);
      }),
    );
  });

  it('admit no more than a limit with those of another replica, whoever thinks to be alone', async () => {
    const step = fc.record({
      what: fc.constantFrom('spend' as const, 'keep' as const, 'keep' as const, 'begin' as const),
      replica: fc.nat(1),
      who: fc.nat(1),
      isAlone: fc.boolean(),
      ms: fc.constantFrom(0, 0, secondMs, 11 * secondMs),
      places: fc.array(fc.nat(9), { maxLength: 8 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 20 }), async (steps) => {
        const store = createSlowStore();
        const spent = new Map<number, number>();
        const isAlone = [true, true];
        const make = (one: number) => fencedServiceOn(store, () => (isAlone[one] ? 1 : 2));
        const services = isAlone.map((_, one) => make(one));
        const drain = async (at: number) => {
          for (const { all } of services) {
            for (let time = 0; time <= 100; time++) void spendOne(all[time % 2], at, spent);
            await store.goOn(untilIdle);
          }
        };
        void spendOne(services[0]?.all[0], noon, spent);
        let now = noon;
        for (; now < noon + minuteMs; now += secondMs) {
          await store.goOn(untilIdle);
          void services[0]?.subleases.keep(now).catch(() => {});
        }
        for (const { what, replica, who, ms, ...more } of steps) {
          now += ms;
          isAlone[replica] = more.isAlone;
          const service = services[replica];
          if (what === 'begin') services[replica] = make(replica);
          else if (what === 'keep') void service?.subleases.keep(now).catch(() => {});
          else void spendOne(service?.all[who], now, spent);
          await store.goOn(more.places);
        }
        await store.goOn(untilIdle);
        for (let window = 0; window < 3; window++) await drain(now + window * minuteMs);
        expect(spent.size).toBeGreaterThan(0);
        for (const count of spent.values()) expect(count).toBeLessThanOrEqual(100);
      }),
      { numRuns: 60 },
    );
  });
});

type Store = Pick<UnitLedger, 'leaseUnits' | 'returnUnits'>;

/** A service whose Checks two limiters answer, and how a key stands there. */
function serviceOn(store: Store, windowsMax = 100) {
  let now = noon;
  const subleases = createSubleases(store, {
    ...{ advances: createAdvances(store), lessees: 2, windowsMax, now: () => now },
  });
  const another = () => {
    const limiter = lesseeOf(subleases, windowsMax);
    const spend: Limiter['spend'] = (spender, owner, list, cost, at) => {
      now = at;
      return limiter.spend(spender, owner, list, cost, at);
    };
    return { ...limiter, spend };
  };
  const [first, other] = [another(), another()];
  const windowAt = (id: string, at: number) => ({
    ...{ holder: id, counter: id, ...spanAt(minuteMs, null, at), limit: 100 },
  });
  const heldOf = (window: ReturnType<typeof windowAt>) =>
    [first, other, subleases].reduce((sum, one) => sum + (one.held([window])[0] ?? 0), 0);
  const countOf = async (id: string, at: number, units = 0) => {
    const { start: windowStart, end: windowEnd } = spanAt(minuteMs, null, at);
    const asked = { spender: id, windowStart, windowEnd, limit: 1e9, units, unitsMin: units };
    return (await store.leaseUnits(asked)).leased;
  };
  return {
    ...{ first, other, another, subleases },
    async used(id: string, at: number): Promise<number> {
      await nothingUnderWay();
      return (await countOf(id, at)) - heldOf(windowAt(id, at));
    },
    async charge(id: string, units: number, at: number) {
      await nothingUnderWay();
      const charging = createCharging({
        store: {
          chargeUnits: async () => {
            const before = await countOf(id, at);
            return [{ before, after: await countOf(id, at, units) }];
          },
          countUnits: async () => [await countOf(id, at)],
        },
        held: async (windows) => windows.map((window) => heldOf(window as ReturnType<typeof windowAt>)),
        async charged(counts) {
          for (const [window, leased] of counts) {
            const told = subleases.charged(window, leased);
            for (const one of [first, other]) one.charged(window, told);
          }
        },
        now: () => at,
      });
      const [limit] = limits;
      if (limit === undefined) throw new Error('there is no limit');
      return charging([{ key: key(id), owner: null, limit, units }], null);
    },
  };
}

function fencedServiceOn(store: Store, replicas: () => number) {
  let now = noon;
  const subleases = createSubleases(store, {
    ...{ advances: createFencedAdvances(store, replicas), lessees: 2, windowsMax: 100, now: () => now },
  });
  const all = [lesseeOf(subleases), lesseeOf(subleases)].map((limiter) => ({
    ...limiter,
    spend: ((spender, owner, list, cost, at) => {
      now = at;
      return limiter.spend(spender, owner, list, cost, at);
    }) satisfies Limiter['spend'],
  }));
  return { subleases, all };
}

function lesseeOf(subleases: Subleases, spendersMax = 100): Limiter {
  return createLimiter(subleases, { spendersMax, allowWhenUnavailable: false, sharers: () => 2 });
}

async function spendOne(limiter: Limiter | undefined, at: number, spent: Map<number, number>): Promise<void> {
  const verdict = await Promise.resolve(limiter?.spend(key('a'), null, limits, 1, at)).catch(() => null);
  if (!verdict?.isAllowed) return;
  spent.set(verdict.resetAt ?? 0, (spent.get(verdict.resetAt ?? 0) ?? 0) + 1);
}

/** Leases ahead of need come while nobody waits. */
function nothingUnderWay(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** How many requests pass that ask these in turns, until all of them deny. */
async function admitted(
  limiters: readonly Limiter[],
  id: string,
  at: number,
  most = 1_000,
  list = limits,
): Promise<number> {
  let count = 0;
  let denials = 0;
  for (let turn = 0; denials < limiters.length && count < most; turn++) {
    const verdict = await limiters[turn % limiters.length]?.spend(key(id), null, list, 1, at);
    if (verdict?.isAllowed) {
      count++;
      denials = 0;
    } else denials++;
  }
  return count;
}

function key(id: string) {
  return { spender: id as KeyId, owner: null };
}
