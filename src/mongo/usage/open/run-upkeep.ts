import { setImmediate } from 'node:timers/promises';
import type { UsageTally } from '../../../store/usage/usage-tally.ts';
import { earliest } from '../../records/keys/records.ts';
import type { SharedWork } from '../shares/share-state.ts';
import { sumsOf } from '../sums/tally-sums.ts';
import type { OpenUse } from './open.ts';
import type { OpenReads } from './open-reads.ts';
import { bitsFor, bucketOf, bucketRows, type Hours, type PlacedRun, type Run } from './open-rows.ts';
import type { DeadRun, Merging, OpenChange, OpenState, Settling, Sweep } from './open-state.ts';

/**
 * What becomes of runs of keys, or of owners, a slice at a time: a few of about the same size are merged into one, and when an hour is
 * over what all runs have of it is handed on. What is written counts from when the plan says so, all at once; whatever is
 * written for it may be written again.
 */
export interface RunUpkeep {
  /** What is to be done next, and up to which part; null where it is nothing. */
  next(state: OpenState, shared?: SharedWork): UpkeepWork | null;
  /** Some runs of a size, but for these; null where there are not enough. */
  nextMerge(state: OpenState, without: ReadonlySet<number>): Merging | null;
  /** Merges up to this part; says of how many rows it has made one. */
  mergeParts(state: OpenState, merging: Merging & { readonly run: number }, to: number): Promise<number>;
  /** With one run in place of these. */
  merged(state: OpenState, runs: readonly Run[], into: Run): Required<Pick<OpenState, 'runs' | 'dead'>>;
  /** Merges up to this part, in the slice of this number. */
  merge(state: OpenState, to: number, number: number): Promise<OpenChange>;
  /** Hands what runs have of hours that are over to `write`, up to this part. */
  settle(state: OpenState, to: number, write: (tallies: UsageTally[]) => Promise<void>): Promise<OpenChange>;
  /** Removes some of what counts no more: null where there is nothing, else of which runs nothing is left. */
  clear(state: OpenState): Promise<readonly number[] | null>;
  /** Of each of the sources what it has in one part after another. */
  partsOf(sweep: Sweep, to: number, sources: readonly SweepSource[]): AsyncGenerator<UsageTally[][]>;
}

export type UpkeepWork = { readonly to: number } & (
  | { readonly merging: Merging; readonly settling?: never }
  | { readonly settling: Settling; readonly merging?: never }
);

export interface SweepSource {
  readonly runs: readonly PlacedRun[];
  readonly hours: Hours;
}

export interface RunUpkeepDependencies {
  readonly open: Pick<OpenUse, 'add' | 'remove' | 'letGo'>;
  readonly openReads: Pick<OpenReads, 'hasFrom' | 'part'>;
  readonly now: () => number;
  /** Hours before this are over, and all that was used in them is known. */
  readonly overBefore: () => number;
  readonly limits?: UpkeepLimits | undefined;
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
  /** The same of owners in hours that are over: whoever looks at many hours of one owner reads one bucket of each. */
  readonly pastBucketRows: number;
}

export const upkeepLimits: UpkeepLimits = {
  ...{ runsMin: 16, runsMax: 32, mergedRows: 50_000, settledRows: 10_000, partRows: 5_000 },
  ...{ bucketRows, pastBucketRows: 200 },
};
/** Whoever reads by a plan of before has come to an end by then. */
const deadMs = 30_000;
/** Dead runs that are removed in one step. */
const buriedAtOnce = 100;

