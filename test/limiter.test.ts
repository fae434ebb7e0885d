import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLimiter, type Limiter, type LimiterOptions } from '../src/limiter.ts';
import { StoreUnavailable, type UnitLease, type UnitLeaseRequest } from '../src/store.ts';

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
    const reset = (await at(noon, 7_000)).resetAt;
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
    expect(await spend(0)).toEqual([true, 0]);
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

  it('says that the store is away, or lets pass, as the settings have it, and spends what it has', async () => {
    const rare = { limit: 1_000, windowMs: 60_000 };
    for (const allowWhenUnavailable of [true, false]) {
      const store = fakeStore();
      const limiter = limiterOn(store, { allowWhenUnavailable });
      await limiter.spend('k', rare, 1, noon);
      store.away = true;
      for (let spent = 0; spent < 19; spent++) {
        expect((await limiter.spend('k', rare, 1, noon)).isAllowed).toBe(true);
      }
      const late = Promise.resolve(limiter.spend('k', rare, 1, noon));
      if (allowWhenUnavailable) expect((await late).isAllowed).toBe(true);
      else await expect(late).rejects.toThrow(StoreUnavailable);
    }
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
              const limiter = limiters[at % replicas] as Limiter;
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
});

interface FakeStore {
  leaseUnits(request: UnitLeaseRequest): Promise<UnitLease>;
  readonly leases: readonly UnitLeaseRequest[];
  away: boolean;
}

/** Gives out units as a store promises to, one request after the other. */
function fakeStore(): FakeStore {
  const leased = new Map<string, number>();
  const leases: UnitLeaseRequest[] = [];
  const store: FakeStore = {
    leases,
    away: false,
    async leaseUnits(request) {
      if (store.away) throw new StoreUnavailable('away');
      leases.push(request);
      const window = `${request.spender} ${request.windowStart} ${request.windowEnd}`;
      const before = leased.get(window) ?? 0;
      const granted = Math.max(0, Math.min(request.units, request.limit - before));
      leased.set(window, before + granted);
      return { granted, leased: before + granted };
    },
  };
  return store;
}

function limiterOn(store: FakeStore, options: Partial<LimiterOptions> = {}): Limiter {
  return createLimiter(store, { spendersMax: 100, allowWhenUnavailable: false, ...options });
}
