import { describe, expect, it } from 'vitest';
import type { KeyId } from '../../src/keys/key.ts';
import type { Spender } from '../../src/limits/accounts.ts';
import { createAdvances } from '../../src/limits/advances.ts';
import { createLimiter } from '../../src/limits/limiter.ts';
import { createSlowStore, untilIdle } from './slow-store.ts';
import { createUnitLedger } from './unit-ledger.ts';

const key = { spender: 'key_1' as KeyId, owner: null };
const limits = [{ name: 'default', limit: 1, per: 60_000, sharedBy: 'key' } as const];
const noon = Date.UTC(2030, 0, 1, 12);

describe('windows of a key', () => {
  it('keep apart what was asked for in one and comes in the next', async () => {
    const store = createSlowStore();
    const limiter = createLimiter(store, { spendersMax: 10, allowWhenUnavailable: false });
    const first = limiter.spend(key, null, limits, 1, noon + 59_999);
    const second = limiter.spend(key, null, limits, 1, noon + 60_000);
    await store.goOn(untilIdle);
    expect(await first).toMatchObject({ isAllowed: true, remaining: 0, resetAt: noon / 1_000 + 60 });
    expect(await second).toMatchObject({ isAllowed: true, remaining: 0, resetAt: noon / 1_000 + 120 });
    expect(limiter.spend(key, null, limits, 1, noon + 60_001)).toMatchObject({ isAllowed: false });
    void limiter.spend(key, null, limits, 1, noon + 120_000);
    expect((await second).standings()).toMatchObject([{ remaining: 0, resetAt: noon / 1_000 + 120 }]);
  });
});

describe('the counters of a key that is in memory', () => {
  it('are kept while it is used, where those of a quiet one make room', async () => {
    const ledger = createUnitLedger();
    const limiter = createLimiter(ledger, { spendersMax: 2, allowWhenUnavailable: false });
    const many = [{ name: 'default', limit: 10_000, per: 60_000, sharedBy: 'key' } as const];
    const [busy, quiet, other] = ['key_1', 'key_2', 'key_3'].map((id) => ({
      ...{ spender: id as KeyId, owner: null, account: null },
    })) as [Spender, Spender, Spender];
    const spend = (one: Spender) => limiter.spend(one, null, many, 1, noon);
    for (const one of [busy, quiet, busy, other]) await spend(one);
    const leases = ledger.leases();
    await spend(busy);
    expect(ledger.leases()).toBe(leases);
    await spend(quiet);
    expect(ledger.leases()).toBe(leases + 1);
  });

  it('are those of its owner, which another key of the owner brought into the next period', async () => {
    const ledger = createUnitLedger();
    const limiter = createLimiter(ledger, { spendersMax: 10, allowWhenUnavailable: false });
    const daily = [{ name: 'ours', limit: 10_000, per: 'day', sharedBy: 'owner' } as const];
    const [one, other] = ['key_1', 'key_2'].map((id): Spender => {
      return { spender: id as KeyId, owner: 'acme', account: null };
    }) as [Spender, Spender];
    for (const now of [noon, noon + 86_400_000]) {
      for (const key of [one, other, one]) await limiter.spend(key, null, daily, 1, now);
    }
    expect(ledger.leases()).toBe(2);
  });

  it('admit no more than a limit where the room for counters is less than one key needs', async () => {
    const ledger = createUnitLedger();
    const advances = createAdvances(ledger);
    const limiter = createLimiter(ledger, { spendersMax: 1, allowWhenUnavailable: false, advances });
    const one: Spender = { spender: 'key_1' as KeyId, owner: 'acme', account: null };
    const both = [
      { name: 'all', limit: 10_000, per: 30_000, sharedBy: 'owner' },
      { name: 'each', limit: 100, per: 60_000, sharedBy: 'key' },
    ] as const;
    await limiter.spend(one, null, both, 1, noon);
    let admitted = 0;
    for (let spent = 0; spent < 200; spent++) {
      if ((await limiter.spend(one, null, both, 1, noon + 60_000)).isAllowed) admitted++;
    }
    expect(admitted).toBeLessThanOrEqual(100);
    expect(admitted).toBeGreaterThan(0);
  });
});
