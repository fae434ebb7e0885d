import { expect, it } from 'vitest';
import { createLeaseBatches, leasesAtOnce } from '../../src/store/lease-batches.ts';
import type { UnitLease, UnitLeaseRequest } from '../../src/store/units.ts';
import { request } from '../store-contract/use/limits.ts';

it('leases for all keys that ask in one turn by one write, in parts that take little time', async () => {
  const parts: number[] = [];
  const lease = createLeaseBatches({ leaseAll: granting(parts) }, { underWayMax: 16 });
  const asked = Array.from({ length: 2 * leasesAtOnce + 1 }, (_, at) =>
    lease(request({ spender: `key_${at}`, units: at + 1 })),
  );
  const leases = await Promise.all(asked);
  expect(parts).toEqual([leasesAtOnce, leasesAtOnce, 1]);
  expect(leases.map(({ granted }) => granted)).toEqual(leases.map((_, at) => at + 1));
});

it('has so many writes under way at most, and one for all who ask meanwhile', async () => {
  const parts: number[] = [];
  const gate = Promise.withResolvers<void>();
  const grant = granting(parts);
  const leaseAll = async (requests: readonly UnitLeaseRequest[]) => {
    const leases = await grant(requests);
    await gate.promise;
    return leases;
  };
  const lease = createLeaseBatches({ leaseAll }, { underWayMax: 2 });
  const asked: Promise<UnitLease>[] = [];
  for (let turn = 0; turn < 10; turn++) {
    asked.push(lease(request()));
    await nextTurn();
  }
  expect(parts).toEqual([1, 1]);
  gate.resolve();
  await Promise.all(asked);
  expect(parts).toEqual([1, 1, 8]);
});

it('leases nothing for those who have given up', async () => {
  const parts: number[] = [];
  const lease = createLeaseBatches({ leaseAll: granting(parts) }, { underWayMax: 16 });
  const late = lease(request(), AbortSignal.abort(new Error('too late')));
  const other = lease(request({ units: 3 }), new AbortController().signal);
  await expect(late).rejects.toThrow('too late');
  expect([await other, parts]).toEqual([{ granted: 3, leased: 3 }, [1]]);
});

it('tells everyone of a lease that could not be written, and goes on', async () => {
  let isAway = true;
  const grant = granting([]);
  const leaseAll = async (requests: readonly UnitLeaseRequest[]) => {
    if (isAway) throw new Error('away');
    return grant(requests);
  };
  const lease = createLeaseBatches({ leaseAll }, { underWayMax: 1 });
  const outcomes = await Promise.allSettled([lease(request()), lease(request())]);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  isAway = false;
  expect(await lease(request())).toEqual({ granted: 1, leased: 1 });
});

function granting(parts: number[]) {
  return async (requests: readonly UnitLeaseRequest[]): Promise<UnitLease[]> => {
    parts.push(requests.length);
    return requests.map(({ units }) => ({ granted: units, leased: units }));
  };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
