import { usageRetentionMs } from '../../store/store.ts';
import type { UsageTally } from '../../store/usage/usage-tally.ts';
import type { UsageBatches } from './batches.ts';
import type { UsageHours } from './hours.ts';
import { aboutOf } from './open-rows.ts';
import type { OpenUpkeep } from './open-upkeep.ts';
import { overBefore, type PlanDocument, type PlanNext, type PlanOutcome, type UsagePlans } from './plan.ts';
import type { UsageSums } from './sums.ts';

/**
 * What becomes of hours of keys once they are over, a slice at a time: they get rows of their own, and are added to the
 * days and months of their keys. A key that is used all the time costs three writes more an hour, and not with each fold.
 */
export interface UsageClosing {
  /** One slice, if there is one, the one first that somebody has begun; says whether there was. */
  step(): Promise<boolean>;
}

export interface UsageClosingDependencies {
  readonly plans: UsagePlans;
  readonly batches: Pick<UsageBatches, 'isLeft'>;
  readonly hours: Pick<UsageHours, 'between' | 'sliceEnd' | 'uncounted'>;
  readonly upkeep: OpenUpkeep;
  readonly sums: Pick<UsageSums, 'resolve' | 'add' | 'close'>;
  readonly now: () => number;
  /** Hours of keys in one slice. Default 5 000, which take a second at most. */
  readonly sliceSize?: number;
}

const sliceDefault = 5_000;

export function createUsageClosing(dependencies: UsageClosingDependencies): UsageClosing {
  const { plans, batches, hours, upkeep, sums, now, sliceSize = sliceDefault } = dependencies;

  /** What was used before there were sums comes first: no report has any of it. Rows are there before they are added up. */
  async function next(plan: PlanDocument): Promise<Omit<PlanNext, 'batches' | 'brings'> | null> {
    const { closed, counted, settled } = plan;
    if (counted != null) {
      return { slice: { kind: 'count', to: (await hours.uncounted(counted, sliceSize)).to } };
    }
    if (closed === undefined || settled === undefined) return null;
    const kept = await upkeep.next(plan);
    if (kept !== null) return kept;
    const due = new Date(Math.min(overBefore(now()), settled.getTime()) + usageRetentionMs);
    if (closed >= due) return null;
    const to = await hours.sliceEnd(closed, due, sliceSize);
    return to === null ? null : { slice: { kind: 'close', to } };
  }

  async function make(plan: PlanDocument): Promise<PlanOutcome> {
    const { fold, slice, closed, counted } = plan;
    if (slice?.kind === 'count') {
      if (counted != null) {
        const { tallies } = await hours.uncounted(counted, sliceSize);
        await sums.add(await sums.resolve(tallies), fold);
      }
      return { counted: slice.to };
    }
    if (slice?.kind === 'close') {
      const found = closed === undefined ? [] : await hours.between(closed, slice.to);
      const tallies = found.map(({ owner, ...tally }): UsageTally => {
        return owner === undefined ? tally : { ...tally, about: aboutOf(owner) };
      });
      await sums.close(await sums.resolve(tallies), fold);
      return { closed: slice.to, closed_by: fold };
    }
    return upkeep.make(plan);
  }

  return {
    async step() {
      const last = await plans.read();
      const hasCleared = last !== null && (await upkeep.clear(last));
      const plan = last?.slice === undefined ? await begin(last) : last;
      if (plan === null) return hasCleared;
      await plans.endSlice(plan, await make(plan));
      return true;
    },
  };

  async function begin(last: PlanDocument | null): Promise<PlanDocument | null> {
    const isKnown = last?.closed !== undefined && last.settled !== undefined;
    const found = isKnown ? await next(last) : null;
    if (isKnown && found === null) return null;
    // A fold that has not come to its end has to.
    if (last !== null && last.batches.length > 0 && (await batches.isLeft(last.batches))) return null;
    if (found !== null) return plans.begin(last, { batches: [], ...found });
    // Never was anything closed here: from where on is said before the next fold, and what was before it looked at.
    const first = await plans.begin(last, { batches: [] });
    return first && begin(first);
  }
}
