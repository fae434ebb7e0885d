import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { Reason } from '../../schemes/answer.ts';
import type { UseListener } from '../../store/usage/usage-store.ts';
import { addressesMax, type UsageTally } from '../../store/usage/usage-tally.ts';
import type { DutyCollection } from '../records/duties.ts';
import type { UsageBatches } from './batches.ts';
import type { UsageClosing } from './closing.ts';
import type { UsageHours } from './hours.ts';
import { isClosed, isCounted } from './plan.ts';
import type { UsageSums } from './sums.ts';

/** Folds what all replicas have written of use into hours, as long as there is some: one replica does so for all. */
export interface UsageFolding {
  /** A batch was written, of this id; or there may be some of others. */
  wake(batch?: string): void;
  /** Folds what this replica has written, if it may, and ends. */
  stop(): Promise<void>;
}

export interface UsageFoldingDependencies {
  readonly batches: UsageBatches;
  readonly hours: Pick<UsageHours, 'add'>;
  readonly sums: Pick<UsageSums, 'resolve' | 'add'>;
  readonly closing: UsageClosing;
  readonly duties: Pick<DutyCollection, 'claimDuty'>;
  /** Milliseconds of a clock that is never set back. */
  readonly monotonic: () => number;
  readonly onError: (error: unknown) => void;
  /** These were added to the hours, for all replicas, by this process. */
  readonly onFolded: UseListener;
  /** How long use may wait for more, to be folded together. */
  readonly everyMs: number;
}

export const foldDuty = 'fold usage';
const dutyMs = 10_000;
/** Whoever has the duty says so again as often, while there is something to do. */
const claimEveryMs = dutyMs / 3;
/** Others ask as often whether what they wrote is folded. */
const askEveryMs = dutyMs / 2;
/** Without any use for so long the duty is given back: an idle fleet writes nothing. */
const lingerMs = 15_000;
/** Tallies in one write. */
const writeSize = 500;
/** Of this replica's own batches, which it sees to. */
const ownMax = 100;

/**
 * Each replica writes a batch of many keys at once, and one of them adds all batches up, so that a key that is used at
 * many replicas is written once. Who does so has a duty that lapses, and should two think that they have it, nothing is
 * counted twice: see {@link UsageBatches.begin} and {@link UsageHours.add}.
 */
export function createUsageFolding(dependencies: UsageFoldingDependencies): UsageFolding {
  const { batches, hours, sums, closing, duties, monotonic, onError, onFolded, everyMs } = dependencies;
  const holder = randomUUID();
  const stopping = new AbortController();
  const stopped = () => stopping.signal.aborted;
  let own: string[] = [];
  let isWoken = false;
  let work: Promise<void> | null = null;
  let claimedAt = Number.NEGATIVE_INFINITY;
  let foldedAt = monotonic();

  const pause = (ms: number) =>
    setTimeout(ms, undefined, { signal: stopping.signal, ref: false }).catch(() => {});

  async function isOurs(): Promise<boolean> {
    if (monotonic() - claimedAt < claimEveryMs) return true;
    const askedAt = monotonic();
    const isGiven = (await duties.claimDuty(foldDuty, holder, dutyMs)) !== null;
    claimedAt = isGiven ? askedAt : Number.NEGATIVE_INFINITY;
    return isGiven;
  }

  async function giveBack(): Promise<void> {
    claimedAt = Number.NEGATIVE_INFINITY;
    await duties.claimDuty(foldDuty, holder, 0);
  }

  async function foldAll(): Promise<void> {
    while (await isOurs()) {
      // Between folds, so that use does not wait for the end of an hour of many keys.
      if (await closing.step()) foldedAt = monotonic();
      const fold = await batches.begin();
      if (fold === null) return;
      const known = await sums.resolve(fold.tallies);
      const { number, plan } = fold;
      const counted = known.filter((tally) => isCounted(plan, tally));
      await sums.add(counted, number, (tally) => isClosed(plan, tally));
      // That nobody says whose it is, is how the others are known once they are counted.
      const others = known.filter((tally) => !isCounted(plan, tally));
      const tallies = sumsOf([...counted, ...others.map(({ about: _, ...tally }) => tally)]);
      for (let start = 0; start < tallies.length; start += writeSize) {
        const some = tallies.slice(start, start + writeSize);
        await hours.add(some, number);
        onFolded(some);
      }
      await batches.end(fold);
      own = own.filter((batch) => !fold.batches.includes(batch));
      foldedAt = monotonic();
    }
  }

  /** One round; says whether there is more to see to. */
  async function round(): Promise<boolean> {
    await pause(everyMs);
    if (stopped()) return false;
    isWoken = false;
    if (own.length === 0 && claimedAt === Number.NEGATIVE_INFINITY && !(await batches.isLeft()))
      return isWoken;
    if (await isOurs()) {
      await foldAll();
      if (isWoken || monotonic() - foldedAt < lingerMs) return true;
      await giveBack();
      return isWoken;
    }
    await pause(askEveryMs);
    if (own.length > 0 && !(await batches.isLeft(own))) own = [];
    return isWoken || own.length > 0;
  }

  async function keepFolding(): Promise<void> {
    for (let goesOn = true; goesOn && !stopped(); ) {
      try {
        goesOn = await round();
      } catch (error) {
        if (!stopped()) onError(error);
        // Jitter, so that a fleet does not come back in step.
        await pause(askEveryMs * (0.5 + Math.random() / 2));
      }
    }
  }

  function begin(): void {
    work ??= keepFolding().finally(() => {
      work = null;
      // Woken just when it had ended.
      if (isWoken && !stopped()) begin();
    });
  }

  return {
    wake(batch) {
      if (stopped()) return;
      isWoken = true;
      if (batch !== undefined) own = [...own.slice(1 - ownMax), batch];
      begin();
    },
    async stop() {
      stopping.abort();
      await work;
      try {
        if (own.length > 0) await foldAll();
        if (claimedAt !== Number.NEGATIVE_INFINITY) await giveBack();
      } catch {
        // It is there: another process folds it, or the next that starts.
      }
    },
  };
}

/** One tally of each key and hour. */
function sumsOf(tallies: readonly UsageTally[]): UsageTally[] {
  const sums = new Map<string, UsageTally>();
  for (const tally of tallies) {
    const name = `${tally.key} ${tally.hour}`;
    const sum = sums.get(name);
    sums.set(name, sum === undefined ? tally : sumOf(sum, tally));
  }
  return [...sums.values()];
}

function sumOf(one: UsageTally, other: UsageTally): UsageTally {
  const lastUsedAt = Math.max(one.lastUsedAt ?? 0, other.lastUsedAt ?? 0);
  return {
    ...{ key: one.key, hour: one.hour, allowed: one.allowed + other.allowed, about: one.about },
    ...{ denied: countsOf(one.denied, other.denied), observed: countsOf(one.observed, other.observed) },
    lastUsedAt: one.lastUsedAt === null && other.lastUsedAt === null ? null : lastUsedAt,
    addresses: [...new Set([...one.addresses, ...other.addresses])].slice(0, addressesMax),
  };
}

function countsOf(one: UsageTally['denied'], other: UsageTally['denied']): UsageTally['denied'] {
  const sums: Partial<Record<Reason, number>> = { ...one };
  for (const [reason, count] of Object.entries(other) as [Reason, number][]) {
    sums[reason] = (sums[reason] ?? 0) + count;
  }
  return sums;
}
