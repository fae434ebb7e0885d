import type { UnitLease, UnitStore } from '../store/units.ts';
import { neverMs } from './period.ts';

/**
 * Numbers in the store that only grow, for those who lease from it: each is a counter of units, of which all up to the
 * number are leased. They are windows' starts, Unix milliseconds, but for `holders`.
 */
export interface Fences {
  /** What the number is at this moment; 0 at first. */
  look(fence: Fence): Promise<number>;
  /** Brings it to `value` where it is less; resolves with what it is then. */
  raise(fence: Fence, value: number): Promise<number>;
  /** One more, unless it is not `from` any more: false then. */
  step(fence: Fence, from: number): Promise<boolean>;
}

/**
 * - `holders`: how many have held the advances, one after another.
 * - `advances`: windows that begin later have no advance yet.
 * - `settled`: what `advances` was when a holder had written down what it spent, and ended.
 * - `plain`: somebody may lease windows that begin up to then as if they had no advance.
 */
export type Fence = 'holders' | 'advances' | 'settled' | 'plain';

export function createFences(store: Pick<UnitStore, 'leaseUnits'>): Fences {
  const lease = (fence: Fence, limit: number, units: number): Promise<UnitLease> =>
    store.leaseUnits({
      ...{ spender: `fence ${fence}`, windowStart: 0, windowEnd: neverMs },
      ...{ limit, units, unitsMin: Math.min(1, units) },
    });
  return {
    look: async (fence) => (await lease(fence, 0, 0)).leased,
    raise: async (fence, value) => (await lease(fence, value, value)).leased,
    step: async (fence, from) => (await lease(fence, from + 1, 1)).granted === 1,
  };
}
