import type { Limit } from '../keys/limit.ts';
import type { ChargeOnce, UnitStore } from '../store/units.ts';
import type { Anchored, HeldWindow, Spender } from './accounts.ts';
import { type LimitNews, noteCharged } from './news.ts';
import { type UsedLimit, unitWindow, windowOf } from './standings.ts';

/** Units that were spent without a lease, of one limit of a key; less than 0 gives back. */
export interface Charge {
  readonly key: Spender;
  readonly owner: Anchored | null;
  readonly limit: Limit;
  readonly units: number;
}

/** How a key stands with a limit after a charge. */
export interface ChargedLimit extends UsedLimit {
  /** Units that were left before it. */
  readonly leftBefore: number;
}

/** Charges all of them or none, and tells those who lease; rejects as the store's contract says. */
export type ChargeLimits = (
  charges: readonly Charge[],
  once: Pick<ChargeOnce, 'id' | 'body'> | null,
) => Promise<readonly ChargedLimit[]>;

export interface ChargingDependencies {
  readonly store: Pick<UnitStore, 'chargeUnits' | 'countUnits'>;
  /** What this replica holds of these windows, in their order. */
  readonly held: (windows: readonly HeldWindow[]) => Promise<readonly number[]>;
  /** Resolves when those who lease on this replica know how much counts as leased. */
  readonly charged: (counts: readonly (readonly [window: HeldWindow, leased: number])[]) => Promise<void>;
  /** Told of what an operator may want to hear of. Default: nobody is. */
  readonly onNews?: (news: LimitNews) => void;
  /** Unix milliseconds. */
  readonly now: () => number;
}

export function createCharging({
  store,
  held,
  charged,
  now,
  onNews = () => {},
}: ChargingDependencies): ChargeLimits {
  return async (charges, once) => {
    const at = now();
    const windows = charges.map(({ key, owner, limit }) => windowOf(key, owner, limit, at));
    const free = await held(windows);
    const asked = charges.map(({ key, limit, units }, place) => ({
      ...unitWindow(windows[place] as HeldWindow, limit, key, at),
      units,
      // What is held counts as leased and is not used: nothing is given back below a use of 0.
      countMin: limit.per === 'total' ? null : (free[place] ?? 0),
    }));
    const isLook = charges.every(({ units }) => units === 0);
    const counts = isLook
      ? (await store.countUnits(asked)).map((count) => ({ before: count, after: count }))
      : await store.chargeUnits(asked, once === null ? null : { ...once, at });
    if (!isLook) {
      await charged(windows.map((window, place) => [window, counts[place]?.after ?? 0] as const));
    }
    return charges.map(({ key, limit }, place) => {
      const window = windows[place] as HeldWindow;
      const { before, after } = counts[place] ?? { before: 0, after: 0 };
      const heldHere = free[place] ?? 0;
      const count = after - heldHere;
      noteCharged(key, window, limit, { before: before - heldHere, after: count }, onNews);
      const used = limit.per === 'total' ? count : Math.max(0, count);
      return {
        ...{ limit, start: window.start, end: window.end, window, held: heldHere, used },
        remaining: Math.max(0, limit.limit - count),
        leftBefore: Math.max(0, limit.limit - (before - heldHere)),
      };
    });
  };
}
