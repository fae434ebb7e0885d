import type { Run } from './open-rows.ts';

/** Which runs there are of keys, or of owners, and what is being done with them: a part of the plan. */
export interface OpenState {
  /** Use of hours before this has rows; of later ones it is in open documents besides. */
  readonly settled?: Date;
  /** What is open: of each fold since then, merged or not. What no run that is named here has written counts nothing. */
  readonly runs?: readonly Run[];
  /** Of these hours rows are being made. */
  readonly settling?: Settling;
  readonly merging?: Merging;
  /** Runs that count no more, as others have what they had, or rows; they are removed some time after. */
  readonly dead?: readonly DeadRun[];
}

/** Keys, or owners, are taken in parts of equal size, those before `after` are done. */
export interface Sweep {
  /** There are 2 to the power of so many parts. */
  readonly bits: number;
  readonly after: number;
}

/** Of runs that do not change meanwhile. */
export interface Settling extends Sweep {
  readonly runs: readonly Run[];
  readonly before: Date;
}

export interface Merging extends Sweep {
  readonly runs: readonly Run[];
  readonly into: Omit<Run, 'run'>;
  /** The number of the slice that has begun with it. */
  readonly run?: number;
}

export interface DeadRun {
  readonly run: number;
  readonly at: Date;
}

/** What a slice has changed of it: null where it is said no more. */
export type OpenChange = Partial<Pick<OpenState, 'settled' | 'runs' | 'dead'>> & {
  readonly settling?: Settling | null;
  readonly merging?: Merging | null;
};
