import { startOf } from '../../../store/usage/usage-sums.ts';
import type { Run } from '../open/open-rows.ts';
import type { OpenChange, OpenState, Sweep } from '../open/open-state.ts';

/** What is being done with the use of owners, which goes on by itself: a part of the plan. */
export interface OwnerState extends OpenState {
  /** Hours before this are in the run of their unit; what comes late for them is in documents of its own (`usage_sums`). */
  readonly settled: Date;
  /** So are days before this, which is the start of one, and months before that one's. */
  readonly closed: Date;
  /** The day that begins at `closed` is being added up. */
  readonly closing?: DayClosing;
  /** All closed days of the month of `closed`, where there are some. */
  readonly month?: MonthRun;
  /** Hours, days and months have 2 to the power of so many buckets at most. */
  readonly bits: number;
  /** About how many rows hours had of late. */
  readonly rows: number;
}

export interface DayClosing extends Sweep {
  /** Of the day's rows, and the month's. */
  readonly bucketBits: number;
  /** The number of the slice that has begun with it, which is that of the month's new run. */
  readonly run?: number;
  /** So many rows of the month are made. */
  readonly rows: number;
}

export interface MonthRun extends Omit<Run, 'level'> {
  readonly start: Date;
}

/** Before anything was added to it: what was used before is in documents of its own. */
export function firstOwners(now: number): OwnerState {
  const [settled, closed] = [startOf('hour', now), startOf('day', now)];
  return { settled: new Date(settled), closed: new Date(closed), bits: 0, rows: 0 };
}

export type OwnerChange = OpenChange &
  Partial<Pick<OwnerState, 'closed' | 'bits' | 'rows'>> & {
    readonly closing?: DayClosing | null;
    readonly month?: MonthRun | null;
  };

/** With the change: what is null is left out. */
export function changed(owners: OwnerState, change: OwnerChange): OwnerState {
  const {
    settling = null,
    merging = null,
    closing = null,
    month = null,
    ...others
  } = { ...owners, ...change };
  return {
    ...others,
    ...(settling !== null && { settling }),
    ...(merging !== null && { merging }),
    ...(closing !== null && { closing }),
    ...(month !== null && { month }),
  };
}
