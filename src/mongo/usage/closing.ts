import { usageRetentionMs } from '../../store/store.ts';
import { startOf } from '../../store/usage/usage-sums.ts';
import type { UsageAbout, UsageTally } from '../../store/usage/usage-tally.ts';
import type { UsageBatches } from './batches.ts';
import type { UsageHours } from './hours.ts';
import type { PlanDocument, Slice, UsagePlans } from './plan.ts';
import type { UsageSums } from './sums.ts';

/**
 * Adds hours of keys to the days and months of their keys once they are over, a slice at a time: a key that is used
 * all the time costs two writes more an hour, and not with each fold.
 */
export interface UsageClosing {
  /** One slice, if there is one, the one first that somebody has begun; says whether there was. */
  step(): Promise<boolean>;
}

export interface UsageClosingDependencies {
  readonly plans: UsagePlans;
  readonly batches: Pick<UsageBatches, 'isLeft'>;
  readonly hours: Pick<UsageHours, 'between' | 'sliceEnd' | 'uncounted'>;
  readonly sums: Pick<UsageSums, 'resolve' | 'add' | 'close'>;
  readonly now: () => number;
  /** Hours of keys in one slice. Default 5 000, which take a second at most. */
  readonly sliceSize?: number;
}

const sliceDefault = 5_000;
/** What replicas still hold of an hour when it is over has come by then. */
const graceMs = 60_000;

export function createUsageClosing(dependencies: UsageClosingDependencies): UsageClosing {
  const { plans, batches, hours, sums, now, sliceSize = sliceDefault } = dependencies;

  /** What was used before there were sums comes first: no report has any of it. */
  async function next({ closed, counted }: PlanDocument): Promise<Slice | null> {
    if (counted != null) return { kind: 'count', to: (await hours.uncounted(counted, sliceSize)).to };
    const due = new Date(startOf('hour', now() - graceMs) + usageRetentionMs);
    if (closed === undefined || closed >= due) return null;
    const to = await hours.sliceEnd(closed, due, sliceSize);
    return to === null ? null : { kind: 'close', to };
  }

  async function make({ fold, slice, closed, counted }: PlanDocument): Promise<void> {
    if (slice?.kind === 'count' && counted != null) {
      const { tallies } = await hours.uncounted(counted, sliceSize);
      await sums.add(await sums.resolve(tallies), fold);
    }
    if (slice?.kind === 'close' && closed !== undefined) {
      const found = await hours.between(closed, slice.to);
      const tallies = found.map(({ owner, ...tally }): UsageTally => {
        return owner === undefined ? tally : { ...tally, about: { ...nothing, owner } };
      });
      await sums.close(await sums.resolve(tallies), fold);
    }
  }

  return {
    async step() {
      const last = await plans.read();
      const plan = last?.slice === undefined ? await begin(last) : last;
      if (plan === null) return false;
      await make(plan);
      await plans.endSlice(plan);
      return true;
    },
  };

  async function begin(last: PlanDocument | null): Promise<PlanDocument | null> {
    const slice = last?.closed === undefined ? null : await next(last);
    if (last?.closed !== undefined && slice === null) return null;
    // A fold that has not come to its end has to.
    if (last !== null && last.batches.length > 0 && (await batches.isLeft(last.batches))) return null;
    if (slice !== null) return plans.begin(last, { batches: [], slice });
    // Never was anything closed here: from where on is said before the next fold, and what was before it looked at.
    const first = await plans.begin(last, { batches: [] });
    return first && begin(first);
  }
}

const nothing: UsageAbout = { owner: null, plan: null, scheme: null, environment: null };
