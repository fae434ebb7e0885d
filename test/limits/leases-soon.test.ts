import { describe, expect, it } from 'vitest';
import type { KeyId } from '../../src/keys/key.ts';
import { limitsOfShort } from '../../src/keys/limit.ts';
import { createLimiter } from '../../src/limits/limiter.ts';
import type { UnitLeaseRequest } from '../../src/store/units.ts';
import { createUnitLedger } from './unit-ledger.ts';

/** In the middle of a window, when as many are likely to come as came. */
const at = Date.UTC(2030, 0, 1, 12, 0, 30);
const limits = limitsOfShort({ limit: 100_000, windowMs: 60_000 });

describe('units that nobody waits for yet', () => {
  it('are leased in a moment, those of many keys together', async () => {
    const { asked, spend, work } = limiterOn();
    for (const id of ['a', 'b', 'c']) await spend(id, 50);
    expect(asked.splice(0)).toEqual(['a', 'b', 'c']);
    for (const id of ['a', 'b', 'c']) await spend(id, 60);
    expect(asked).toEqual([]);
    expect(work).toHaveLength(1);
    work[0]?.();
    expect(asked).toEqual(['a', 'b', 'c']);
  });

  it('are as many as are needed by then', async () => {
    const { ledger, spend, work } = limiterOn();
    await spend('a', 1);
    await spend('a', 50);
    await spend('a', 1);
    work[0]?.();
    // 64 are to be held, and 13 are left of 65.
    expect(ledger.countOf(at)).toBe(65 + 64 - 13);
  });

  it('are leased at once for whoever has to wait for them, with all others', async () => {
    const { asked, spend } = limiterOn();
    for (const id of ['a', 'b', 'c']) await spend(id, 1);
    for (const id of ['a', 'b']) await spend(id, 60);
    asked.splice(0);
    expect((await spend('a', 10)).isAllowed).toBe(true);
    expect(asked).toEqual(['a', 'b']);
  });

  it('are leased at once where they are many', async () => {
    const { asked, spend } = limiterOn();
    const ids = Array.from({ length: 200 }, (_, index) => `key_${index}`);
    for (const id of ids) await spend(id, 1);
    asked.splice(0);
    for (const id of ids.slice(1)) await spend(id, 60);
    expect(asked).toEqual([]);
    await spend(ids[0] as string, 60);
    expect(asked).toHaveLength(200);
  });
});

/** Its work that can wait is done when it is called. */
function limiterOn() {
  const ledger = createUnitLedger();
  const asked: string[] = [];
  const work: (() => void)[] = [];
  const store = {
    ...ledger,
    leaseUnits(request: UnitLeaseRequest) {
      asked.push(request.spender);
      return ledger.leaseUnits(request);
    },
  };
  const limiter = createLimiter(store, {
    ...{ spendersMax: 1_000, allowWhenUnavailable: false },
    soon: (one) => work.push(one),
  });
  const spend = async (id: string, cost: number) =>
    limiter.spend({ spender: id as KeyId, owner: null }, null, limits, cost, at);
  return { ledger, asked, work, spend };
}
