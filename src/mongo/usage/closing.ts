import { usageRetentionMs } from '../../store/store.ts';
import { hourMs } from '../../store/usage/usage-sums.ts';
import type { UsageTally } from '../../store/usage/usage-tally.ts';
import type { UsageBatches } from './batches.ts';
import type { HourSlices } from './hour-slices.ts';
import type { UsageHours } from './hours.ts';
import { aboutOf } from './open/open-rows.ts';
import type { OpenUpkeep } from './open/open-upkeep.ts';
import type { OwnerUpkeep } from './owners/owner-upkeep.ts';
import type { Closing, PlanDocument, PlanNext, PlanOutcome, UsagePlans } from './plan.ts';
import { closedTogetherMs, type Places, placesOf } from './plan-hours.ts';
import { portions } from './portions.ts';
import { byAbout, type UsageSums } from './sums/sums.ts';

/**
 * What becomes of hours of keys once they are over, a slice at a time: they get rows of their own, and some hours later all that a key
 * has by then is added to its day and month, and its own document is told of its last use. A key that is used all the time costs one write
 * an hour and three more a few times a day, and not with each fold.
 */
export interface UsageClosing {
  /** One slice, if there is one, the one first that somebody has begun; says whether there was. */
  step(): Promise<boolean>;
}

export interface UsageClosingDependencies {
  readonly plans: UsagePlans;
  readonly batches: Pick<UsageBatches, 'findLeft'>;
  readonly hours: Pick<UsageHours, 'touch'>;
  readonly slices: HourSlices;
  readonly upkeep: OpenUpkeep;
  readonly ownerUpkeep: OwnerUpkeep;
  readonly sums: Pick<UsageSums, 'resolve' | 'addToKeys' | 'addToOwners' | 'close'>;
  /** Hours before this are over, and all that was used in them is known. */
  readonly overBefore: () => number;
  /** Hours of keys in one slice. Default 10 000, which take a second at most. */
  readonly sliceSize?: number;
}

const sliceDefault = 10_000;
/** Last uses in one write. */
const writeSize = 500;

export function createUsageClosing(dependencies: UsageClosingDependencies): UsageClosing {
  const { plans, batches, hours, slices, upkeep, ownerUpkeep, sums, overBefore } = dependencies;
  const { sliceSize = sliceDefault } = dependencies;
  let isOwnersTurn = false;

  /** What was used before there were sums comes first: no report has any of it. Rows are there before they are added up. */
  async function next(plan: PlanDocument): Promise<Omit<PlanNext, 'batches' | 'brings'> | null> {
    const { closed, counted, settled } = plan;
    if (counted != null) {
      return { slice: { kind: 'count', to: (await slices.uncounted(counted, sliceSize)).to } };
    }
    if (closed === undefined || settled === undefined) return null;
    // Neither waits for the other to have nothing left.
    isOwnersTurn = !isOwnersTurn;
    const ofOwners = isOwnersTurn ? ownerUpkeep.next(plan) : null;
    if (ofOwners !== null) return ofOwners;
    return upkeep.next(plan) ?? (await nextOfHours(plan, closed, settled)) ?? ownerUpkeep.next(plan);
  }

  async function nextOfHours(plan: PlanDocument, closed: Date, settled: Date) {
    const closing =
      plan.closing ?? (await nextClosing(closed.getTime() - usageRetentionMs, settled.getTime()));
    if (closing === null) return null;
    const to = await slices.endOf(closing, sliceSize);
    // Said with the first slice, and left as it is by others.
    const isBegun = plan.closing !== undefined;
    const begun = { closing, closed: new Date(closing.before.getTime() + usageRetentionMs) };
    return { ...(!isBegun && begun), slice: { kind: 'close keys', to } as const };
  }

  /** The hours that are closed together from this moment on, where all of them are over and there is something in them. */
  async function nextClosing(from: number, settled: number): Promise<Closing | null> {
    const due = Math.min(overBefore(), settled);
    if (togetherFrom(from) + closedTogetherMs > due) return null;
    const used = await slices.firstHour(from + usageRetentionMs);
    if (used === null) return null;
    const first = Math.max(from, togetherFrom(used));
    // A version before, which closes one hour after another, may have closed a part of one.
    const after = first % hourMs;
    const before = after > 0 ? first - after + hourMs : togetherFrom(first) + closedTogetherMs;
    return before > due ? null : { from: new Date(first - after), before: new Date(before), after };
  }

  async function make(plan: PlanDocument): Promise<PlanOutcome> {
    const { fold, slice, closed, closing, counted } = plan;
    if (slice?.kind === 'count') {
      if (counted != null) {
        const { tallies } = await slices.uncounted(counted, sliceSize);
        const known = await sums.resolve(tallies);
        await sums.addToKeys(known, fold);
        await sums.addToOwners(await byAbout(known), fold);
      }
      return { counted: slice.to };
    }
    if (slice?.kind === 'close') {
      const to = slice.to.getTime();
      if (closed !== undefined) await close([{ from: closed.getTime(), to }], fold, to);
      return { closed: slice.to, closed_by: fold };
    }
    if (slice?.kind === 'close keys' && closing !== undefined) {
      const { to } = slice;
      await close(placesOf(closing, to), fold, closing.from.getTime());
      return { closing: to < hourMs ? { ...closing, after: to } : null, closed_by: fold };
    }
    return slice !== undefined && /owners$/.test(slice.kind) ? ownerUpkeep.make(plan) : upkeep.make(plan);
  }

  async function close(places: readonly Places[], fold: number, newFrom: number): Promise<void> {
    const found = await slices.in(places);
    for (const some of portions(lastOf(found), writeSize)) await hours.touch(some);
    const tallies = found.map(({ owner, ...tally }): UsageTally => {
      return owner === undefined ? tally : { ...tally, about: aboutOf(owner) };
    });
    await sums.close(await sums.resolve(tallies), fold, newFrom);
  }

  return {
    async step() {
      const last = await plans.read();
      const hasCleared = last !== null && ((await upkeep.clear(last)) || (await ownerUpkeep.clear(last)));
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
    if (last !== null && last.batches.length > 0 && (await batches.findLeft(last.batches)) !== null)
      return null;
    if (found !== null) return plans.begin(last, { batches: [], ...found });
    // Never was anything closed here: from where on is said before the next fold, and what was before it looked at.
    const first = await plans.begin(last, { batches: [] });
    return first && begin(first);
  }
}

function togetherFrom(at: number): number {
  return Math.floor(at / closedTogetherMs) * closedTogetherMs;
}

/** Of each key the one by which it was used last. */
function lastOf(tallies: readonly UsageTally[]): UsageTally[] {
  const last = new Map<string, UsageTally>();
  for (const tally of tallies) {
    const { key, lastUsedAt } = tally;
    if (lastUsedAt !== null && lastUsedAt > (last.get(key)?.lastUsedAt ?? 0)) last.set(key, tally);
  }
  return [...last.values()];
}
