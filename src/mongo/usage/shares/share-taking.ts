import type { Run } from '../open/open-rows.ts';
import type { OpenState } from '../open/open-state.ts';
import type { RunUpkeep } from '../open/run-upkeep.ts';
import { changed } from '../owners/owner-state.ts';
import type { PlanDocument } from '../plan.ts';
import { openFrom } from '../plan-hours.ts';
import { claimId, type ShareClaims } from './share-claims.ts';
import {
  type FoldShare,
  isFold,
  type Share,
  type SharedMerge,
  type SharesState,
  sharesOf,
} from './share-state.ts';

/** What is done of the work that was given out. */
export interface ShareTaking {
  /** The plan with what counts from now on, and without what was not done for long. */
  take(plan: PlanDocument): Promise<Taken>;
}

export interface Taken extends Omit<SharesState, 'at'> {
  readonly plan: PlanDocument;
  /** Batches and claims that are to be removed once it says so. */
  readonly ids: readonly string[];
}

export interface ShareTakingDependencies {
  readonly claims: Pick<ShareClaims, 'done'>;
  readonly runs: Pick<RunUpkeep, 'merged'>;
  readonly ownerRuns: Pick<RunUpkeep, 'merged'>;
  readonly now: () => number;
}

/** What nobody can do is taken back by then: hours are not settled before. */
const takenBackMs = 900_000;

export function createShareTaking(dependencies: ShareTakingDependencies): ShareTaking {
  const { claims, runs, ownerRuns, now } = dependencies;
  const upkeepOf = { keys: runs, owners: ownerRuns };

  async function take(last: PlanDocument): Promise<Taken> {
    const { shares, merges } = sharesOf(last);
    const done =
      shares.length === 0 ? new Map<number, number>() : await claims.done(shares.map(({ number }) => number));
    const lost = lostOf(last, done);
    const left = shares.filter((share) => !done.has(share.number) && !lost.has(subjectOf(share)));
    const ids: string[] = [];
    let plan = withDead(last, lost);
    for (const share of shares.filter((one) => done.has(one.number) && !lost.has(subjectOf(one)))) {
      ids.push(claimId(share.number));
      if (!isFold(share)) continue;
      ids.push(...share.batches);
      plan = withRuns(plan, share);
    }
    const isLeft = new Set(left.map(subjectOf));
    const others: SharedMerge[] = [];
    for (const merge of merges.filter(({ run }) => !lost.has(run))) {
      const rows = shares.reduce(
        (sum, share) => sum + (subjectOf(share) === merge.run ? (done.get(share.number) ?? 0) : 0),
        merge.into.rows,
      );
      const counted = { ...merge, into: { ...merge.into, rows } };
      if (merge.after === 2 ** merge.bits && !isLeft.has(merge.run)) plan = withMerged(plan, counted);
      else others.push(counted);
    }
    return { plan, ids, shares: left, merges: others };
  }

  /**
   * The runs of folds and merges of which nothing will count: what was not done for long, and what is of hours that are settled.
   * Their batches wait again.
   */
  function lostOf(plan: PlanDocument, done: ReadonlyMap<number, number>): Set<number> {
    const { shares } = sharesOf(plan);
    const open = openFrom(plan) ?? Number.POSITIVE_INFINITY;
    const isLost = (share: Share) =>
      done.has(share.number)
        ? isFold(share) && share.from.getTime() < open
        : share.at.getTime() < now() - takenBackMs;
    return new Set(shares.filter(isLost).map(subjectOf));
  }

  /** What was written of these is removed; their claims go by themselves. */
  function withDead(plan: PlanDocument, lost: ReadonlySet<number>): PlanDocument {
    if (lost.size === 0) return plan;
    const gone = [...lost].map((run) => ({ run, at: new Date(now()) }));
    const { owners, dead = [] } = plan;
    return {
      ...{ ...plan, dead: [...dead, ...gone] },
      ...(owners && { owners: { ...owners, dead: [...(owners.dead ?? []), ...gone] } }),
    };
  }

  function withMerged(plan: PlanDocument, { of, runs, run, into }: SharedMerge): PlanDocument {
    const change = (state: OpenState) => upkeepOf[of].merged(state, runs, { ...into, run });
    if (of === 'keys') return { ...plan, ...change(plan) };
    return plan.owners === undefined ? plan : { ...plan, owners: changed(plan.owners, change(plan.owners)) };
  }

  return { take };
}

/** The run of a fold, or of the merge. */
function subjectOf(share: Share): number {
  return isFold(share) ? share.number : share.run;
}

function withRuns(plan: PlanDocument, { number, keys, owners, last }: FoldShare): PlanDocument {
  const run = (brought: Pick<Run, 'bits' | 'rows'>): Run => ({ run: number, level: 0, ...brought });
  return {
    ...plan,
    runs: [...(plan.runs ?? []), run(keys)],
    ...(plan.owners && {
      owners: { ...plan.owners, runs: [...(plan.owners.runs ?? []), run(owners)] },
    }),
    // Of few of them keys' own documents are told.
    untold: new Date(Math.max(plan.untold?.getTime() ?? last.getTime(), last.getTime())),
  };
}
