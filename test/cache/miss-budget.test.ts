import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMissBudget } from '../../src/cache/miss-budget.ts';
import { StoreUnavailable } from '../../src/store/store.ts';

describe('a budget for reads that find no key', () => {
  it('bounds them by the second, in the long run, and the address that asks too much first', async () => {
    const { flood, clock } = setUp(100);
    expect(await flood(1_000, 'attacker')).toBe(100);
    clock.now += 250;
    expect(await flood(1_000, 'attacker')).toBe(25);
    clock.now += 60_000;
    // What was not used is not saved up.
    expect(await flood(1_000, 'attacker')).toBe(100);
  });

  it('costs keys that are there nothing, however many are read at once', async () => {
    const { budget } = setUp(100);
    for (let round = 0; round < 20; round++) {
      const reads = Array.from({ length: 100 }, () => budget.read('client', async () => 'a key'));
      expect(await Promise.all(reads)).toHaveLength(100);
    }
  });

  it('keeps a reserve for addresses that asked for no unknown key lately', async () => {
    const { budget, flood, clock } = setUp(100);
    await flood(1_000, 'attacker');
    expect(await flood(1_000, 'attacker')).toBe(0);
    for (let times = 0; times < 1_000; times++) {
      expect(await budget.read('client', async () => 'a key')).toBe('a key');
    }
    // One that mistypes is not trusted with the reserve any more, until a while has passed.
    expect(await flood(5, 'client')).toBe(1);
    await expect(budget.read('client', async () => 'a key')).rejects.toBeInstanceOf(StoreUnavailable);
    for (let second = 0; second < 20; second++) {
      clock.now += 1_000;
      await flood(1_000, 'attacker');
    }
    expect(await budget.read('client', async () => 'a key')).toBe('a key');
  });

  it('gives a unit back for a read that failed', async () => {
    const { budget, flood } = setUp(100);
    for (let times = 0; times < 1_000; times++) {
      const fault = new StoreUnavailable('away');
      await expect(budget.read('client', () => Promise.reject(fault))).rejects.toBe(fault);
    }
    expect(await flood(1_000, 'attacker')).toBe(100);
  });

  it('lets no flood past it, from however many addresses and however it comes', async () => {
    const bursts = fc.array(fc.tuple(fc.nat(2_000), fc.nat(300), fc.nat(500)), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(bursts, async (given) => {
        const { flood, clock } = setUp(50);
        let reads = 0;
        for (const [pauseMs, size, addresses] of given) {
          clock.now += pauseMs;
          for (let sent = 0; sent < size; sent++) reads += await flood(1, `host ${sent % (addresses + 1)}`);
          expect(reads).toBeLessThanOrEqual((50 + 5) * (1 + clock.now / 1_000));
        }
      }),
      { numRuns: 30 },
    );
  });
});

function setUp(readsPerSecond: number) {
  const clock = { now: 0 };
  const budget = createMissBudget(() => clock.now, { readsPerSecond });
  /** Asks for so many unknown keys, and says how many of them were read. */
  const flood = async (size: number, address: string) => {
    let reads = 0;
    for (let sent = 0; sent < size; sent++) {
      await budget
        .read(address, async () => {
          reads++;
          return null;
        })
        .catch(() => {});
    }
    return reads;
  };
  return { clock, budget, flood };
}
