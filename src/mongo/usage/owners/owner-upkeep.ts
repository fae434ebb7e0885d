import { dayMs, hourMs, nextStart, startOf, sumRetentionMs } from '../../../store/usage/usage-sums.ts';
import type { UsageTally } from '../../../store/usage/usage-tally.ts';
import { bitsFor } from '../open/open-rows.ts';
import { createRunUpkeep, endOf, type RunUpkeepDependencies, upkeepLimits } from '../open/run-upkeep.ts';
import type { PlanDocument, PlanNext, PlanOutcome, UsagePlans } from '../plan.ts';
import { workOf } from '../shares/share-state.ts';
import { sumsOf } from '../sums/tally-sums.ts';
import { unitRun } from './owner-rows.ts';
import { changed, type DayClosing, type OwnerChange, type OwnerState } from './owner-state.ts';

/**
 * What becomes of the use of owners, a slice at a time: when an hour is over its rows are added up, then those of a day, and
 * with each day those of its month. They stay rows of many owners in a document, as they were while the hour was open: a document for each
 * owner would cost the server a hundred times as much.
 */
export interface OwnerUpkeep {
  /** Null where nothing is to be done. */
  next(plan: PlanDocument): Pick<PlanNext, 'slice' | 'owners'> | null;
  /** Makes a slice. */
  make(plan: PlanDocument): Promise<PlanOutcome>;
  /** Removes some of what counts no more; says whether there was any. */
  clear(plan: PlanDocument): Promise<boolean>;
}

export interface OwnerUpkeepDependencies extends RunUpkeepDependencies {
  readonly plans: Pick<UsagePlans, 'buriedOwners'>;
}

export function createOwnerUpkeep(dependencies: OwnerUpkeepDependencies): OwnerUpkeep {
  const { open, plans, now, limits = upkeepLimits } = dependencies;
  // A row of an hour that is over costs no more than one that is merged.
  const runs = createRunUpkeep({ ...dependencies, limits: { ...limits, settledRows: limits.mergedRows } });
  const rowsOfDay = ({ rows, month }: OwnerState) => (rows * dayMs) / hourMs + (month?.rows ?? 0);

  /** A bucket is written once: it is of one part, or a part of one. */
  const pastBits = (rows: number, partBits: number) =>
    Math.max(bitsFor(rows, limits.pastBucketRows), partBits);

  function nextClosing(owners: OwnerState): DayClosing | null {
    if (owners.closed.getTime() + dayMs > owners.settled.getTime()) return null;
    const bits = bitsFor(rowsOfDay(owners), limits.partRows);
    return {
      bits,
      after: 0,
      bucketBits: pastBits(Math.max(owners.rows, owners.month?.rows ?? 0), bits),
      rows: 0,
    };
  }

  async function settle(owners: OwnerState, to: number): Promise<OwnerChange> {
    const { settling } = owners;
    if (settling === undefined) return {};
    // What many runs have of the same owner is one row.
    const bits = pastBits(Math.max(0, ...settling.runs.map(({ rows }) => rows)), settling.bits);
    let rows = 0;
    const change = await runs.settle(owners, to, async (tallies) => {
      rows += tallies.length;
      await open.add(tallies, unitRun('hour', bits));
    });
    // Of one slice, for all of them.
    const estimate = Math.floor((rows * 2 ** settling.bits) / Math.max(to - settling.after, 1));
    return {
      ...change,
      ...{ bits: Math.max(owners.bits, bits), rows: Math.max(estimate, Math.floor(owners.rows * 0.9)) },
    };
  }

  /** The day's rows, and those of its month up to its end, from what was the month before. */
  async function close(owners: OwnerState, to: number, number: number): Promise<OwnerChange> {
    const { closing, closed, month, dead = [] } = owners;
    if (closing === undefined) return {};
    const { bits, bucketBits, run = number } = closing;
    const day = closed.getTime();
    const [start, end] = [startOf('month', day), day + dayMs];
    const isMonthOver = nextStart('month', day) === end;
    const unit = (unit: 'day' | 'month') => unitRun(unit, bucketBits);
    const into = isMonthOver ? unit('month') : { ...unit('month'), run };
    const hoursOfDay = Array.from({ length: owners.bits + 1 }, (_, bits) => unitRun('hour', bits));
    const ofDay = { runs: hoursOfDay, hours: { from: day, before: end } };
    const sources = [
      ofDay,
      { runs: month === undefined ? [] : [month], hours: { from: start, before: end } },
    ];
    let rows = closing.rows;
    for await (const [ofHours = [], before = []] of runs.partsOf(closing, to, sources)) {
      const added = sumsOf(ofHours.map(startingAt(day)));
      await open.add(added, unit('day'));
      const ofMonth = sumsOf([...before, ...added.map(startingAt(start))]);
      rows += ofMonth.length;
      await open.add(ofMonth, into);
    }
    // Whoever makes this slice again finds the rows that it has made, and leaves them as they are.
    const parts = { bits, from: closing.after, to };
    await open.letGo(ofDay.runs, parts, ofDay.hours, sumRetentionMs.hour);
    if (to < 2 ** bits) return { closing: { ...closing, run, after: to, rows } };
    return {
      ...{ closing: null, closed: new Date(end), bits: Math.max(owners.bits, bucketBits) },
      month: isMonthOver ? null : { run, bits: bucketBits, rows, start: new Date(start) },
      dead: month === undefined ? dead : [...dead, { run: month.run, at: new Date(now()) }],
    };
  }

  return {
    next(plan) {
      const { owners } = plan;
      if (owners === undefined) return null;
      const work = runs.next(owners, workOf(plan, 'owners'));
      if (work?.merging !== undefined) {
        const { merging, to } = work;
        return { owners: { ...owners, merging }, slice: { kind: 'merge owners', to } };
      }
      if (work !== null) {
        const { settling, to } = work;
        return { owners: { ...owners, settling }, slice: { kind: 'settle owners', to } };
      }
      const closing = owners.closing ?? nextClosing(owners);
      if (closing === null) return null;
      const to = endOf(closing, rowsOfDay(owners), limits.mergedRows);
      return { owners: { ...owners, closing }, slice: { kind: 'close owners', to } };
    },
    async make({ owners, slice, fold }) {
      if (owners === undefined) return {};
      const changes = async (): Promise<OwnerChange> => {
        if (slice?.kind === 'merge owners') return runs.merge(owners, slice.to, fold);
        if (slice?.kind === 'settle owners') return settle(owners, slice.to);
        if (slice?.kind === 'close owners') return close(owners, slice.to, fold);
        return {};
      };
      return { owners: changed(owners, await changes()) };
    },
    async clear({ owners }) {
      const removed = owners === undefined ? null : await runs.clear(owners);
      if (removed !== null && removed.length > 0) await plans.buriedOwners(removed);
      return removed !== null;
    },
  };
}

function startingAt(hour: number): (tally: UsageTally) => UsageTally {
  return (tally) => ({ ...tally, hour });
}
