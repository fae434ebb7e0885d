import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KeyId } from '../../src/keys/key.ts';
import type { Limit } from '../../src/keys/limit.ts';
import { counterId } from '../../src/limits/counter.ts';
import { createLimiter, type Limiter } from '../../src/limits/limiter.ts';
import type { LimitNews } from '../../src/limits/news.ts';
import { spanAt } from '../../src/limits/period.ts';
import { createUnitLedger } from './unit-ledger.ts';

const noon = Date.UTC(2030, 0, 10, 12);
const dayMs = 86_400_000;
const limit = (given: Partial<Limit>): Limit => ({
  ...{ name: 'default', limit: 10, per: 60_000, sharedBy: 'key' },
  ...given,
});
const key = (spender: string, owner: string | null = null) => ({ spender: spender as KeyId, owner });

function limiterOn(ledger = createUnitLedger(), given: Partial<Parameters<typeof createLimiter>[1]> = {}) {
  return createLimiter(ledger, { spendersMax: 100, allowWhenUnavailable: false, ...given });
}

describe('several limits', () => {
  it('are spent from all together, or from none', async () => {
    const limiter = limiterOn();
    const limits = [
      limit({ name: 'burst', limit: 3, per: 1_000 }),
      limit({ name: 'monthly', limit: 5, per: 'month' }),
    ];
    const spend = async (now: number, cost = 1) => {
      const { isAllowed, name } = await limiter.spend(key('k'), null, limits, cost, now);
      return [isAllowed, name];
    };
    for (let spent = 0; spent < 3; spent++) expect((await spend(noon))[0]).toBe(true);
    expect(await spend(noon)).toEqual([false, 'burst']);
    // Nothing of the month was spent by what the burst denied.
    expect(limiter.look(key('k'), null, limits, 0, noon + 1_000).standings()).toMatchObject([
      { name: 'burst', remaining: 3 },
      { name: 'monthly', remaining: 2 },
    ]);
    expect(await spend(noon + 1_000, 3)).toEqual([false, 'monthly']);
    expect((await spend(noon + 1_000, 2))[0]).toBe(true);
    expect(await spend(noon + 1_001)).toEqual([false, 'monthly']);
  });

  it('tell of the one that resets last where several deny, a total last of all, without a time', async () => {
    const limiter = limiterOn();
    const day = limit({ name: 'daily', limit: 1, per: 'day' });
    const limits = [limit({ name: 'burst', limit: 1, per: 1_000 }), day];
    await limiter.spend(key('k'), null, limits, 1, noon);
    const denied = await limiter.spend(key('k'), null, limits, 1, noon);
    expect(denied).toMatchObject({ isAllowed: false, name: 'daily', retryAfter: 43_200 });
    const budget = limit({ name: 'budget', limit: 1, per: 'total' });
    await limiter.spend(key('b'), null, [day, budget], 1, noon);
    expect(await limiter.spend(key('b'), null, [day, budget], 1, noon)).toMatchObject({
      ...{ isAllowed: false, name: 'budget', retryAfter: null, resetAt: null, lengthSeconds: null },
    });
    expect((await limiter.spend(key('b'), null, [budget], 1, noon + 9_000 * dayMs)).isAllowed).toBe(false);
  });

  it('tell on an allow of the one with the smallest share left', async () => {
    const limiter = limiterOn();
    const limits = [limit({ name: 'a', limit: 4 }), limit({ name: 'b', limit: 100, per: 'month' })];
    expect(await limiter.spend(key('k'), null, limits, 1, noon)).toMatchObject({ name: 'a', remaining: 3 });
    expect(await limiter.spend(key('k'), null, limits, 1, noon + 60_000)).toMatchObject({
      name: 'a',
      limit: 4,
    });
  });

  it('that an owner shares are one counter for all its keys, and a key without an owner counts alone', async () => {
    const ledger = createUnitLedger();
    const limiter = limiterOn(ledger);
    const limits = [limit({ name: 'monthly', limit: 3, per: 'month', sharedBy: 'owner' })];
    const spend = async (spender: string, owner: string | null) =>
      (await limiter.spend(key(spender, owner), null, limits, 1, noon)).isAllowed;
    expect([await spend('a', 'acme'), await spend('b', 'acme'), await spend('c', 'acme')]).toEqual([
      true,
      true,
      true,
    ]);
    expect([await spend('d', 'acme'), await spend('e', 'other'), await spend('f', null)]).toEqual([
      false,
      true,
      true,
    ]);
  });

  it('keep their counters while name, period and sharing stay, whatever else changes', async () => {
    const limiter = limiterOn();
    const spend = async (given: Partial<Limit>, cost = 1) =>
      (await limiter.spend(key('k', 'acme'), null, [limit({ per: 'month', ...given })], cost, noon))
        .isAllowed;
    expect(await spend({ limit: 5 }, 5)).toBe(true);
    expect([await spend({ limit: 4 }), await spend({ limit: 7 }, 2), await spend({ limit: 7 })]).toEqual([
      ...[false, true, false],
    ]);
    expect([
      await spend({ name: 'another' }),
      await spend({ per: 'week' }),
      await spend({ sharedBy: 'owner' }),
    ]).toEqual([...[true, true, true]]);
  });

  it.each([
    ['month', 'month'],
    ['minute', 60_000],
  ] as const)(
    'that are lowered within their %s are kept to by all, whatever each had leased before',
    async (_, per) => {
      const ledger = createUnitLedger();
      const [one, other] = [limiterOn(ledger, { sharers: () => 2 }), limiterOn(ledger, { sharers: () => 2 })];
      const [before, after, raised] = [1_000, 600, 700].map((units) => [limit({ limit: units, per })]);
      const spend = async (limiter: Limiter, limits: readonly Limit[] = [], times = 0) => {
        let admitted = 0;
        for (let sent = 0; sent < times; sent++) {
          if ((await limiter.spend(key('k'), null, limits, 1, noon)).isAllowed) admitted++;
        }
        return admitted;
      };
      expect(await spend(one, before, 100)).toBe(100);
      expect(await spend(other, before, 550)).toBe(550);
      // The first has leased some that it has not spent; others have spent as much meanwhile.
      expect([await spend(one, after, 100), await spend(other, after, 100)]).toEqual([0, 0]);
      const more = (await spend(one, raised, 200)) + (await spend(other, raised, 200));
      expect(650 + more).toBeLessThanOrEqual(700);
      expect(650 + more).toBeGreaterThanOrEqual(665);
    },
  );

  it('give nothing anew where the billing anchor changes: what was spent counts in the period that runs then', async () => {
    const ledger = createUnitLedger();
    const limits = [limit({ name: 'monthly', limit: 10, per: 'month', sharedBy: 'owner' })];
    const spend = async (limiter: Limiter, anchor: number | null, cost: number, now = noon) =>
      (await limiter.spend(key('k', 'acme'), { billingAnchor: anchor }, limits, cost, now)).isAllowed;
    const [one, other] = [limiterOn(ledger), limiterOn(ledger)];
    const fifth = Date.UTC(2026, 0, 5);
    expect(await spend(one, null, 8)).toBe(true);
    // A replica that knows the old period, and one that does not.
    expect([await spend(one, fifth, 3), await spend(other, fifth, 3)]).toEqual([false, false]);
    expect([await spend(other, fifth, 1), await spend(one, null, 2), await spend(one, null, 1)]).toEqual([
      true,
      false,
      true,
    ]);
    // The next period begins at the anchor.
    expect(await spend(one, fifth, 10, Date.UTC(2030, 1, 5))).toBe(true);
  });

  it('of periods give back what lies idle, so that others spend it', async () => {
    const ledger = createUnitLedger();
    const [quiet, busy] = [limiterOn(ledger), limiterOn(ledger)];
    const limits = [limit({ name: 'monthly', limit: 1_000, per: 'month' })];
    for (let spent = 0; spent < 100; spent++) await quiet.spend(key('k'), null, limits, 1, noon);
    expect(ledger.countOf(noon)).toBeGreaterThan(100);
    await quiet.giveBack(noon + 1_000);
    expect(ledger.countOf(noon)).toBeGreaterThan(100);
    await quiet.giveBack(noon + 2_000);
    expect(ledger.countOf(noon)).toBe(100);
    let admitted = 100;
    while ((await busy.spend(key('k'), null, limits, 1, noon + 2_000)).isAllowed) admitted++;
    expect(admitted).toBe(1_000);
    await busy.close(noon + 2_000);
    expect(ledger.countOf(noon)).toBe(1_000);
  });

  it('hold less in advance the more replicas there are: a twentieth all together', async () => {
    const ledger = createUnitLedger();
    const limits = [limit({ name: 'monthly', limit: 100_000, per: 'month' })];
    const replicas = Array.from({ length: 50 }, () => limiterOn(ledger, { sharers: () => 50 }));
    let spent = 0;
    for (let round = 0; round < 400; round++) {
      for (const replica of replicas) {
        await replica.spend(key('k'), null, limits, 1, noon);
        spent++;
      }
    }
    expect(ledger.countOf(noon) - spent).toBeLessThanOrEqual(5_000);
    expect(spent / ledger.leases()).toBeGreaterThan(20);
  });

  it('tell an operator once in a period that it is nearly spent, and that it is exceeded', async () => {
    const told: LimitNews[] = [];
    const limiter = limiterOn(createUnitLedger(), { onNews: (news) => told.push(news) });
    const limits = [limit({ name: 'burst', limit: 1_000 }), limit({ name: 'daily', limit: 10, per: 'day' })];
    const kinds = () => told.map(({ kind, limit: { name } }) => `${kind} ${name}`);
    for (let spent = 0; spent < 7; spent++) await limiter.spend(key('k'), null, limits, 1, noon);
    expect(kinds()).toEqual([]);
    await limiter.spend(key('k'), null, limits, 1, noon);
    expect(kinds()).toEqual(['nearly_spent daily']);
    for (let spent = 0; spent < 5; spent++) await limiter.spend(key('k'), null, limits, 1, noon);
    expect(kinds()).toEqual(['nearly_spent daily', 'exceeded daily']);
    for (let spent = 0; spent < 11; spent++) await limiter.spend(key('k'), null, limits, 1, noon + dayMs);
    expect(kinds()).toHaveLength(4);
  });

  it('tell of both where another replica has spent all of it', async () => {
    const told: string[] = [];
    const ledger = createUnitLedger();
    const limiter = limiterOn(ledger, { onNews: ({ kind }) => told.push(kind) });
    const limits = [limit({ name: 'monthly', limit: 10, per: 'month' })];
    await limiterOn(ledger).spend(key('k'), null, limits, 10, noon);
    expect((await limiter.spend(key('k'), null, limits, 1, noon)).isAllowed).toBe(false);
    expect(told).toEqual(['nearly_spent', 'exceeded']);
  });

  it('hear of charges: what is held does not pass beyond them, and what is given back passes', async () => {
    const ledger = createUnitLedger();
    const limiter = limiterOn(ledger);
    const monthly = limit({ name: 'monthly', limit: 1_000, per: 'month' });
    for (let spent = 0; spent < 50; spent++) await limiter.spend(key('k'), null, [monthly], 1, noon);
    const window = {
      ...{ holder: 'k', counter: counterId(monthly, 'k', null), limit: monthly.limit },
      ...spanAt('month', null, noon),
    };
    const [held = 0] = limiter.held([window]);
    expect(held).toBeGreaterThan(0);
    limiter.charged(window, 1_200);
    expect((await limiter.spend(key('k'), null, [monthly], 1, noon)).isAllowed).toBe(false);
    limiter.charged(window, 500);
    expect((await limiter.spend(key('k'), null, [monthly], 1, noon)).isAllowed).toBe(true);
  });
});

