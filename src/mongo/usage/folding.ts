import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { DutyCollection } from '../records/duties.ts';
import type { UsageBatches } from './batches.ts';
import type { UsageClosing } from './closing.ts';
import type { FoldWrite } from './fold-write.ts';
import type { ShareGiving } from './shares/share-giving.ts';
import type { ShareWork } from './shares/share-work.ts';

/**
 * Folds what all replicas have written of use into hours, as long as there is some: one replica does so for all, and where it is
 * too much for one gives out the most of it.
 */
export interface UsageFolding {
  /** A batch was written, of this id; or there may be some of others. */
  wake(batch?: string): void;
  /** Folds what this replica has written, if it may, and ends. */
  stop(): Promise<void>;
}

export interface UsageFoldingDependencies {
  readonly batches: Pick<UsageBatches, 'findLeft' | 'begin' | 'end'>;
  /** Writes all of a fold, whoever has begun with it. */
  readonly write: FoldWrite;
  readonly closing: UsageClosing;
  readonly giving: ShareGiving;
  readonly work: ShareWork;
  readonly duties: Pick<DutyCollection, 'claimDuty'>;
  /** Milliseconds of a clock that is never set back. */
  readonly monotonic: () => number;
  readonly onError: (error: unknown) => void;
  /** How long use may wait for more, to be folded together. */
  readonly everyMs: number;
}

export const foldDuty = 'fold usage';
const dutyMs = 10_000;
/** Whoever has the duty says so again as often, while there is something to do. */
const claimEveryMs = dutyMs / 3;
/** Others ask as often whether what they wrote is folded. */
const askEveryMs = dutyMs / 2;
/** Whoever has given out work looks as often what of it is done, and does of it what nobody has taken on. */
const lookEveryMs = 250;
/** Without any use for so long the duty is given back: an idle fleet writes nothing. */
const lingerMs = 15_000;
/** Of this replica's own batches, and one that it has found, which it sees to. */
const ownMax = 100;

/**
 * Each replica writes a batch of many keys at once, and one of them adds all batches up, so that a key that is used at
 * many replicas is written once. Who does so has a duty that lapses, and should two think that they have it, nothing is
 * counted twice: see {@link UsageBatches.begin} and {@link FoldWrite}.
 */
export function createUsageFolding(dependencies: UsageFoldingDependencies): UsageFolding {
  const { batches, write, closing, giving, work: shares, duties, monotonic, onError, everyMs } = dependencies;
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
      // Between folds, so that use does not wait for the end of an hour of many keys; of keys and of owners.
      let slices = 0;
      for (; slices < 2 && (await closing.step()); slices++) foldedAt = monotonic();
      const { folds, merges } = await giving.step();
      const fold = await batches.begin(folds > 0);
      if (fold !== null) {
        await write(fold);
        await batches.end(fold);
        const folded = new Set(fold.batches);
        own = own.filter((batch) => !folded.has(batch));
      } else if (folds + merges === 0) {
        return;
      } else {
        if (slices === 0) await pause(lookEveryMs);
        // The others see to what they have taken on.
        if (!(await shares.step(stopped() ? 0 : lookEveryMs)) && stopped()) return;
      }
      foldedAt = monotonic();
    }
  }

  /** One round; says whether there is more to see to. */
  async function round(): Promise<boolean> {
    await pause(everyMs);
    if (stopped()) return false;
    isWoken = false;
    if (own.length === 0 && claimedAt === Number.NEGATIVE_INFINITY) {
      const left = await batches.findLeft();
      if (left === null) return isWoken;
      // Seen to until it is folded: whoever has the duty now may be gone.
      own = [left];
    }
    if (await isOurs()) {
      await foldAll();
      if (isWoken || monotonic() - foldedAt < lingerMs) return true;
      await giveBack();
      return isWoken;
    }
    // Whoever has given it out may be gone when it is done.
    while (!stopped() && (await shares.step())) isWoken = true;
    await pause(askEveryMs);
    if (own.length > 0 && (await batches.findLeft(own)) === null) own = [];
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
