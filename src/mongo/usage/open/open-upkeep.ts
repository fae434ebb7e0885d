import type { UsageTally } from '../../../store/usage/usage-tally.ts';
import type { UsageHours } from '../hours.ts';
import type { PlanDocument, PlanNext, PlanOutcome, UsagePlans } from '../plan.ts';
import { isClosed } from '../plan-hours.ts';
import { portions } from '../portions.ts';
import { workOf } from '../shares/share-state.ts';
import type { UsageSums } from '../sums/sums.ts';
import { createRunUpkeep, type RunUpkeepDependencies } from './run-upkeep.ts';

/** What becomes of runs of keys, a slice at a time: when an hour is over keys get rows of what all runs have of it. */
export interface OpenUpkeep {
  /** Null where nothing is to be done. */
  next(plan: PlanDocument): Pick<PlanNext, 'slice' | 'settling' | 'merging'> | null;
  /** Makes a slice. */
  make(plan: PlanDocument): Promise<PlanOutcome>;
  /** Removes some of what counts no more; says whether there was any. */
  clear(plan: PlanDocument): Promise<boolean>;
}

export interface OpenUpkeepDependencies extends RunUpkeepDependencies {
  readonly hours: Pick<UsageHours, 'settle' | 'touch'>;
  readonly sums: Pick<UsageSums, 'resolve' | 'close'>;
  readonly plans: Pick<UsagePlans, 'buried'>;
}

/** Tallies in one write. */
const writeSize = 1_000;

export function createOpenUpkeep(dependencies: OpenUpkeepDependencies): OpenUpkeep {
  const { hours, sums, plans } = dependencies;
  const runs = createRunUpkeep(dependencies);

  async function settle(plan: PlanDocument, to: number): Promise<PlanOutcome> {
    const early: UsageTally[] = [];
    const change = await runs.settle(plan, to, async (tallies) => {
      for (const some of portions(tallies, writeSize)) await hours.settle(some);
      early.push(...tallies.filter((tally) => isClosed(plan, tally)));
    });
    // A version before, which knows nothing of what is open, has closed the hour without it.
    await hours.touch(early);
    if (early.length > 0) await sums.close(await sums.resolve(early), plan.fold);
    return change;
  }

  return {
    next(plan) {
      const work = runs.next(plan, workOf(plan, 'keys'));
      if (work === null) return null;
      const { merging, settling, to } = work;
      if (merging !== undefined) return { merging, slice: { kind: 'merge', to } };
      return { settling, slice: { kind: 'settle', to } };
    },
    async make(plan) {
      const { slice } = plan;
      if (slice?.kind === 'settle') return settle(plan, slice.to);
      if (slice?.kind === 'merge') return runs.merge(plan, slice.to, plan.fold);
      return {};
    },
    async clear(plan) {
      const removed = await runs.clear(plan);
      if (removed !== null && removed.length > 0) await plans.buried(removed);
      return removed !== null;
    },
  };
}