export function createRunUpkeep(dependencies: RunUpkeepDependencies): RunUpkeep {
  const { open, openReads, now, overBefore, limits = upkeepLimits } = dependencies;
  let isMergeNext = false;

  const partBits = (runs: readonly Run[]) => bitsFor(rowsOf(runs), limits.partRows);

  function nextMerge(
    { runs = [], settling, merging }: OpenState,
    without: ReadonlySet<number>,
  ): Merging | null {
    const levels = new Map<number, Run[]>();
    const isTaken = new Set([...(settling?.runs ?? []), ...(merging?.runs ?? [])].map(({ run }) => run));
    for (const run of runs.filter((one) => !isTaken.has(one.run) && !without.has(one.run)))
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

  function nextSettling({ settled, runs = [] }: OpenState, heldFrom: number): Settling | null {
    const over = overBefore();
    // What others fold of these hours is to be among the runs.
    if (settled === undefined || settled.getTime() >= over || heldFrom < over) return null;
    return { before: new Date(over), runs, bits: partBits(runs), after: 0 };
  }

  function without({ runs = [], dead = [] }: OpenState, gone: readonly Run[]) {
    const isGone = new Set(gone.map(({ run }) => run));
    const at = new Date(now());
    const dying = runs.filter(({ run }) => isGone.has(run));
    return {
      runs: runs.filter(({ run }) => !isGone.has(run)),
      dead: [...dead, ...dying.map(({ run }) => ({ run, at }))],
    };
  }

  async function* partsOf(
    { bits, after }: Sweep,
    to: number,
    sources: readonly SweepSource[],
  ): AsyncGenerator<UsageTally[][]> {
    const readers = await Promise.all(
      sources.map(async ({ runs, hours }) => {
        // A document of a small run has several parts: it is read once.
        const small = runs.filter((run) => run.bits < bits);
        const large = runs.filter((run) => run.bits >= bits);
        const ofSmall = new Map<number, UsageTally[]>();
        for (const tally of await openReads.part(small, { bits, from: after, to }, hours)) {
          const part = bucketOf(tally.key, bits);
          const others = ofSmall.get(part);
          if (others === undefined) ofSmall.set(part, [tally]);
          else others.push(tally);
        }
        return async (from: number) => {
          // What is read at once is added up already.
          if (large.length === 0) return ofSmall.get(from) ?? [];
          const found = await openReads.part(large, { bits, from, to: from + 1 }, hours);
          const others = ofSmall.get(from);
          return others === undefined ? found : sumsOf([...found, ...others]);
        };
      }),
    );
    for (let from = after; from < to; from++) {
      yield await Promise.all(readers.map((read) => read(from)));
      await setImmediate();
    }
  }

  function merged(state: OpenState, gone: readonly Run[], into: Run) {
    const { runs, dead } = without(state, gone);
    return { dead, runs: [...runs, into] };
  }

  async function mergeParts(
    state: OpenState,
    merging: Merging & { readonly run: number },
    to: number,
  ): Promise<number> {
    const { runs, run, into } = merging;
    const hours = { from: state.settled?.getTime() ?? earliest, before: -earliest };
    let rows = 0;
    for await (const [tallies = []] of partsOf(merging, to, [{ runs, hours }])) {
      rows += tallies.length;
      await open.add(tallies, { run, bits: into.bits });
    }
    return rows;
  }

  return {
    nextMerge,
    mergeParts,
    merged,
    next(state, shared) {
      const { settling } = state;
      // Where folds are given out merges are, too.
      const merging =
        state.merging ?? (shared?.isShared ? null : nextMerge(state, shared?.runs ?? new Set()));
      const begun =
        settling ?? (state.merging === undefined ? nextSettling(state, shared?.from ?? Infinity) : null);
      // Folds go on meanwhile, and make runs: one after the other has its turn.
      isMergeNext = merging !== null && (begun === null || !isMergeNext);
      if (isMergeNext && merging !== null && (settling !== undefined || begun === null)) {
        return { merging, to: endOf(merging, rowsOf(merging.runs), limits.mergedRows) };
      }
      return begun && { settling: begun, to: endOf(begun, rowsOf(begun.runs), limits.settledRows) };
    },
    async merge(state, to, number) {
      const { merging } = state;
      if (merging === undefined) return {};
      const { runs, bits, after, into, run = number } = merging;
      const before = into.rows - (after === 0 ? rowsOf(runs) : 0);
      const counted = { ...into, rows: before + (await mergeParts(state, { ...merging, run }, to)) };
      if (to < 2 ** bits) return { merging: { ...merging, run, after: to, into: counted } };
      return { merging: null, ...merged(state, runs, { ...counted, run }) };
    },
    async settle(state, to, write) {
      const { settling } = state;
      if (settling === undefined) return {};
      const { runs, bits, before } = settling;
      const hours = { from: state.settled?.getTime() ?? earliest, before: before.getTime() };
      for await (const [tallies = []] of partsOf(settling, to, [{ runs, hours }])) await write(tallies);
      if (to < 2 ** bits) return { settling: { ...settling, after: to } };
      const over: Run[] = [];
      for (const run of runs) if (!(await openReads.hasFrom(run.run, before.getTime()))) over.push(run);
      return { settled: before, settling: null, ...without(state, over) };
    },
    async clear({ dead = [], settling }) {
      // What is merged while it is settled is read to the end.
      const isRead = new Set(settling?.runs.map(({ run }) => run));
      const isDue = ({ run, at }: DeadRun) => at.getTime() <= now() - deadMs && !isRead.has(run);
      const due = dead.filter(isDue).slice(0, buriedAtOnce);
      if (due.length === 0) return null;
      const runs = due.map(({ run }) => run);
      return (await open.remove(runs)) ? [] : runs;
    },
    partsOf,
  };
}

export function rowsOf(runs: readonly Pick<Run, 'rows'>[]): number {
  return runs.reduce((all, { rows }) => all + rows, 0);
}

/** Up to which part a slice of about so many rows goes, of a sweep over `all`. */
export function endOf({ bits, after }: Sweep, all: number, rows: number): number {
  const ofPart = Math.max(all, 1) / 2 ** bits;
  return Math.min(after + Math.max(Math.floor(rows / ofPart), 1), 2 ** bits);
}
