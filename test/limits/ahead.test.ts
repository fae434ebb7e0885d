import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KeyId } from '../../src/keys/key.ts';
import { limitsOfShort } from '../../src/keys/limit.ts';
import { createLimiter } from '../../src/limits/limiter.ts';
import { createUnitLedger, type UnitLedger } from './unit-ledger.ts';

const noon = Date.UTC(2030, 0, 1, 12);
const key = { spender: 'k' as KeyId, owner: null };
const windowMs = 60_000;

function replicaOn(ledger: UnitLedger, { limit = 300, sharers = 2 } = {}) {
  const limits = limitsOfShort({ limit, windowMs });
  const limiter = createLimiter(ledger, {
    ...{ spendersMax: 10, allowWhenUnavailable: false, leasesAhead: true, sharers: () => sharers },
  });
  return (now: number, cost = 1) => limiter.spend(key, null, limits, cost, now);
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('where several replicas lease', () => {
  it('a key that is used makes no request wait in the next window', async () => {
    const ledger = createUnitLedger();
    const spend = replicaOn(ledger);
    for (const at of [1_000, 30_000, 59_000]) await spend(noon + at);
    await settled();
    const verdict = spend(noon + windowMs);
    expect(verdict).not.toBeInstanceOf(Promise);
    expect(await verdict).toMatchObject({ isAllowed: true, remaining: 299 });
    // And again after that one, which was leased ahead itself.
    await spend(noon + 2 * windowMs - 1_000);
    await settled();
    expect(spend(noon + 2 * windowMs)).not.toBeInstanceOf(Promise);
  });

  it('holds of the next window as much as was spent of this one, within the same bounds as ever', async () => {
    const ledger = createUnitLedger();
    const spend = replicaOn(ledger, { limit: 100_000 });
    for (let spent = 0; spent < 500; spent++) await spend(noon + 59_000);
    await settled();
    expect(ledger.countOf(noon + windowMs)).toBeGreaterThanOrEqual(64);
    expect(ledger.countOf(noon + windowMs)).toBeLessThanOrEqual(2_000);
  });

  it.each([
    ['a key that was used once', { at: [59_000] }],
    ['a key that is not used when its window is about to end', { at: [1_000, 2_000, 3_000] }],
    ['a small limit', { at: [57_000, 58_000, 59_000], limit: 49 }],
    ['a replica that is alone', { at: [57_000, 58_000, 59_000], sharers: 1 }],
  ])('nothing is leased ahead for %s', async (_, { at, ...options }) => {
    const ledger = createUnitLedger();
    const spend = replicaOn(ledger, options);
    for (const one of at) await spend(noon + one);
    await settled();
    expect(ledger.countOf(noon + windowMs)).toBe(0);
  });

  it('a limit that is lowered before a window begins holds in it', async () => {
    const ledger = createUnitLedger();
    const [high, low] = [limitsOfShort({ limit: 1_000, windowMs }), limitsOfShort({ limit: 5, windowMs })];
    const options = { spendersMax: 10, allowWhenUnavailable: false, leasesAhead: true, sharers: () => 2 };
    const limiters = [createLimiter(ledger, options), createLimiter(ledger, options)];
    for (const limiter of limiters) {
      for (const at of [57_000, 58_000]) await limiter.spend(key, null, high, 1, noon + at);
      await settled();
      await limiter.spend(key, null, low, 1, noon + 59_000);
    }
    let admitted = 0;
    for (let sent = 0; sent < 40; sent++) {
      const verdict = await limiters[sent % 2]?.spend(key, null, low, 1, noon + windowMs);
      if (verdict?.isAllowed) admitted++;
    }
    expect(admitted).toBe(5);
  });

  it('admits never more than the limit in any window, and nearly all of it', async () => {
    const request = fc.record({
      replica: fc.nat(2),
      afterMs: fc.nat(4_000),
      cost: fc.integer({ min: 1, max: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 50, max: 400 }),
        fc.array(request, { maxLength: 300 }),
        async (limit, sent) => {
          const ledger = createUnitLedger();
          const replicas = [0, 1, 2].map(() => replicaOn(ledger, { limit, sharers: 3 }));
          const admitted = new Map<number, number>();
          let now = noon;
          const ask = async (replica: number, at: number, cost: number) => {
            const window = Math.floor(at / windowMs);
            const verdict = await replicas[replica]?.(at, cost);
            if (verdict?.isAllowed) admitted.set(window, (admitted.get(window) ?? 0) + cost);
            return verdict?.isAllowed === true;
          };
          await Promise.all(
            sent.map(({ replica, afterMs, cost }) => {
              now += afterMs;
              return ask(replica, now, cost);
            }),
          );
          await settled();
          const next = (Math.floor(now / windowMs) + 1) * windowMs;
          let isLeft = true;
          while (isLeft) isLeft = await ask(0, next, 1);
          for (const units of admitted.values()) expect(units).toBeLessThanOrEqual(limit);
          expect(admitted.get(next / windowMs)).toBeGreaterThanOrEqual(limit * 0.95 - 1);
        },
      ),
      { numRuns: 60 },
    );
  });
});
