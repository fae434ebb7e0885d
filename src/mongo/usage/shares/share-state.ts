import type { Run } from '../open/open-rows.ts';
import type { Merging, OpenState } from '../open/open-state.ts';

/**
 * What was given out of the work on use: a part of the plan. Any replica does a share, and two that do the same write the same.
 * Nothing of it counts before the plan says so, by one write.
 */
export interface SharesState {
  /** The last step of the plan that knew of shares: a version before has begun a later one, and then none of these counts. */
  readonly at: number;
  readonly shares: readonly Share[];
  readonly merges: readonly SharedMerge[];
}

export type Share = FoldShare | MergeShare;

/** Batches that become a run, of keys and of owners: all they have is of hours that are not over. */
export interface FoldShare extends GivenShare {
  readonly kind: 'fold';
  readonly batches: readonly string[];
  /** The earliest and the latest hour. */
  readonly from: Date;
  readonly last: Date;
  readonly keys: Pick<Run, 'bits' | 'rows'>;
  readonly owners: Pick<Run, 'bits' | 'rows'>;
}

/** Some parts of a merge, from one on and before another. */
export interface MergeShare extends GivenShare {
  readonly kind: 'merge';
  readonly run: number;
  readonly from: number;
  readonly to: number;
}

interface GivenShare {
  /** As that of a step; a fold's run goes by it. */
  readonly number: number;
  readonly at: Date;
}

/** Parts before `after` are given out; `into` has the rows of those that are done. */
export interface SharedMerge extends Merging {
  readonly of: 'keys' | 'owners';
  readonly run: number;
}

/** What the plan says of them, under the number of its last step. */
interface SharesOfPlan {
  readonly fold: number;
  readonly shares?: SharesState;
}

const none: SharesState = { at: 0, shares: [], merges: [] };

/** None where a version before has gone on since, which knows nothing of them. */
export function sharesOf(plan: SharesOfPlan | null): SharesState {
  return plan?.shares !== undefined && plan.shares.at === plan.fold ? plan.shares : none;
}

/** What the plan says of runs of keys, or of owners. */
export function stateOf(plan: OpenState & { readonly owners?: OpenState }, of: SharedMerge['of']): OpenState {
  return of === 'keys' ? plan : (plan.owners ?? {});
}

/** What others are busy with, for whoever merges and settles. */
export interface SharedWork {
  /** Folds are given out, and so merges are. */
  readonly isShared: boolean;
  /** The earliest hour in folds that are given out. */
  readonly from: number;
  /** Runs that are being merged. */
  readonly runs: ReadonlySet<number>;
}

export function workOf(plan: SharesOfPlan, of: SharedMerge['of']): SharedWork {
  const { shares, merges } = sharesOf(plan);
  const folds = shares.filter(isFold);
  return {
    isShared: folds.length > 0,
    from: Math.min(Number.POSITIVE_INFINITY, ...folds.map(({ from }) => from.getTime())),
    runs: new Set(merges.flatMap((merge) => (merge.of === of ? merge.runs.map(({ run }) => run) : []))),
  };
}

export function isFold(share: Share): share is FoldShare {
  return share.kind === 'fold';
}
