import { takenMark, talliesOfFold, type UsageBatches, type WaitingBatch } from '../batches.ts';
import { bitsFor, bucketRows } from '../open/open-rows.ts';
import { endOf, type RunUpkeep, rowsOf } from '../open/run-upkeep.ts';
import type { PlanDocument, UsagePlans } from '../plan.ts';
import { givenFrom, openFrom } from '../plan-hours.ts';
import {
  type FoldShare,
  isFold,
  type Share,
  type SharedMerge,
  type SharesState,
  sharesOf,
  stateOf,
} from './share-state.ts';
import type { ShareTaking, Taken } from './share-taking.ts';

/** Gives out work on use where there is more of it than one replica does, and says what of it counts. */
export interface ShareGiving {
  /** Says how much is given out. */
  step(): Promise<GivenWork>;
}

export interface GivenWork {
  readonly folds: number;
  readonly merges: number;
}

export interface ShareGivingDependencies {
  readonly plans: UsagePlans;
  readonly taking: ShareTaking;
  readonly batches: Pick<UsageBatches, 'findLeft' | 'waiting'>;
  readonly runs: Pick<RunUpkeep, 'nextMerge'>;
  readonly ownerRuns: Pick<RunUpkeep, 'nextMerge'>;
  readonly now: () => number;
  /** Hours before this are over. */
  readonly overBefore: () => number;
  readonly limits?: ShareLimits | undefined;
}

export interface ShareLimits {
  /** Of a fold, of which several are given out once two wait, and more as they come. */
  readonly tallies: number;
  /** About so many rows of a merge are a share. */
  readonly mergedRows: number;
  readonly bucketRows: number;
}

const defaults: ShareLimits = { tallies: talliesOfFold, mergedRows: 200_000, bucketRows };
const foldsMax = 64;
const mergesMax = 8;
const mergeSharesMax = 32;
/** Batches of one fold. */
const batchesMax = 100;

export function createShareGiving(dependencies: ShareGivingDependencies): ShareGiving {
  const { plans, taking, batches, now, overBefore, limits = defaults } = dependencies;
  const upkeepOf = { keys: dependencies.runs, owners: dependencies.ownerRuns };

  /** More of what waits, by numbers from this one on; `at` is the first that is left. */
  async function give({ plan, ids, shares, merges }: Taken, first: number): Promise<SharesState> {
    let at = first;
    const from = givenFrom(plan, overBefore());
    if (from === null) return { at, shares, merges };
    const folds = shares.filter(isFold);
    const taken = folds.flatMap((fold) => fold.batches);
    const waiting = (await batches.waiting([...ids, ...taken])).filter(
      ({ hours }) => hours && hours[0].getTime() >= from,
    );
    const total = waiting.reduce((sum, { tallies }) => sum + tallies, 0);
    const isMuch = folds.length > 0 || total >= 2 * limits.tallies;
    const pieces = isMuch ? piecesOf(waiting, limits.tallies).slice(0, foldsMax - folds.length) : [];
    const given: Share[] = pieces.map((piece) => foldOf(piece, at++));
    const isShared = folds.length + given.length > 0;
    const begun = isShared ? newMerges(plan, merges).map((merge) => ({ ...merge, run: at++ })) : [];
    const room = foldsMax + mergeSharesMax - shares.length;
    const all = [...merges, ...begun].map((merge) => {
      let { after } = merge;
      while (after < 2 ** merge.bits && given.length < room) {
        const to = endOf({ ...merge, after }, rowsOf(merge.runs), limits.mergedRows);
        given.push({ kind: 'merge', number: at++, at: new Date(now()), run: merge.run, from: after, to });
        after = to;
      }
      return { ...merge, after };
    });
    return { at, shares: [...shares, ...given], merges: all };
  }

  function newMerges(plan: PlanDocument, merges: readonly SharedMerge[]): Omit<SharedMerge, 'run'>[] {
    const begun: Omit<SharedMerge, 'run'>[] = [];
    for (const whose of ['keys', 'owners'] as const) {
      const same = merges.filter((merge) => merge.of === whose);
      const taken = new Set(same.flatMap(({ runs }) => runs.map(({ run }) => run)));
      for (let count = same.length; count < mergesMax; count++) {
        const merge = upkeepOf[whose].nextMerge(stateOf(plan, whose), taken);
        if (merge === null) break;
        for (const { run } of merge.runs) taken.add(run);
        begun.push({ ...merge, of: whose, into: { ...merge.into, rows: 0 } });
      }
    }
    return begun;
  }

  function foldOf(piece: readonly WaitingBatch[], number: number): FoldShare {
    const sum = (of: (batch: WaitingBatch) => number) => piece.reduce((all, batch) => all + of(batch), 0);
    const hours = piece.flatMap((batch) => (batch.hours === undefined ? [] : [batch.hours]));
    const runOf = (rows: number) => ({ bits: bitsFor(rows, limits.bucketRows), rows });
    return {
      ...{ kind: 'fold', number, at: new Date(now()), batches: piece.map(({ id }) => id) },
      from: new Date(Math.min(...hours.map(([first]) => first.getTime()))),
      last: new Date(Math.max(...hours.map(([, last]) => last.getTime()))),
      ...{ keys: runOf(sum(({ tallies }) => tallies)), owners: runOf(sum(({ abouts }) => abouts)) },
    };
  }

  return {
    async step() {
      const last = await plans.read();
      const { shares } = sharesOf(last);
      if (last === null || last.slice !== undefined || openFrom(last) === null) return countOf(shares);
      if (last.batches.length > 0 && (await batches.findLeft(last.batches)) !== null) return countOf(shares);
      const taken = await taking.take(last);
      const first = Math.max(now(), last.fold + 1);
      const given = await give(taken, first);
      const before = new Set(shares);
      const isSame = given.shares.length === shares.length && given.shares.every((one) => before.has(one));
      if (isSame && taken.plan === last) return countOf(shares);
      const { runs = [], dead = [], owners, untold } = taken.plan;
      const plan = await plans.begin(last, {
        ...{ fold: given.at, shares: given, runs, dead },
        ...(owners !== undefined && { owners }),
        ...(untold !== undefined && { untold }),
        batches: taken.ids.length === 0 ? [] : [...taken.ids, takenMark],
      });
      return countOf(plan === null ? shares : given.shares);
    },
  };
}

function countOf(shares: readonly Share[]): GivenWork {
  const folds = shares.filter(isFold).length;
  return { folds, merges: shares.length - folds };
}

/** As many as make a fold, one after another; what is left at the end waits for more. */
function piecesOf(waiting: readonly WaitingBatch[], tallies: number): WaitingBatch[][] {
  const pieces: WaitingBatch[][] = [];
  let piece: WaitingBatch[] = [];
  let sum = 0;
  for (const batch of waiting) {
    if (piece.length > 0 && (sum + batch.tallies > tallies || piece.length === batchesMax)) {
      pieces.push(piece);
      [piece, sum] = [[], 0];
    }
    piece.push(batch);
    sum += batch.tallies;
  }
  return pieces;
}
