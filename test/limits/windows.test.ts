import { describe, expect, it } from 'vitest';
import type { KeyId } from '../../src/keys/key.ts';
import { createLimiter } from '../../src/limits/limiter.ts';
import { createSlowStore, untilIdle } from './slow-store.ts';

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
