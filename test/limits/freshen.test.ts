import { expect, it } from 'vitest';
import type { KeyId } from '../../src/keys/key.ts';
import { limitsOfShort } from '../../src/keys/limit.ts';
import { noAdvances } from '../../src/limits/advances.ts';
import { createLimiter, type LimiterOptions } from '../../src/limits/limiter.ts';
import type { UnitLeaseRequest } from '../../src/store/units.ts';
import { createUnitLedger } from './unit-ledger.ts';

const noon = Date.UTC(2030, 0, 1, 12);
const hour = limitsOfShort({ limit: 2, windowMs: 3_600_000 });
const key = { spender: 'key_one' as KeyId, owner: null };

it('asks the store for nothing where the cost is more than the limit, whatever is left', async () => {
  const { limiter, asked } = setUp({});
  for (let seconds = 0; seconds < 5; seconds++) {
    const verdict = await limiter.spend(key, null, hour, 3, noon + seconds * 1_000);
    expect(verdict.isAllowed).toBe(false);
  }
  expect(asked).toHaveLength(0);
  expect((await limiter.spend(key, null, hour, 2, noon)).isAllowed).toBe(true);
});

it('asks the sole one who leases no more, once a window of its own is spent, and all others once a second', async () => {
  for (const [isSole, asks] of [
    [true, 1],
    [false, 4],
  ] as const) {
    const { limiter, asked } = setUp({ advances: { ...noAdvances, isSole } });
    expect((await limiter.spend(key, null, hour, 2, noon)).isAllowed).toBe(true);
    for (let seconds = 1; seconds < 4; seconds++) {
      for (let times = 0; times < 3; times++) {
        const verdict = await limiter.spend(key, null, hour, 1, noon + seconds * 1_000);
        expect(verdict).toMatchObject({ isAllowed: false, remaining: 0 });
        await turn();
      }
    }
    expect(asked).toHaveLength(asks);
  }
});

it('looks again where the sole one who leases is told of a charge', async () => {
  const { limiter, asked } = setUp({ advances: { ...noAdvances, isSole: true } });
  await limiter.spend(key, null, hour, 2, noon);
  const end = noon + 3_600_000;
  limiter.charged({ holder: key.spender, counter: key.spender, start: noon, end, limit: 2 }, 2);
  await limiter.spend(key, null, hour, 1, noon + 5_000);
  await turn();
  expect(asked.at(-1)).toMatchObject({ units: 0 });
});

function setUp(options: Partial<LimiterOptions>) {
  const ledger = createUnitLedger();
  const asked: UnitLeaseRequest[] = [];
  const store = {
    returnUnits: ledger.returnUnits,
    leaseUnits(request: UnitLeaseRequest) {
      asked.push(request);
      return ledger.leaseUnits(request);
    },
  };
  const limiter = createLimiter(store, { spendersMax: 100, allowWhenUnavailable: false, ...options });
  return { limiter, asked };
}

/** Lets everything that is ready run. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
