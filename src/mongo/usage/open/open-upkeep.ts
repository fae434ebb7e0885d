import { setImmediate } from 'node:timers/promises';
import type { UsageTally } from '../../../store/usage/usage-tally.ts';
import { earliest } from '../../records/keys/records.ts';
import type { UsageHours } from '../hours.ts';
import type { Merging, PlanDocument, PlanNext, PlanOutcome, Settling, UsagePlans } from '../plan.ts';
import { isClosed, overBefore, settledOf } from '../plan-hours.ts';
import { portions } from '../portions.ts';
import type { UsageSums } from '../sums/sums.ts';
import { sumsOf } from '../sums/tally-sums.ts';
import type { OpenUse } from './open.ts';
import type { OpenReads } from './open-reads.ts';
import { bitsFor, bucketOf, bucketRows, type Run } from './open-rows.ts';

/**
 * What becomes of runs, a slice at a time: a few of about the same size are merged into one, and when an hour is over keys get
 * rows of what all runs have of it. What is written counts from when the plan says so, all at once; whatever is written for it may be
 * written again.
 */
export interface OpenUpkeep {
  /** Null where nothing is to be done. */
  next(plan: PlanDocument): Promise<Pick<PlanNext, 'slice' | 'settling' | 'merging'> | null>;
  /** Makes a slice. */
  make(plan: PlanDocument): Promise<PlanOutcome>;
  /** Removes some of what counts no more; says whether there was any. */
  clear(plan: PlanDocument): Promise<boolean>;
}

export interface OpenUpkeepDependencies {
  readonly hours: Pick<UsageHours, 'settle' | 'touch'>;
  readonly open: Pick<OpenUse, 'add' | 'remove'>;
  readonly openReads: Pick<OpenReads, 'hasFrom' | 'part'>;
  readonly sums: Pick<UsageSums, 'resolve' | 'close'>;
  readonly plans: Pick<UsagePlans, 'buried'>;
  readonly now: () => number;
  readonly limits?: UpkeepLimits;
}

export interface UpkeepLimits {
  /** So many runs of a level are merged, and up to so many at once. */
  readonly runsMin: number;
  readonly runsMax: number;
  /** Rows of runs in one slice, of a merge and of an hour that is over. */
  readonly mergedRows: number;
  readonly settledRows: number;
  /** Rows that a part has about, and a bucket. */
  readonly partRows: number;
  readonly bucketRows: number;
}

export const upkeepLimits: UpkeepLimits = {
  ...{ runsMin: 16, runsMax: 32, mergedRows: 50_000, settledRows: 10_000, partRows: 5_000 },
  bucketRows,
};
/** Whoever reads by a plan of before has come to an end by then. */
const deadMs = 30_000;
/** Tallies in one write. */
const writeSize = 1_000;
/** Dead runs that are removed in one step. */
const buriedAtOnce = 100;

