/** Counting the units of rate limits: a part of the store's contract, which the same suite holds. */
export interface UnitStore {
  /**
   * Gives out up to `units` of a window, all replicas together never more than `limit` in one window; none
   * where fewer than `unitsMin` are left, which are then there for others.
   * A lease that was given and whose answer was lost is spent: never too many, at worst too few.
   */
  leaseUnits(request: UnitLeaseRequest): Promise<UnitLease>;
  /** Takes back units that were leased and are not spent. A window that is gone by now is left so. */
  returnUnits(returns: readonly UnitReturn[]): Promise<void>;
  /**
   * Counts units that were spent without a lease, or for negative ones gives back, whatever is left: all of them or
   * none, at most {@link chargesMax}, one after another. With `once` it counts only if nothing was counted under that
   * id within {@link chargeRetentionMs}; else it changes nothing, and rejects with {@link OtherCharge} where what was
   * counted then had another body.
   */
  chargeUnits(charges: readonly UnitCharge[], once: ChargeOnce | null): Promise<readonly UnitCount[]>;
  /** What was given out of each window and not returned, charges included, in their order; at most {@link chargesMax}. */
  countUnits(windows: readonly UnitWindow[]): Promise<readonly number[]>;
}

/** A window, or a period, of one counter. */
export interface UnitWindow {
  /** The name of the counter. */
  readonly spender: string;
  /** Unix milliseconds. */
  readonly windowStart: number;
  readonly windowEnd: number;
  /**
   * Where it is given: what was given out of another window of the same counter that holds this time and overlaps
   * this one counts as given out of this one, if it is more; a lease or a charge keeps it so. Such is a period whose
   * owner's billing anchor changed.
   */
  readonly carriesAt?: number;
}

export interface UnitLeaseRequest extends UnitWindow {
  readonly limit: number;
  /** 0, which only looks, or more. */
  readonly units: number;
  /** 0 for 0 units; else 1 to `units`. */
  readonly unitsMin: number;
  /** Whether likely nothing was leased of the window so far, or charged: it changes what is asked, and no answer. */
  readonly isLikelyFirst?: boolean;
}

export interface UnitLease {
  /** 0 to `units`. */
  readonly granted: number;
  /** What all replicas have been given in this window, this lease included, and what was charged. */
  readonly leased: number;
  /** Whether anything was charged in this window; absent for no. */
  readonly isCharged?: true;
}

export interface UnitReturn extends UnitWindow {
  /** 1 or more. */
  readonly units: number;
}

export interface UnitCharge extends UnitWindow {
  /** Less than 0 gives back. */
  readonly units: number;
  /** Giving back brings the count no lower, and leaves one that is lower; null for no bound. */
  readonly countMin: number | null;
}

/** Names a charge, so that a retry of it counts once. */
export interface ChargeOnce {
  readonly id: string;
  /** What it asks for, as a text that is equal for the same. */
  readonly body: string;
  /** Unix milliseconds. */
  readonly at: number;
}

/** What was given out of a window and charged, before and after a charge. */
export interface UnitCount {
  readonly before: number;
  readonly after: number;
}

/** Charges in one call of {@link UnitStore.chargeUnits}, windows in one of {@link UnitStore.countUnits}. */
export const chargesMax = 100;

/** How long the id of a charge is remembered. */
export const chargeRetentionMs = 7 * 86_400_000;

const longMs = 43_200_000;

/**
 * How long a window that has ended is still counted, for replicas whose clocks are behind: forgotten at once, it
 * would be given out to them anew. A long one is kept for longer: it is worth more.
 */
export function windowGraceMs({ windowStart, windowEnd }: UnitWindow): number {
  return windowEnd - windowStart < longMs ? 120_000 : 86_400_000;
}

/** The count after a charge. */
export function countAfter(before: number, { units, countMin }: UnitCharge): number {
  if (units >= 0 || countMin === null) return before + units;
  return Math.max(before + units, Math.min(before, countMin));
}

/** Another charge was counted under the same id. */
export class OtherCharge extends Error {
  constructor() {
    super('another charge was counted under this id');
    this.name = 'OtherCharge';
  }
}
