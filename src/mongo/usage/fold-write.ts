import { setImmediate } from 'node:timers/promises';
import type { UseListener } from '../../store/usage/usage-store.ts';
import type { UsageTally } from '../../store/usage/usage-tally.ts';
import { earliest } from '../records/keys/records.ts';
import type { Fold } from './batches.ts';
import type { UsageHours } from './hours.ts';
import type { OpenUse } from './open/open.ts';
import { ownerTally } from './owners/owner-rows.ts';
import type { PlanDocument, UsagePlans } from './plan.ts';
import { isClosed, isCounted, isOpen, isOwnerOpen } from './plan-hours.ts';
import { portions } from './portions.ts';
import type { ShareResult } from './shares/share-claims.ts';
import { byAbout, type KnownTally, type UsageSums } from './sums/sums.ts';
import { createTallySums, sumsOf } from './sums/tally-sums.ts';
import type { Touching } from './touching.ts';

/**
 * Adds all of a fold to what is known: to open documents what is of hours that are not over, to the rows of keys and hours what comes
 * late, and all of it to the sums of owners. Each notes the number of the fold, so that it may be broken off anywhere, and be made again,
 * or by two at the same time.
 */
export type FoldWrite = (fold: Fold) => Promise<void>;

export interface FoldWriteDependencies {
  readonly hours: Pick<UsageHours, 'add' | 'touch'>;
  readonly open: Pick<OpenUse, 'add'>;
  readonly ownersOpen: Pick<OpenUse, 'add'>;
  readonly sums: Pick<UsageSums, 'resolve' | 'addToKeys' | 'addToOwners'>;
  readonly plans: Pick<UsagePlans, 'leaveUntold'>;
  readonly touching: Touching;
  /** These were added, for all replicas, by this process. */
  readonly onFolded: UseListener;
}

/** Tallies in one write. */
const writeSize = 500;
/** Tallies that are added up in one turn of the event loop. */
const turnSize = 2_000;

export function createFoldWrite(dependencies: FoldWriteDependencies): FoldWrite {
  const { hours, open, ownersOpen, sums, plans, touching, onFolded } = dependencies;

  /** Tells keys' own documents of their last uses, or some of them, which is then said: whoever shows others looks for it. */
  async function tell(plan: PlanDocument, tallies: readonly UsageTally[]): Promise<void> {
    const used = tallies.filter(({ lastUsedAt }) => lastUsedAt !== null);
    // Of hours that are closed nobody would tell them later.
    const [closed, others] = [
      used.filter((one) => isClosed(plan, one)),
      used.filter((one) => !isClosed(plan, one)),
    ];
    const told = touching(others);
    const latest = others.reduce((latest, { hour }) => Math.max(latest, hour), earliest);
    if (told.length < others.length && latest > (plan.untold?.getTime() ?? earliest)) {
      await plans.leaveUntold(latest);
    }
    for (const some of portions([...closed, ...told], writeSize)) await hours.touch(some);
  }

  /** What owners' keys were used for: in a run of the fold, or added to owners' documents, if it comes late. */
  async function addToSums({ plan, number }: Fold, tallies: readonly KnownTally[]): Promise<void> {
    const closed = tallies.filter((tally) => isClosed(plan, tally));
    if (closed.length > 0) await sums.addToKeys(closed, number);
    const isInRows = (tally: UsageTally) => isOwnerOpen(plan, tally);
    const uses = await byAbout(tallies);
    await sums.addToOwners(uses, number, isInRows);
    const run = plan.owners?.runs?.find((one) => one.run === number);
    if (run !== undefined) await ownersOpen.add(sumsOf(uses.filter(isInRows).map(ownerTally)), run);
  }

  /** What was given out has its rows: what is left are the sums of all keys, and what is told of some. */
  async function writeTaken(number: number, taken: readonly ShareResult[]): Promise<void> {
    const uses = taken.flatMap((result) => result.uses);
    for (const some of portions(touching(uses), writeSize)) await hours.touch(some);
    const known = await sums.resolve(taken.flatMap((result) => result.sums));
    await sums.addToOwners(known, number, () => true);
    for (const some of portions(uses, turnSize)) {
      onFolded(some);
      await setImmediate();
    }
  }

  return async (fold) => {
    const { number, plan, tallies, taken } = fold;
    if (taken !== undefined) return writeTaken(number, taken);
    const counted: KnownTally[] = [];
    const all = createTallySums();
    for (const some of portions(tallies, turnSize)) {
      for (const tally of await sums.resolve(some)) {
        const isIn = isCounted(plan, tally);
        if (isIn) counted.push(tally);
        // That nobody says whose it is, is how the others are known once they are counted.
        all.add([isIn ? tally : { ...tally, about: undefined }]);
      }
      await setImmediate();
    }
    await addToSums(fold, counted);
    const [waiting, late]: [UsageTally[], UsageTally[]] = [[], []];
    for (const some of portions(all.all(), turnSize)) {
      for (const tally of some) (isOpen(plan, tally) ? waiting : late).push(tally);
      await setImmediate();
    }
    // Whoever finds a use counted finds it as the last one.
    await tell(plan, [...waiting, ...late]);
    const run = plan.runs?.find((one) => one.run === number);
    if (run !== undefined) await open.add(waiting, run);
    for (const some of portions(late, writeSize)) await hours.add(some, number);
    for (const some of portions([...waiting, ...late], turnSize)) {
      onFolded(some);
      await setImmediate();
    }
  };
}
