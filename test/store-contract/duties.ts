import { expect, it } from 'vitest';
import { type Store, StoreUnavailable } from '../../src/store/store.ts';
import { until } from '../real/until.ts';
import type { CreateStore } from '../store-contract.ts';
import { opened, testNow } from './setting.ts';

const minuteMs = 60_000;

/** Duties that one replica at a time has. */
export function dutyContract(createStore: CreateStore): void {
  it('gives a duty to one holder, however many claim it at once', async () => {
    const { store } = await opened(createStore);
    const holders = Array.from({ length: 20 }, (_, index) => `replica ${index}`);
    const claims = await Promise.all(holders.map((holder) => store.claimDuty('expiry', holder, minuteMs)));
    expect(claims.filter((claim) => claim !== null)).toEqual([{ progress: 0 }]);
  });

  it('lets its holder keep it, and says how far it has been done', async () => {
    const { store, reopen } = await opened(createStore);
    expect(await store.claimDuty('expiry', 'a', minuteMs)).toEqual({ progress: 0 });
    expect(await store.recordDuty('expiry', 'a', testNow)).toBe(true);
    expect(await store.claimDuty('expiry', 'a', minuteMs)).toEqual({ progress: testNow });
    const another = await reopen();
    expect(await another.claimDuty('expiry', 'b', minuteMs)).toBe(null);
    expect(await another.claimDuty('expiry', 'a', minuteMs)).toEqual({ progress: testNow });
  });

  it('keeps duties apart', async () => {
    const { store } = await opened(createStore);
    await store.claimDuty('expiry', 'a', minuteMs);
    await store.recordDuty('expiry', 'a', 5);
    expect(await store.claimDuty('webhook', 'b', minuteMs)).toEqual({ progress: 0 });
    expect(await store.recordDuty('webhook', 'a', 6)).toBe(false);
    expect(await store.recordDuty('expiry', 'a', 7)).toBe(true);
  });

  it('records nothing for a holder that does not have it, nor for a duty that nobody claimed', async () => {
    const { store } = await opened(createStore);
    expect(await store.recordDuty('expiry', 'a', 5)).toBe(false);
    expect(await store.claimDuty('expiry', 'a', minuteMs)).toEqual({ progress: 0 });
    expect(await store.recordDuty('expiry', 'b', 5)).toBe(false);
    expect(await store.claimDuty('expiry', 'a', minuteMs)).toEqual({ progress: 0 });
  });

  it('gives it to another when its time is over, who goes on where it was left', async () => {
    const { store } = await lapsing(createStore);
    await store.claimDuty('expiry', 'a', minuteMs);
    expect(await store.recordDuty('expiry', 'a', 5)).toBe(true);
    await store.claimDuty('expiry', 'a', 1);
    const claim = async () => (await store.claimDuty('expiry', 'b', minuteMs)) ?? undefined;
    const claimed = await until('its time is over', claim);
    expect(claimed).toEqual({ progress: 5 });
    expect(await store.claimDuty('expiry', 'a', minuteMs)).toBe(null);
    expect(await store.recordDuty('expiry', 'a', 6)).toBe(false);
    expect(await store.recordDuty('expiry', 'b', 7)).toBe(true);
  });

  it('records nothing for a holder whose time is over', async () => {
    const { store } = await lapsing(createStore);
    await store.claimDuty('expiry', 'a', 1);
    await expect.poll(() => store.recordDuty('expiry', 'a', 5)).toBe(false);
  });

  it('rejects every call about duties while it is not open with StoreUnavailable', async () => {
    const { store } = await createStore({ now: () => testNow });
    await expect(store.claimDuty('expiry', 'a', minuteMs)).rejects.toThrow(StoreUnavailable);
    await expect(store.recordDuty('expiry', 'a', 1)).rejects.toThrow(StoreUnavailable);
  });
}

/** A store whose clock goes on by itself, be it the given one or its own. */
async function lapsing(createStore: CreateStore): Promise<{ store: Store }> {
  let now = testNow;
  const { store } = await createStore({ now: () => now++ });
  await store.open();
  return { store };
}
