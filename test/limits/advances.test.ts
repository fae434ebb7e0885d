import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KeyId } from '../../src/keys/key.ts';
import { limitsOfShort } from '../../src/keys/limit.ts';
import { createAdvances } from '../../src/limits/advances.ts';
import { createLimiter, type Limiter } from '../../src/limits/limiter.ts';
import { spanAt } from '../../src/limits/period.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { createUnitLedger, type UnitLedger } from './unit-ledger.ts';

const noon = Date.UTC(2030, 0, 1, 12);
const minuteMs = 60_000;
const limits = limitsOfShort({ limit: 100, windowMs: minuteMs });

describe('a limiter that nobody shares the store with', () => {
  it('asks the store for nothing at the first requests of a window that began after it did', async () => {
    const ledger = createUnitLedger();
    const limiter = soleOn(ledger);
    await limiter.spend(key('a'), null, limits, 1, noon + 1);
    const before = ledger.leases();
    for (const id of ['a', 'b', 'c']) {
      const verdict = limiter.spend(key(id), null, limits, 1, noon + minuteMs);
      expect(verdict).toMatchObject({ isAllowed: true, remaining: 99 });
    }
    expect(ledger.leases()).toBe(before);
  });

  it('admits a limit exactly, in the window in which it began and in later ones', async () => {
    const ledger = createUnitLedger();
    const limiter = soleOn(ledger);
    for (const at of [noon + 1, noon + minuteMs, noon + 2 * minuteMs])
      expect(await admitted(limiter, 'a', at)).toBe(100);
  });

  it('admits a limit exactly in a window over which it ended and another began', async () => {
    const ledger = createUnitLedger();
    const first = soleOn(ledger);
    expect(await admitted(first, 'spent', noon)).toBe(100);
    const at = noon + minuteMs;
    expect((await first.spend(key('a'), null, limits, 1, at)).isAllowed).toBe(true);
    await first.close(at + 1);
    const next = soleOn(ledger);
    expect(await admitted(next, 'a', at + 2)).toBe(99);
    expect(await admitted(next, 'spent', noon + 1)).toBe(0);
    expect(await admitted(next, 'new', at + 3)).toBe(100);
  });

  it('takes what one that was killed may have spent for spent, in the windows of that time alone', async () => {
    const ledger = createUnitLedger();
    const killed = soleOn(ledger);
    await killed.spend(key('other'), null, limits, 1, noon);
    const at = noon + minuteMs;
    await killed.spend(key('a'), null, limits, 1, at);
    const next = soleOn(ledger);
    const other = { holder: 'b', counter: 'b', ...spanAt(minuteMs, null, at), limit: 100 };
    await next.spend(key('c'), null, limits, 1, at + 1);
    // Nobody can tell whether it was.
    expect(next.held([other])).toEqual([-2]);
    expect(await admitted(next, 'a', at + 2)).toBe(98);
    expect(await admitted(next, 'a', at + minuteMs)).toBe(100);
  });

  it('says of a window what was spent without a lease', async () => {
    const ledger = createUnitLedger();
    const limiter = soleOn(ledger);
    await limiter.spend(key('other'), null, limits, 1, noon);
    const at = noon + minuteMs;
    await limiter.spend(key('a'), null, limits, 1, at);
    const window = { holder: 'a', counter: 'a', ...spanAt(minuteMs, null, at), limit: 100 };
    expect(limiter.held([window])).toEqual([-1]);
  });

  it('hears of a charge of a window that nobody has spent from', async () => {
    const ledger = createUnitLedger();
    const limiter = soleOn(ledger);
    await limiter.spend(key('other'), null, limits, 1, noon);
    const at = noon + minuteMs;
    const window = { holder: 'a', counter: 'a', ...spanAt(minuteMs, null, at), limit: 100 };
    limiter.charged(window, 100);
    expect(limiter.spend(key('a'), null, limits, 1, at)).toMatchObject({ isAllowed: false, remaining: 0 });
    limiter.charged(window, 99);
    expect(limiter.spend(key('a'), null, limits, 1, at)).toMatchObject({ isAllowed: true, remaining: 0 });
    expect(limiter.held([window])).toEqual([-1]);
  });

  it('gives no window its advance again that it had to forget, and all others theirs', async () => {
    const limiter = soleOn(createUnitLedger(), 2);
    await limiter.spend(key('other'), null, limits, 1, noon);
    const at = noon + minuteMs;
    const first = await admitted(limiter, 'a', at);
    for (const id of ['b', 'c', 'd', 'e']) await limiter.spend(key(id), null, limits, 1, at);
    expect(first + (await admitted(limiter, 'a', at))).toBeLessThanOrEqual(100);
    expect(await admitted(limiter, 'a', at + minuteMs)).toBe(100);
  });

  it('gives no window its advance again after a clock that was set far ahead is set right', async () => {
    const limiter = soleOn(createUnitLedger());
    await limiter.spend(key('other'), null, limits, 1, noon);
    const at = noon + minuteMs;
    const first = await admitted(limiter, 'a', at);
    await limiter.spend(key('a'), null, limits, 1, at + 24 * 60 * minuteMs);
    expect(first + (await admitted(limiter, 'a', at + 1))).toBe(100);
  });

  it('leases nothing before the store has said what those before left behind', async () => {
    const ledger = createUnitLedger();
    let isAway = true;
    const leaseUnits: UnitLedger['leaseUnits'] = async (request) => {
      if (isAway) throw new StoreUnavailable('away');
      return ledger.leaseUnits(request);
    };
    const limiter = soleOn({ ...ledger, leaseUnits });
    await expect(limiter.spend(key('a'), null, limits, 1, noon)).rejects.toThrow(StoreUnavailable);
    isAway = false;
    expect(await admitted(limiter, 'a', noon)).toBe(100);
  });

  it('admits no more than a limit, whatever is forgotten, killed or set back', async () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('spend' as const),
        id: fc.constantFrom('a', 'b', 'c', 'd'),
        times: fc.nat(60),
      }),
      fc.record({ kind: fc.constant('move' as const), ms: fc.integer({ min: -70_000, max: 90_000 }) }),
      fc.record({ kind: fc.constantFrom('kill' as const, 'close' as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const ledger = createUnitLedger();
        const spent = new Map<string, number>();
        let limiter = soleOn(ledger, 2);
        let now = noon;
        let latest = noon;
        for (const one of steps) {
          latest = Math.max(latest, now);
          if (one.kind === 'move') now += one.ms;
          else if (one.kind === 'spend') {
            for (let time = 0; time < one.times; time++) {
              const { isAllowed, resetAt } = await limiter.spend(key(one.id), null, limits, 1, now);
              const window = `${one.id} ${resetAt}`;
              if (isAllowed) spent.set(window, (spent.get(window) ?? 0) + 1);
            }
          } else {
            // No clock is set back across the end of one that is killed.
            if (one.kind === 'kill') now = latest;
            else await limiter.close(now);
            limiter = soleOn(ledger, 2);
          }
        }
        for (const count of spent.values()) expect(count).toBeLessThanOrEqual(100);
      }),
    );
  });
});

type Store = Pick<UnitLedger, 'leaseUnits' | 'returnUnits'>;

function soleOn(store: Store, spendersMax = 100): Limiter {
  return createLimiter(store, {
    spendersMax,
    allowWhenUnavailable: false,
    advances: createAdvances(store),
  });
}

async function admitted(limiter: Limiter, id: string, at: number): Promise<number> {
  let count = 0;
  while ((await limiter.spend(key(id), null, limits, 1, at)).isAllowed) count++;
  return count;
}

function key(id: string) {
  return { spender: id as KeyId, owner: null };
}
