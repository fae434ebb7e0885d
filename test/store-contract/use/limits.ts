import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Store, StoreUnavailable } from '../../../src/store/store.ts';
import {
  OtherCharge,
  type UnitLease,
  type UnitLeaseRequest,
  type UnitWindow,
} from '../../../src/store/units.ts';
import type { CreateStore } from '../../store-contract.ts';
import { opened, strangeTexts, testNow } from '../setting.ts';

/** Leasing units of rate limits. */
export function limitContract(createStore: CreateStore): void {
  it('gives out as many units as are asked for, until the limit, and says how many all have been given', async () => {
    const { store } = await opened(createStore);
    const lease = (units: number) => store.leaseUnits(request({ limit: 10, units }));
    expect(await lease(4)).toEqual({ granted: 4, leased: 4 });
    expect(await lease(5)).toEqual({ granted: 5, leased: 9 });
    expect(await lease(5)).toEqual({ granted: 1, leased: 10 });
    expect(await lease(1)).toEqual({ granted: 0, leased: 10 });
  });

  it('gives none where fewer are left than would do, and leaves them to others', async () => {
    const { store } = await opened(createStore);
    const lease = (unitsMin: number, units: number) =>
      store.leaseUnits(request({ limit: 10, units, unitsMin }));
    expect(await lease(11, 20)).toEqual({ granted: 0, leased: 0 });
    expect(await lease(7, 7)).toEqual({ granted: 7, leased: 7 });
    expect(await lease(4, 9)).toEqual({ granted: 0, leased: 7 });
    expect(await lease(3, 9)).toEqual({ granted: 3, leased: 10 });
  });

  it('never gives out more than the limit, and all of it, however many ask at once', async () => {
    const { store } = await opened(createStore);
    const asked = Array.from({ length: 60 }, (_, index) => (index % 5) + 1);
    const leases = await Promise.all(
      asked.map((units, place) =>
        store.leaseUnits(request({ limit: 100, units, unitsMin: 1, isLikelyFirst: place % 2 === 0 })),
      ),
    );
    expect(sumOf(leases)).toBe(100);
    expect(Math.max(...leases.map(({ leased }) => leased))).toBe(100);
    // Each lease is told of itself, so no two that were given something are told the same.
    const given = leases.filter(({ granted }) => granted > 0).map(({ leased }) => leased);
    expect(new Set(given).size).toBe(given.length);
  });

  it('keeps to the limit for any requests in any order, whatever is said of the window to be likely', async () => {
    const { store } = await opened(createStore);
    let spenders = 0;
    const units = fc.integer({ min: 1, max: 30 });
    const requests = fc.array(fc.tuple(units, units, fc.boolean()));
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 50 }), requests, async (limit, asked) => {
        spenders++;
        let left = limit;
        for (const [one, other, isLikelyFirst] of asked) {
          const [unitsMin, units] = [Math.min(one, other), Math.max(one, other)];
          const given = await store.leaseUnits(
            request({ spender: `key ${spenders}`, limit, units, unitsMin, isLikelyFirst }),
          );
          expect(given.granted).toBe(left < unitsMin ? 0 : Math.min(units, left));
          left -= given.granted;
          expect(given.leased).toBe(limit - left);
        }
      }),
      { numRuns: 20 },
    );
  });

  it('counts each window apart: by its start, its end and its spender', async () => {
    const { store } = await opened(createStore);
    const minute = 60_000;
    const windows: Partial<UnitLeaseRequest>[] = [
      {},
      { windowStart: testNow + minute, windowEnd: testNow + 2 * minute },
      { windowEnd: testNow + 60 * minute },
      ...strangeTexts.map((spender) => ({ spender })),
    ];
    for (const window of windows) {
      expect(await store.leaseUnits(request({ limit: 3, units: 3, ...window }))).toEqual({
        granted: 3,
        leased: 3,
      });
    }
    for (const window of windows) {
      const { granted } = await store.leaseUnits(request({ limit: 3, units: 1, ...window }));
      expect(granted).toBe(0);
    }
  });

  it('gives more once a limit is raised, and no more once it is lowered', async () => {
    const { store } = await opened(createStore);
    const lease = (limit: number, units: number) => store.leaseUnits(request({ limit, units }));
    expect(await lease(5, 5)).toEqual({ granted: 5, leased: 5 });
    expect(await lease(2, 1)).toEqual({ granted: 0, leased: 5 });
    expect(await lease(5, 1)).toEqual({ granted: 0, leased: 5 });
    expect(await lease(8, 9)).toEqual({ granted: 3, leased: 8 });
    expect(await lease(6, 1)).toEqual({ granted: 0, leased: 8 });
  });

  it('takes back what is returned, and gives it out again', async () => {
    const { store } = await opened(createStore);
    await store.leaseUnits(request({ limit: 10, units: 9 }));
    await store.returnUnits([returned(4), returned(1)]);
    expect(await store.countUnits([window()])).toEqual([4]);
    expect(await store.leaseUnits(request({ limit: 10, units: 9 }))).toEqual({ granted: 6, leased: 10 });
    // Of a window that nobody knows there is nothing to take back.
    await store.returnUnits([{ ...returned(4), spender: 'nobody' }]);
    expect(await store.countUnits([{ ...window(), spender: 'nobody' }])).toEqual([0]);
  });

  it('only looks for a lease of none', async () => {
    const { store } = await opened(createStore);
    await store.leaseUnits(request({ limit: 10, units: 4 }));
    const look = request({ limit: 10, units: 0, unitsMin: 0 });
    expect(await store.leaseUnits(look)).toEqual({ granted: 0, leased: 4 });
    expect(await store.leaseUnits({ ...look, limit: 3 })).toEqual({ granted: 0, leased: 4 });
  });

  it('counts charges beyond what is left, and leases nothing then', async () => {
    const { store } = await opened(createStore);
    await store.leaseUnits(request({ limit: 10, units: 4 }));
    expect(await store.chargeUnits([charge(20)], null)).toEqual([{ before: 4, after: 24 }]);
    const lease = request({ limit: 10, units: 2 });
    expect(await store.leaseUnits(lease)).toEqual({ granted: 0, leased: 24, isCharged: true });
    expect(await store.chargeUnits([charge(-20)], null)).toEqual([{ before: 24, after: 4 }]);
    expect(await store.leaseUnits(lease)).toEqual({ granted: 2, leased: 6, isCharged: true });
  });

  it('gives back no lower than the bound of a charge, and without one below nothing', async () => {
    const { store } = await opened(createStore);
    expect(await store.chargeUnits([charge(5), charge(-9)], null)).toEqual([
      { before: 0, after: 5 },
      { before: 5, after: 0 },
    ]);
    expect(await store.chargeUnits([charge(5), charge(-9, 3), charge(-1, 4)], null)).toEqual([
      ...[
        { before: 0, after: 5 },
        { before: 5, after: 3 },
        { before: 3, after: 3 },
      ],
    ]);
    expect(await store.chargeUnits([charge(-100, null)], null)).toEqual([{ before: 3, after: -97 }]);
    expect(await store.leaseUnits(request({ limit: 10, units: 107 }))).toMatchObject({
      granted: 107,
      leased: 10,
    });
  });

  it('counts a charge of one id once, and refuses another under it whole', async () => {
    const { store, reopen } = await opened(createStore);
    const once = { id: 'key_a r1', body: '["a",5]', at: testNow };
    expect(await store.chargeUnits([charge(5)], once)).toEqual([{ before: 0, after: 5 }]);
    expect(await store.chargeUnits([charge(5)], once)).toEqual([{ before: 5, after: 5 }]);
    await expect(store.chargeUnits([charge(6)], { ...once, body: '["a",6]' })).rejects.toThrow(OtherCharge);
    const another = await reopen();
    expect(await another.chargeUnits([charge(5)], once)).toEqual([{ before: 5, after: 5 }]);
    expect(await another.chargeUnits([charge(5)], { ...once, id: 'key_b r1' })).toEqual([
      { before: 5, after: 10 },
    ]);
  });

  it('counts many charges of one id at once a single time', async () => {
    const { store } = await opened(createStore);
    const once = { id: 'key_a r1', body: 'b', at: testNow };
    await Promise.all(Array.from({ length: 8 }, () => store.chargeUnits([charge(5)], once)));
    expect(await store.countUnits([window()])).toEqual([5]);
  });

  it('carries into a window what was given out of another that it goes on from', async () => {
    const { store } = await opened(createStore);
    const [halfMs, carriesAt] = [30_000, testNow + 40_000];
    const later = { windowStart: testNow + halfMs, windowEnd: testNow + halfMs + 60_000 };
    await store.leaseUnits(request({ limit: 10, units: 8 }));
    // Of a name that begins alike.
    await store.leaseUnits(request({ spender: 'key_a 1', limit: 10, units: 9 }));
    expect(await store.countUnits([{ ...window(), ...later, carriesAt }])).toEqual([8]);
    expect(await store.countUnits([{ ...window(), ...later }])).toEqual([0]);
    const lease = (more: Partial<UnitLeaseRequest>) =>
      store.leaseUnits(request({ limit: 10, ...later, ...more }));
    expect(await lease({ units: 3, unitsMin: 3, carriesAt })).toEqual({ granted: 0, leased: 8 });
    expect(await lease({ units: 3 })).toEqual({ granted: 2, leased: 10 });
    // Both have ended by then.
    const [next, after] = [testNow + 90_000, testNow + 95_000];
    expect(
      await store.countUnits([
        { ...window(), windowStart: next, windowEnd: next + 60_000, carriesAt: after },
      ]),
    ).toEqual([0]);
  });

  it('holds what was given against whoever opens the data next', async () => {
    const { store, reopen } = await opened(createStore);
    await store.leaseUnits(request({ limit: 5, units: 4 }));
    const another = await reopen();
    expect(await another.leaseUnits(request({ limit: 5, units: 4 }))).toEqual({ granted: 1, leased: 5 });
  });

  it('rejects a lease while it is not open with StoreUnavailable', async () => {
    const { store } = await createStore({ now: () => testNow });
    await expectUnavailable(store);
    await store.open();
    await store.close();
    await expectUnavailable(store);
  });
}

function window(): UnitWindow {
  return { spender: 'key_a', windowStart: testNow, windowEnd: testNow + 60_000 };
}

function returned(units: number) {
  return { ...window(), units };
}

function charge(units: number, countMin: number | null = 0) {
  return { ...window(), units, countMin };
}

/** A minute that has just begun, of which fewer units than asked for will do too, apart from what is given. */
export function request(given: Partial<UnitLeaseRequest> = {}): UnitLeaseRequest {
  return {
    ...{ spender: 'key_a', windowStart: testNow, windowEnd: testNow + 60_000 },
    ...{ limit: 10, units: 1, unitsMin: 1 },
    ...given,
  };
}

export function sumOf(leases: readonly UnitLease[]): number {
  return leases.reduce((sum, { granted }) => sum + granted, 0);
}

async function expectUnavailable(store: Store): Promise<void> {
  await expect(store.leaseUnits(request())).rejects.toThrow(StoreUnavailable);
}