describe('a thousand random plans', () => {
  const aLimit = fc.record({
    limit: fc.integer({ min: 1, max: 60 }),
    per: fc.constantFrom<Limit['per']>(1_000, 60_000, 3_600_000, 'day', 'week', 'month', 'total'),
    sharedBy: fc.constantFrom('key' as const, 'owner' as const),
  });
  const step = fc.record({
    replica: fc.nat(2),
    key: fc.nat(2),
    cost: fc.integer({ min: 0, max: 5 }),
    waitMs: fc.oneof(
      { weight: 6, arbitrary: fc.constant(0) },
      fc.constantFrom(500, 30_000, 7_200_000, dayMs),
    ),
    givesBack: fc.boolean(),
  });

  it('are never exceeded by three replicas and an owner with two keys, and one replica admits what a model does', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(aLimit, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 3 }),
        fc.option(fc.integer({ min: 0, max: 4e12 })),
        fc.array(step, { minLength: 1, maxLength: 60 }),
        async (drawn, replicas, billingAnchor, steps) => {
          const limits = drawn.map((one, place) => ({ ...one, name: `l${place}` }));
          const ledger = createUnitLedger();
          const limiters = Array.from({ length: replicas }, () => limiterOn(ledger));
          const keys = [key('a', 'acme'), key('b', 'acme'), key('c')] as const;
          const spent = new Map<string, number>();
          let now = noon;
          for (const { replica, key: place, cost, waitMs, givesBack } of steps) {
            now += waitMs;
            const limiter = limiters[replica % replicas] as Limiter;
            if (givesBack) await limiter.giveBack(now);
            const asking = keys[place] ?? keys[0];
            const windows = limits.map((one) => {
              const { start } = spanAt(one.per, asking.owner === null ? null : billingAnchor, now);
              return [one, `${counterId(one, asking.spender, asking.owner)} ${start}`] as const;
            });
            const isLeft = windows.every(([one, name]) => {
              const left = one.limit - (spent.get(name) ?? 0);
              return cost <= left && left > 0;
            });
            const owner = asking.owner === null ? null : { billingAnchor };
            const { isAllowed } = await limiter.spend(asking, owner, limits, cost, now);
            // With others there may be units that they hold, and what a request that costs nothing knows may be older.
            if (replicas === 1) expect(isAllowed).toBe(isLeft);
            else if (isAllowed && cost > 0) expect(isLeft).toBe(true);
            if (isAllowed) for (const [, name] of windows) spent.set(name, (spent.get(name) ?? 0) + cost);
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

describe('clocks that differ and step, and keys that change their owner', () => {
  const pers: readonly Limit['per'][] = [60_000, 3_600_000, 'day', 'month', 'total'];
  const aLimit = fc.record({
    limit: fc.integer({ min: 1, max: 60 }),
    per: fc.constantFrom(...pers),
    sharedBy: fc.constantFrom('key' as const, 'owner' as const),
  });
  const step = fc.record({
    replica: fc.nat(2),
    key: fc.constantFrom('a', 'b'),
    owner: fc.constantFrom('acme', 'globex', null),
    cost: fc.integer({ min: 1, max: 5 }),
    waitMs: fc.constantFrom(0, 0, 0, 500, 30_000, dayMs),
    // By how much the clock of that replica is off from now on.
    offMs: fc.constantFrom(0, 0, 90_000, -90_000, 7_200_000, -7_200_000),
  });

  it('exceed no limit in any window that a replica goes by, which is the one that it knows while its clock shows the one before', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(aLimit, { minLength: 1, maxLength: 3 }),
        fc.array(step, { minLength: 1, maxLength: 60 }),
        async (drawn, steps) => {
          const limits = drawn.map((one, place) => ({ ...one, name: `l${place}` }));
          const ledger = createUnitLedger();
          const limiters = [1, 2, 3].map(() => limiterOn(ledger, { sharers: () => 3 }));
          const known = new Map<string, { readonly start: number; readonly end: number }>();
          const spent = new Map<string, number>();
          let now = noon;
          for (const { replica, key: spender, owner, cost, waitMs, offMs } of steps) {
            now += waitMs;
            const at = now + offMs;
            const limiter = limiters[replica] as Limiter;
            const { isAllowed } = await limiter.spend(key(spender, owner), null, limits, cost, at);
            for (const one of limits) {
              const counter = counterId(one, spender, owner);
              const last = known.get(`${replica} ${counter}`);
              const goesOn = last !== undefined && at < last.end && at >= 2 * last.start - last.end;
              const window = goesOn ? last : spanAt(one.per, null, at);
              known.set(`${replica} ${counter}`, window);
              const name = `${counter} ${window.start}`;
              if (isAllowed) spent.set(name, (spent.get(name) ?? 0) + cost);
              expect(spent.get(name) ?? 0).toBeLessThanOrEqual(one.limit);
            }
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
