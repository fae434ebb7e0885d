import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KeyId } from '../../src/keys/key.ts';
import type { RateLimit } from '../../src/keys/limit.ts';
import { limitsOfShort } from '../../src/keys/limit.ts';
import { createLimiter, type LimiterOptions } from '../../src/limits/limiter.ts';
import type { RateVerdict } from '../../src/limits/verdict.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import type { UnitLease, UnitLeaseRequest } from '../../src/store/units.ts';

const minute = { limit: 60, windowMs: 60_000 };
const noon = Date.UTC(2030, 0, 1, 12);

describe('a limiter', () => {
  it('begins its windows at whole multiples of their length since the epoch', async () => {
    const limiter = limiterOn(fakeStore());
    const at = async (now: number, windowMs: number) => limiter.spend('k', { limit: 5, windowMs }, 1, now);
    expect(await at(noon + 59_999, 60_000)).toMatchObject({ resetAt: noon / 1_000 + 60, retryAfter: 1 });
    expect(await at(noon + 60_000, 60_000)).toMatchObject({ resetAt: noon / 1_000 + 120, retryAfter: 60 });
    expect(await at(noon + 60_001, 3_600_000)).toMatchObject({ resetAt: noon / 1_000 + 3_600 });
    // 7 s is no part of a minute, nor of a day: still counted from 1970.
    const reset = (await at(noon, 7_000)).resetAt ?? 0;
    expect([reset % 7, reset - noon / 1_000 <= 7]).toEqual([0, true]);
  });

  it('gives out each unit of a window once, and all of them anew in the next', async () => {
    const limiter = limiterOn(fakeStore());
    for (const start of [noon, noon + 60_000]) {
      for (let spent = 1; spent <= 60; spent++) {
        expect(await limiter.spend('k', minute, 1, start + spent)).toMatchObject({
          isAllowed: true,
          limit: 60,
          remaining: 60 - spent,
        });
      }
      expect(await limiter.spend('k', minute, 1, start + 59_000)).toMatchObject({
        isAllowed: false,
        remaining: 0,
        retryAfter: 1,
      });
    }
  });

  it('spends all of a cost or none of it, and nothing for a cost of 0', async () => {
    const limiter = limiterOn(fakeStore());
    const limit = { limit: 10, windowMs: 60_000 };
    const spend = async (cost: number) => {
      const { isAllowed, remaining } = await limiter.spend('k', limit, cost, noon);
      return [isAllowed, remaining];
    };
    expect(await spend(11)).toEqual([false, 10]);
    expect(await spend(7)).toEqual([true, 3]);
    expect(await spend(4)).toEqual([false, 3]);
    expect(await spend(3)).toEqual([true, 0]);
    expect(await spend(1)).toEqual([false, 0]);
    expect(await spend(0)).toEqual([false, 0]);
  });

  it('keeps the windows of several limits of one spender apart, and asks the store no more for it', async () => {
    const store = fakeStore();
    const limiter = limiterOn(store);
    const [second, hour] = [
      { limit: 5, windowMs: 1_000 },
      { limit: 100, windowMs: 3_600_000 },
    ];
    for (let spent = 1; spent <= 5; spent++) {
      expect(await limiter.spend('k', second, 1, noon)).toMatchObject({ remaining: 5 - spent });
      expect(await limiter.spend('k', hour, 1, noon)).toMatchObject({ remaining: 100 - spent });
    }
    const asked = store.leases.length;
    expect(await limiter.spend('k', second, 1, noon)).toMatchObject({ isAllowed: false });
    expect(await limiter.spend('k', second, 1, noon + 1_000)).toMatchObject({
      isAllowed: true,
      remaining: 4,
    });
    expect(limiter.look('k', hour, 1, noon + 1_000)).toMatchObject({ remaining: 95 });
    expect(store.leases.length - asked).toBeLessThanOrEqual(2);
  });

  it('asks the store once for the requests that most keys make in a window', async () => {
    const store = fakeStore();
    const limiter = limiterOn(store);
    const large = { limit: 100_000, windowMs: 60_000 };
    for (let spent = 1; spent <= 48; spent++) {
      expect(await limiter.spend('k', large, 1, noon)).toMatchObject({
        isAllowed: true,
        remaining: 100_000 - spent,
      });
    }
    expect(store.leases).toHaveLength(1);
  });

  it('asks once in a window for what was spent in the one before', async () => {
    const store = fakeStore();
    const limiter = limiterOn(store);
    const large = { limit: 100_000, windowMs: 60_000 };
    const spend = async (window: number, count: number) => {
      const before = store.leases.length;
      for (let spent = 0; spent < count; spent++) {
        const now = noon + (window + spent / count) * large.windowMs;
        expect(await limiter.spend('k', large, 1, now)).toMatchObject({ isAllowed: true });
      }
      return store.leases.slice(before);
    };
    await spend(0, 1_000);
    expect(await spend(1, 1_000)).toHaveLength(1);
    expect(await spend(2, 1_200)).toHaveLength(1);
  });

  it('says of a window that it is likely nobody’s, unless others have leased of one before', async () => {
    const store = fakeStore();
    const [limiter, other] = [limiterOn(store), limiterOn(store)];
    const likely: (boolean | undefined)[] = [];
    for (const window of [0, 1, 2, 3]) {
      const now = noon + window * 60_000;
      if (window === 1) await other.spend('k', minute, 2, now);
      await limiter.spend('k', minute, 2, now);
      likely.push(store.leases.at(-1)?.isLikelyFirst);
    }
    expect(likely).toEqual([true, true, false, false]);
  });

  it('looks without spending, however often', async () => {
    const store = fakeStore();
    const limiter = limiterOn(store);
    for (let times = 0; times < 100; times++) {
      expect(limiter.look('k', minute, 1, noon)).toMatchObject({ isAllowed: true, remaining: 60 });
    }
    expect(limiter.look('k', minute, 61, noon)).toMatchObject({ isAllowed: false, remaining: 60 });
    expect(store.leases).toEqual([]);
    await limiter.spend('k', minute, 60, noon);
    expect(limiter.look('k', minute, 1, noon)).toMatchObject({ isAllowed: false, remaining: 0 });
    expect(limiter.look('k', minute, 1, noon + 60_000)).toMatchObject({ isAllowed: true, remaining: 60 });
  });

  it('hands nothing out twice when the clock steps back', async () => {
    const limiter = limiterOn(fakeStore());
    const limit = { limit: 1, windowMs: 60_000 };
    expect((await limiter.spend('k', limit, 1, noon + 60_000)).isAllowed).toBe(true);
    expect((await limiter.spend('k', limit, 1, noon + 59_999)).isAllowed).toBe(false);
    expect(limiter.look('k', limit, 1, noon + 59_999).isAllowed).toBe(false);
  });

  it('begins a window of the new length where the length was changed', async () => {
    const limiter = limiterOn(fakeStore());
    await limiter.spend('k', minute, 1, noon + 1_800_000);
    const hour = { limit: 100, windowMs: 3_600_000 };
    expect(await limiter.spend('k', hour, 1, noon + 1_800_001)).toMatchObject({
      resetAt: noon / 1_000 + 3_600,
      remaining: 99,
    });
  });

  it('forgets the spenders that were quiet longest, and asks the store for them again', async () => {
    const limiter = limiterOn(fakeStore(), { spendersMax: 2 });
    const limit = { limit: 1, windowMs: 60_000 };
    for (const spender of ['a', 'b', 'c']) await limiter.spend(spender, limit, 1, noon);
    expect((await limiter.spend('a', limit, 1, noon)).isAllowed).toBe(false);
  });

  it('begins anew where the clock was far ahead, and waits for no window of the future', async () => {
    const store = fakeStore();
    const limiter = limiterOn(store);
    const limit = { limit: 1, windowMs: 60_000 };
    const spend = async (now: number) => (await limiter.spend('k', limit, 1, now)).isAllowed;
    expect([await spend(noon), await spend(noon + 86_400_000)]).toEqual([true, true]);
    // The store knows what was spent of the windows before the jump.
    expect([await spend(noon), await spend(noon + 60_000)]).toEqual([false, true]);
  });

  it('keeps to a limit that is lowered at once, and gives more once it is raised', async () => {
    const limiter = limiterOn(fakeStore());
    const spend = async (limit: number, cost = 1) => {
      const { isAllowed, remaining } = await limiter.spend('k', { limit, windowMs: 60_000 }, cost, noon);
      return [isAllowed, remaining];
    };
    for (let spent = 0; spent < 100; spent++) await spend(300);
    expect(await spend(100)).toEqual([false, 0]);
    expect(await spend(101)).toEqual([true, 0]);
    expect(await spend(101)).toEqual([false, 0]);
    expect(await spend(101, 0)).toEqual([false, 0]);
    expect(await spend(103)).toEqual([true, 1]);
  });

  it('asks the store once for all who wait, and gives each what it came for', async () => {
    const store = fakeStore();
    const limiter = limiterOn(store);
    store.hold();
    const waiting = Array.from({ length: 51 }, () => limiter.spend('k', minute, 1, noon));
    expect(store.leases).toHaveLength(1);
    store.release();
    const verdicts = await Promise.all(waiting);
    // The first lease was under way when the others came; the second is for all of them.
    expect(store.leases.map(({ units }) => units)).toEqual([2, 50]);
    expect(verdicts.map(({ remaining }) => remaining)).toEqual(waiting.map((_, index) => 59 - index));
  });

  it('leases ahead of those to come, so that few wait, and seldom asks the store', async () => {
    const store = fakeStore();
    const limiter = limiterOn(store);
    const often = { limit: 10_000, windowMs: 60_000 };
    let waits = 0;
    for (let spent = 0; spent < 5_000; spent++) {
      const verdict = limiter.spend('k', often, 1, noon);
      if (verdict instanceof Promise) waits++;
      expect(await verdict).toMatchObject({ isAllowed: true, remaining: 9_999 - spent });
      await turn();
    }
    expect(waits).toBe(1);
    expect(store.leases.length).toBeLessThan(70);
  });

  it('asks the store for nothing that it cannot have', async () => {
    const store = fakeStore();
    const limiter = limiterOn(store);
    expect((await limiter.spend('k', minute, 61, noon)).isAllowed).toBe(false);
    expect(store.leases).toHaveLength(0);
    await limiter.spend('k', minute, 60, noon);
    for (let times = 0; times < 100; times++) await limiter.spend('k', minute, 1, noon);
    expect(store.leases).toHaveLength(1);
  });

  it('holds on to nothing of a cost that is more than is left: others spend it', async () => {
    const store = fakeStore();
    const [one, other] = [limiterOn(store), limiterOn(store)];
    await one.spend('k', minute, 20, noon);
    expect(await other.spend('k', minute, 59, noon)).toMatchObject({ isAllowed: false, remaining: 39 });
    for (let spent = 0; spent < 40; spent++) {
      expect((await one.spend('k', minute, 1, noon)).isAllowed).toBe(true);
    }
  });

  it('says that the store is away, or allows, as the settings have it, and spends what it has', async () => {
    const often = { limit: 1_000, windowMs: 60_000 };
    for (const allowWhenUnavailable of [true, false]) {
      const store = fakeStore();
      const limiter = limiterOn(store, { allowWhenUnavailable });
      for (let spent = 0; spent < 30; spent++) await limiter.spend('k', often, 1, noon);
      store.away = true;
      const held = store.given('k') - 30;
      expect(held).toBeGreaterThan(4);
      for (let spent = 0; spent < held; spent++) {
        expect((await limiter.spend('k', often, 1, noon)).isAllowed).toBe(true);
      }
      const late = Promise.resolve(limiter.spend('k', often, 1, noon));
      if (allowWhenUnavailable) expect((await late).isAllowed).toBe(true);
      else await expect(late).rejects.toThrow(StoreUnavailable);
      store.away = false;
      expect((await limiter.spend('k', often, 1, noon)).isAllowed).toBe(true);
    }
  });

  it('tells all who wait at once when the store does not answer', async () => {
    const store = fakeStore();
    const limiter = limiterOn(store);
    store.hold();
    const waiting = Array.from({ length: 50 }, () =>
      Promise.resolve(limiter.spend('k', minute, 1, noon)).catch((error: unknown) => error),
    );
    store.away = true;
    store.release();
    expect((await Promise.all(waiting)).every((answer) => answer instanceof StoreUnavailable)).toBe(true);
    expect(store.leases).toHaveLength(1);
  });

  it('admits together with any number of others no more than the limit, and all of it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 9 })), { minLength: 1, maxLength: 150 }),
        async (limit, replicas, requests) => {
          const store = fakeStore();
          const limiters = Array.from({ length: replicas }, () => limiterOn(store));
          const verdicts = await Promise.all(
            requests.map(async ([at, cost]) => {
              const limiter = limiters[at % replicas] as OneLimit;
              const { isAllowed } = await limiter.spend('k', { limit, windowMs: 60_000 }, cost, noon);
              return isAllowed ? cost : 0;
            }),
          );
          const admitted = verdicts.reduce((sum, cost) => sum + cost, 0);
          const asked = requests.reduce((sum, [, cost]) => sum + cost, 0);
          expect(admitted).toBeLessThanOrEqual(limit);
          if (replicas === 1 && asked <= limit) expect(admitted).toBe(asked);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('leaves little of a limit unspent, wherever its requests went at first', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 2_000 }),
        fc.array(fc.nat(2), { maxLength: 1_000 }),
        async (limit, places) => {
          const store = fakeStore();
          const limiters = [limiterOn(store), limiterOn(store), limiterOn(store)] as const;
          const spend = async (place: number) => {
            const limiter = limiters[place] ?? limiters[0];
            return (await limiter.spend('k', { limit, windowMs: 60_000 }, 1, noon)).isAllowed;
          };
          let admitted = 0;
          for (const place of places) admitted += (await spend(place)) ? 1 : 0;
          // From now on the other two are idle, with what they hold.
          while (await spend(0)) admitted++;
          expect(admitted).toBeLessThanOrEqual(limit);
          expect(admitted).toBeGreaterThanOrEqual(limit - 2 * Math.floor(limit / 50));
        },
      ),
      { numRuns: 60 },
    );
  });
});

