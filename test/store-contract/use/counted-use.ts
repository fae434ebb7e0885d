import { expect, it } from 'vitest';
import { type Store, StoreUnavailable } from '../../../src/store/store.ts';
import { type CountedUse, countedKeysMax } from '../../../src/store/usage/usage-store.ts';
import type { UsageTally } from '../../../src/store/usage/usage-tally.ts';
import { until } from '../../real/until.ts';
import type { CreateStore } from '../../store-contract.ts';
import { nextId, opened, testNow } from '../setting.ts';
import { tally } from './usage.ts';

const hourMs = 3_600_000;

/** Where the figures of all replicas come together. */
export function countedUseContract(createStore: CreateStore): void {
  it('counts all requests of keys in the hours asked for, whatever became of them, and no other', async () => {
    const { store } = await opened(createStore);
    const [one, other, third] = [{ id: nextId() }, { id: nextId() }, { id: nextId() }];
    const later = testNow + hourMs;
    await store.recordUsage([
      tally(one, { allowed: 2, denied: { rate_limited: 3, expired: 1 }, observed: { expired: 4 } }),
      tally(one, { hour: later, allowed: 5 }),
      tally(one, { hour: later + hourMs, allowed: 7 }),
      tally(other, { denied: { revoked: 6 } }),
      tally(third, { allowed: 8 }),
    ]);
    await store.recordUsage([tally(one, { allowed: 1 })]);
    const asked = async () => sorted(await store.countUse([one.id, other.id], [testNow, later, testNow]));
    await until('all of it is known', async () => (await asked())[0]?.requests === 11);
    expect(await asked()).toEqual(
      sorted([
        { key: one.id, hour: testNow, requests: 11 },
        { key: one.id, hour: later, requests: 5 },
        { key: other.id, hour: testNow, requests: 6 },
      ]),
    );
    expect(await store.countUse([nextId()], [testNow])).toEqual([]);
    expect(await store.countUse([], [])).toEqual([]);
  });

  it('counts as many keys at once as it says', async () => {
    const { store } = await opened(createStore);
    const keys = Array.from({ length: countedKeysMax }, () => ({ id: nextId() }));
    await store.recordUsage(keys.map((key) => tally(key, { allowed: 3 })));
    const ids = keys.map(({ id }) => id);
    const hours = Array.from({ length: 8 }, (_, at) => testNow - at * 24 * hourMs);
    await until(
      'all of it is known',
      async () => (await store.countUse(ids, hours)).length === countedKeysMax,
    );
  });

  it('tells whoever watches of all use that was recorded, once it can be counted', async () => {
    const { store } = await opened(createStore);
    const keys = [{ id: nextId() }, { id: nextId() }];
    const told: UsageTally[] = [];
    store.watchUse((tallies) => told.push(...tallies));
    const allowed = (id: string) =>
      told.filter(({ key }) => key === id).reduce((sum, one) => sum + one.allowed, 0);
    for (let round = 1; round <= 3; round++) {
      await store.recordUsage(keys.map((key) => tally(key, { allowed: round })));
    }
    await until('all of it was told', () => keys.every(({ id }) => allowed(id) === 6));
    expect(
      sorted(
        await store.countUse(
          keys.map(({ id }) => id),
          [testNow],
        ),
      ),
    ).toEqual(sorted(keys.map(({ id: key }) => ({ key, hour: testNow, requests: 6 }))));
    await store.recordUsage([]);
  });

  it('rejects to count while it is not open with StoreUnavailable', async () => {
    const { store } = await createStore({ now: () => testNow });
    await expectUnavailable(store);
    await store.open();
    await store.close();
    await expectUnavailable(store);
  });
}

async function expectUnavailable(store: Store): Promise<void> {
  await expect(store.countUse([nextId()], [testNow])).rejects.toThrow(StoreUnavailable);
}

function sorted(counted: readonly CountedUse[]): CountedUse[] {
  const name = ({ key, hour }: CountedUse) => `${key} ${hour}`;
  return counted.toSorted((one, other) => (name(one) < name(other) ? -1 : 1));
}