export function createOpenUpkeep(dependencies: OpenUpkeepDependencies): OpenUpkeep {
  const { hours, open, openReads, sums, plans, now, limits = upkeepLimits } = dependencies;

  let isMergeNext = false;
  const rowsOf = (runs: readonly Run[]) => runs.reduce((all, { rows }) => all + rows, 0);

  const partBits = (runs: readonly Run[]) => bitsFor(rowsOf(runs), limits.partRows);

  /** What runs have in parts from one on and before another, one after the other. */
  async function* partsOf(
    { runs, bits, after }: Settling | Merging,
    to: number,
    range: { readonly from: number; readonly before: number },
  ): AsyncGenerator<UsageTally[]> {
    // A document of a small run has several parts: it is read once.
    const small = runs.filter((run) => run.bits < bits);
    const large = runs.filter((run) => run.bits >= bits);
    const ofSmall = new Map<number, UsageTally[]>();
    for (const tally of await openReads.part(small, { bits, from: after, to }, range)) {
      const part = bucketOf(tally.key, bits);
      ofSmall.set(part, [...(ofSmall.get(part) ?? []), tally]);
    }
    for (let from = after; from < to; from++) {
      const found = await openReads.part(large, { bits, from, to: from + 1 }, range);
      yield sumsOf([...found, ...(ofSmall.get(from) ?? [])]);
      await setImmediate();
    }
  }

  const endOf = ({ runs, bits, after }: Settling | Merging, rows: number) => {
    const ofPart = rowsOf(runs) / 2 ** bits;
    return Math.min(after + Math.max(Math.floor(rows / ofPart), 1), 2 ** bits);
  };

  function nextMerge({ runs = [], settling }: PlanDocument): Merging | null {
    const levels = new Map<number, Run[]>();
    const isTaken = new Set(settling?.runs.map(({ run }) => run));
    for (const run of runs.filter((one) => !isTaken.has(one.run)))
      levels.set(run.level, [...(levels.get(run.level) ?? []), run]);
    for (const [level, all] of [...levels].sort(([one], [other]) => one - other)) {
      if (all.length < limits.runsMin) continue;
      const some = all.slice(0, limits.runsMax);
      const rows = rowsOf(some);
      const into = { level: level + 1, bits: bitsFor(rows, limits.bucketRows), rows };
      return { runs: some, bits: partBits(some), after: 0, into };
    }
    return null;
  }

  function nextSettling({ settled, runs = [] }: PlanDocument): Settling | null {
    const over = overBefore(now());
    if (settled === undefined || settled.getTime() >= over) return null;
    return { before: new Date(over), runs, bits: partBits(runs), after: 0 };
  }

  async function settle(plan: PlanDocument, settling: Settling, to: number): Promise<PlanOutcome> {
    const { runs, bits, before } = settling;
    const early: UsageTally[] = [];
    for await (const tallies of partsOf(settling, to, { from: settledOf(plan), before: before.getTime() })) {
      for (const some of portions(tallies, writeSize)) await hours.settle(some);
      early.push(...tallies.filter((tally) => isClosed(plan, tally)));
    }
    // A version before, which knows nothing of what is open, has closed the hour without it.
    await hours.touch(early);
    if (early.length > 0) await sums.close(await sums.resolve(early), plan.fold);
    if (to < 2 ** bits) return { settling: { ...settling, after: to } };
    const over: Run[] = [];
    for (const run of runs) if (!(await openReads.hasFrom(run.run, before.getTime()))) over.push(run);
    return { settled: before, settling: null, ...without(plan, over) };
  }

  async function merge(plan: PlanDocument, merging: Merging, to: number): Promise<PlanOutcome> {
    const { runs, bits, after, into, run = plan.fold } = merging;
    let rows = into.rows - (after === 0 ? rowsOf(runs) : 0);
    for await (const tallies of partsOf(merging, to, { from: settledOf(plan), before: -earliest })) {
      rows += tallies.length;
      await open.add(tallies, { run, bits: into.bits });
    }
    const counted = { ...into, rows };
    if (to < 2 ** bits) return { merging: { ...merging, after: to, into: counted } };
    const { runs: others, dead } = without(plan, runs);
    return { merging: null, dead, runs: [...others, { ...counted, run }] };
  }

  function without({ runs = [], dead = [] }: PlanDocument, gone: readonly Run[]) {
    const isGone = new Set(gone.map(({ run }) => run));
    const at = new Date(now());
    return {
      runs: runs.filter(({ run }) => !isGone.has(run)),
      dead: [...dead, ...gone.map(({ run }) => ({ run, at }))],
    };
  }

  return {
    async next(plan) {
      const { settling, merging = nextMerge(plan) } = plan;
      const begun = settling ?? (plan.merging === undefined ? nextSettling(plan) : null);
      // Folds go on meanwhile, and make runs: one after the other has its turn.
      isMergeNext = merging !== null && (begun === null || !isMergeNext);
      if (isMergeNext && merging !== null && (settling !== undefined || begun === null)) {
        return { merging, slice: { kind: 'merge', to: endOf(merging, limits.mergedRows) } };
      }
      return begun && { settling: begun, slice: { kind: 'settle', to: endOf(begun, limits.settledRows) } };
    },
    async make(plan) {
      const { slice, settling, merging } = plan;
      if (slice?.kind === 'settle' && settling !== undefined) return settle(plan, settling, slice.to);
      if (slice?.kind === 'merge' && merging !== undefined) return merge(plan, merging, slice.to);
      return {};
    },
    async clear({ dead = [] }) {
      const due = dead.filter(({ at }) => at.getTime() <= now() - deadMs).slice(0, buriedAtOnce);
      if (due.length === 0) return false;
      const runs = due.map(({ run }) => run);
      if (!(await open.remove(runs))) await plans.buried(runs);
      return true;
    },
  };
}