interface FakeStore {
  leaseUnits(request: UnitLeaseRequest): Promise<UnitLease>;
  returnUnits(): Promise<void>;
  readonly leases: readonly UnitLeaseRequest[];
  away: boolean;
  /** Answers nobody until the release. */
  hold(): void;
  release(): void;
  given(spender: string): number;
}

/** Gives out units as a store promises to, one request after the other. */
function fakeStore(): FakeStore {
  const leased = new Map<string, number>();
  const leases: UnitLeaseRequest[] = [];
  let held = Promise.withResolvers<void>();
  held.resolve();
  const store = {
    leases,
    away: false,
    hold() {
      held = Promise.withResolvers<void>();
    },
    release: () => held.resolve(),
    given: (spender: string) =>
      [...leased].reduce((sum, [window, units]) => sum + (window.startsWith(`${spender} `) ? units : 0), 0),
    async returnUnits() {},
    async leaseUnits(request: UnitLeaseRequest) {
      leases.push(request);
      await held.promise;
      if (store.away) throw new StoreUnavailable('away');
      const { spender, windowStart, windowEnd, limit, units, unitsMin } = request;
      const window = `${spender} ${windowStart} ${windowEnd}`;
      const before = leased.get(window) ?? 0;
      const left = limit - before;
      const granted = left < unitsMin ? 0 : Math.min(units, left);
      leased.set(window, before + granted);
      return { granted, leased: before + granted };
    },
  };
  return store;
}

interface OneLimit {
  spend(spender: string, limit: RateLimit, cost: number, now: number): RateVerdict | Promise<RateVerdict>;
  look(spender: string, limit: RateLimit, cost: number, now: number): RateVerdict;
}

/** Of keys that each have one window and no owner. */
function limiterOn(store: FakeStore, options: Partial<LimiterOptions> = {}): OneLimit {
  const limiter = createLimiter(store, { spendersMax: 100, allowWhenUnavailable: false, ...options });
  const keyOf = (spender: string) => ({ spender: spender as KeyId, owner: null });
  return {
    spend: (spender, limit, cost, now) =>
      limiter.spend(keyOf(spender), null, limitsOfShort(limit), cost, now),
    look: (spender, limit, cost, now) => limiter.look(keyOf(spender), null, limitsOfShort(limit), cost, now),
  };
}

/** Lets everything that is ready run. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
