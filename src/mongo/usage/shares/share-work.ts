import { setImmediate } from 'node:timers/promises';
import { requestsOf, type UseListener } from '../../../store/usage/usage-store.ts';
import type { UsageTally } from '../../../store/usage/usage-tally.ts';
import type { UsageBatches } from '../batches.ts';
import type { OpenUse } from '../open/open.ts';
import type { RunUpkeep } from '../open/run-upkeep.ts';
import { ownerTally } from '../owners/owner-rows.ts';
import type { PlanDocument, UsagePlans } from '../plan.ts';
import { portions } from '../portions.ts';
import { byAbout, type KnownTally, type UsageSums, withoutOwners } from '../sums/sums.ts';
import { createTallySums, sumsOf } from '../sums/tally-sums.ts';
import type { ShareClaims, ShareResult } from './share-claims.ts';
import { type FoldShare, type MergeShare, type Share, sharesOf, stateOf } from './share-state.ts';

/** Does what was given out of the work on use, one share at a time. */
export interface ShareWork {
  /** One that was given out so long ago at least; says whether there was one. */
  step(ageMs?: number): Promise<boolean>;
}

export interface ShareWorkDependencies {
  readonly plans: Pick<UsagePlans, 'read'>;
  readonly claims: ShareClaims;
  readonly batches: Pick<UsageBatches, 'tallies'>;
  readonly sums: Pick<UsageSums, 'resolve'>;
  readonly open: Pick<OpenUse, 'add'>;
  readonly ownersOpen: Pick<OpenUse, 'add'>;
  readonly runs: Pick<RunUpkeep, 'mergeParts'>;
  readonly ownerRuns: Pick<RunUpkeep, 'mergeParts'>;
  readonly now: () => number;
  /** These will count, for all replicas, and were added up by this process. */
  readonly onFolded: UseListener;
}

/** Tallies that are added up in one turn of the event loop. */
const turnSize = 2_000;
/** Keys that whoever plans is told of: any, for their last uses, and those that were used most. */
const usesMax = 500;

export function createShareWork(dependencies: ShareWorkDependencies): ShareWork {
  const { plans, claims, batches, sums, open, ownersOpen, runs, ownerRuns, now, onFolded } = dependencies;

  /** Null where the batches are gone: somebody else's has come to count. */
  async function fold({ number, batches: ids, keys, owners }: FoldShare): Promise<ShareResult | null> {
    const tallies = await batches.tallies(ids);
    if (tallies === null) return null;
    const all = createTallySums();
    const known: KnownTally[] = [];
    for (const some of portions(tallies, turnSize)) {
      const resolved = await sums.resolve(some);
      known.push(...resolved);
      all.add(resolved);
      await setImmediate();
    }
    const uses = await byAbout(known);
    await ownersOpen.add(sumsOf(uses.map(ownerTally)), { run: number, bits: owners.bits });
    const ofKeys = all.all();
    await open.add(ofKeys, { run: number, bits: keys.bits });
    for (const some of portions(ofKeys, turnSize)) {
      onFolded(some);
      await setImmediate();
    }
    return { rows: ofKeys.length, sums: await byAbout(withoutOwners(uses)), uses: someOf(ofKeys) };
  }

  async function merge(plan: PlanDocument, share: MergeShare): Promise<ShareResult | null> {
    const merging = sharesOf(plan).merges.find(({ run }) => run === share.run);
    if (merging === undefined) return null;
    const upkeep = merging.of === 'keys' ? runs : ownerRuns;
    const parts = { ...merging, after: share.from };
    const rows = await upkeep.mergeParts(stateOf(plan, merging.of), parts, share.to);
    return { rows, sums: [], uses: [] };
  }

  async function work(plan: PlanDocument, share: Share): Promise<void> {
    const result = share.kind === 'fold' ? await fold(share) : await merge(plan, share);
    if (result !== null) await claims.finish(share.number, result);
  }

  return {
    async step(ageMs = 0) {
      const plan = await plans.read();
      const shares = sharesOf(plan).shares.filter(({ at }) => at.getTime() <= now() - ageMs);
      if (plan === null || shares.length === 0) return false;
      const free = await claims.free(shares.map(({ number }) => number));
      // Any of them: many replicas look at the same time.
      const number = free[Math.floor(Math.random() * free.length)];
      const share = shares.find((one) => one.number === number);
      if (share === undefined) return false;
      if (await claims.claim(share.number)) await work(plan, share);
      return true;
    },
  };
}

/** Any so many, and so many that were used most. */
function someOf(tallies: readonly UsageTally[]): UsageTally[] {
  if (tallies.length <= 2 * usesMax) return [...tallies];
  const counted = tallies.map((tally) => ({ tally, requests: requestsOf(tally) }));
  const mean = counted.reduce((sum, { requests }) => sum + requests, 0) / counted.length;
  const most = counted
    .filter(({ requests }) => requests > mean)
    .sort((one, other) => other.requests - one.requests)
    .slice(0, usesMax);
  const some = new Set(most.map(({ tally }) => tally));
  const step = tallies.length / usesMax;
  const first = Math.random() * step;
  for (let at = 0; at < usesMax; at++) some.add(tallies[Math.floor(first + at * step)] as UsageTally);
  return [...some];
}
