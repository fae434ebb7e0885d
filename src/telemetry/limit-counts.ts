import { Counter, type Registry } from 'prom-client';
import type { Store } from '../store/store.ts';

/** Counts the units of limits that a store gives out ahead of requests, takes back, and charges after them. */
export function createLimitCounts(registers: Registry[]): (store: Store) => Store {
  const units = new Counter({
    name: 'postern_limit_units_total',
    help: 'Units of limits that the store leased, took back unspent, charged after the fact, and gave back so.',
    labelNames: ['what'],
    registers,
  });
  const leases = new Counter({
    name: 'postern_limit_leases_total',
    help: 'Leases of units that were asked for, by whether there were any left.',
    labelNames: ['result'],
    registers,
  });
  for (const what of ['leased', 'returned', 'charged', 'given_back']) units.inc({ what }, 0);
  for (const result of ['granted', 'exhausted']) leases.inc({ result }, 0);

  return (store) => ({
    ...store,
    async leaseUnits(request) {
      const lease = await store.leaseUnits(request);
      units.inc({ what: 'leased' }, lease.granted);
      // For no units it is only looked.
      if (request.units > 0) leases.inc({ result: lease.granted > 0 ? 'granted' : 'exhausted' });
      return lease;
    },
    async returnUnits(returns) {
      await store.returnUnits(returns);
      units.inc(
        { what: 'returned' },
        returns.reduce((sum, one) => sum + one.units, 0),
      );
    },
    async chargeUnits(charges, once) {
      const counts = await store.chargeUnits(charges, once);
      for (const { before, after } of counts) {
        units.inc({ what: after < before ? 'given_back' : 'charged' }, Math.abs(after - before));
      }
      return counts;
    },
  });
}
