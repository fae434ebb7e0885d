/**
 * Room `usage/`: What keys are used for. Here: tallies of Checks, gathered in memory and written in bulk, and
 * reports of them. Not here: who may read them (`admin/`).
 */

import { setImmediate, setTimeout } from 'node:timers/promises';
import type { Decision } from '../check/authorize.ts';
import type { KeyId } from '../keys/key.ts';
import type { Reason } from '../schemes/answer.ts';
import type { Store } from '../store/store.ts';
import { type PlainTallies, talliesOf } from '../store/usage/plain-tallies.ts';
import type { UsageTally } from '../store/usage/usage-tally.ts';
import { createFlushing } from './flushing.ts';
import { createHeldUses } from './held-uses.ts';
import { addAddress, addDenials, createGathering, type Gathering, type Tally } from './usage-gathering.ts';
import { batchesInOrder } from './usage-order.ts';

/** Gathers what keys are used for and writes it in bulk. */
export interface Usage {
  /** Costs no wait. */
  record(decision: Decision, address: string, now: number): void;
  /** The same of what is no Check, as an admin call by this key: null for one that was allowed. */
  count(key: KeyId, reason: Reason | null, address: string, now: number): void;
  /**
   * Writes what was gathered at intervals, with pauses for up to half of one, so that Checks are not held up by many
   * batches in a row; {@link Usage.stop} ends it.
   */
  start(): void;
  /** Writes what was gathered up to now, without pauses; what could not be written is kept for the next time. */
  flush(): Promise<void>;
  /** Writes what is left, without pauses; what is not written when the signal is aborted, or cannot be, is dropped. */
  stop(signal: AbortSignal): Promise<void>;
}

export interface UsageOptions {
  readonly flushMs: number;
  /** Tallies that are held at once; past it new ones are not counted until the next flush. */
  readonly talliesMax: number;
  /** Keys whose use is counted beside them in memory; past it their use is gathered in tallies. Default 0. */
  readonly heldMax?: number;
  /** Tallies in one write. Default {@link batchSize}. */
  readonly batchMax?: number;
  /** How long after it was written the store may know of use. Default 0. */
  readonly storeLagMs?: number;
}

/** Of a store that adds up what many processes have written: few large writes, and time for it. */
export const writesToFold = { batchMax: 5_000, storeLagMs: 3_000 } as const satisfies Partial<UsageOptions>;

const hourMs = 3_600_000;
/** What an admin is told of use may be this late. */
const lagMaxMs = 10_000;
/**
 * Tallies in one write: few enough for a store's deadline. A write whose answer was lost is made again, so this many
 * at most are counted twice.
 */
export const batchSize = 500;

export interface UsageDependencies {
  readonly store: Pick<Store, 'recordUsage'> & {
    /** The same of tallies that are plain, where it takes them by columns. */
    recordPlain?(tallies: PlainTallies): Promise<void>;
  };
  readonly onError: (error: unknown) => void;
  /** What so many keys were used for was dropped at the end. */
  readonly onDropped: (tallies: number) => void;
  /** Resolves after that time, or at once when it is aborted; a timer unless it is given. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

export function createUsage(dependencies: UsageDependencies, options: UsageOptions): Usage {
  const { store, onError, onDropped, wait = waitForTimer } = dependencies;
  const { batchMax = batchSize, storeLagMs = 0 } = options;
  const writtenWithinMs = lagMaxMs - storeLagMs;
  const flushMs = Math.min(options.flushMs, writtenWithinMs);
  const pausesMs = Math.max(0, Math.min(flushMs, writtenWithinMs - flushMs) / 2);
  const { recordPlain = (tallies) => store.recordUsage(talliesOf(tallies)) } = store;
  let gathering = createGathering(options.talliesMax);
  const held = createHeldUses(options.heldMax ?? 0);
  const flushing = createFlushing((isByInterval) => writeAll(isByInterval ? pausesMs : 0), flushMs);
  let stopping = new AbortController();
  /** Of the flush that is under way. */
  let unwritten = 0;
  let isLate = false;

  return {
    record(decision, address, now) {
      const isObserved = decision.verdict === 'observe';
      const judged = isObserved ? decision.would : decision;
      if (judged.verdict === 'public' || judged.key === null) return;
      const { key, plan } = judged;
      const reason = judged.verdict === 'allow' ? null : judged.reason;
      if (!isObserved && plan !== undefined && held.count(key, { reason, plan }, address, now)) return;
      add(
        gathering.tallyOf(key, plan, hourOf(now)),
        reason,
        address,
        now,
        isObserved ? 'observed' : 'denied',
      );
    },
    count: (id, reason, address, now) =>
      add(gathering.tallyOf({ id }, undefined, hourOf(now)), reason, address, now),
    start() {
      if (stopping.signal.aborted) stopping = new AbortController();
      flushing.start();
    },
    flush: flushing.flush,
    async stop(signal) {
      stopping.abort();
      await flushing.stop(signal);
      isLate = true;
      const left = unwritten + gathering.size + held.size;
      if (left > 0) onDropped(left);
    },
  };

  function add(
    tally: Tally | null,
    reason: Reason | null,
    address: string,
    now: number,
    kind: 'denied' | 'observed' = 'denied',
  ): void {
    if (tally === null) return;
    if (reason === null) {
      tally.allowed++;
      tally.lastUsedAt = Math.max(tally.lastUsedAt ?? 0, now);
    } else {
      addDenials(tally, kind, reason, 1);
    }
    if (address !== tally.lastAddress) addAddress(tally, address);
  }

  async function writeAll(withPausesMs: number): Promise<void> {
    const gathered = gathering;
    gathering = createGathering(options.talliesMax);
    const pauseMs = withPausesMs / Math.ceil((gathered.size + held.size) / batchMax);
    unwritten = gathered.size;
    const pauseBetween = createPauses(pauseMs);
    const isWritten = await writeHeld(pauseBetween);
    if (isLate) return;
    await writeGathered(gathered, pauseBetween, isWritten);
  }

  /** Resolves to whether the store took all of it; what it did not take goes on waiting. */
  async function writeHeld(pauseBetween: PauseBetween): Promise<boolean> {
    for await (const batch of held.batches(batchMax)) {
      const { length } = batch.counts;
      unwritten += length;
      await pauseBetween(false);
      if (isLate) return false;
      try {
        await recordPlain(batch);
        unwritten -= length;
      } catch (error) {
        onError(error);
        for (const tally of talliesOf(batch)) restore(tally);
        unwritten -= length;
        return false;
      }
    }
    return true;
  }

  async function writeGathered(
    gathered: Gathering,
    pauseBetween: PauseBetween,
    isAsked: boolean,
  ): Promise<void> {
    let failed = !isAsked;
    for await (const batch of batchesInOrder(gathered.parts(), batchMax, written)) {
      await pauseBetween(failed);
      if (isLate) return;
      if (!failed) {
        try {
          await store.recordUsage(batch);
        } catch (error) {
          onError(error);
          failed = true;
        }
      }
      if (failed) for (const tally of batch) restore(tally);
      unwritten -= batch.length;
    }
  }

  function createPauses(ms: number): PauseBetween {
    let isFirst = true;
    return async (isFast) => {
      if (!isFirst) await pause(isFast ? 0 : ms);
      isFirst = false;
    };
  }

  /** Lets Checks go first. */
  async function pause(ms: number): Promise<void> {
    const { signal } = stopping;
    await (ms < 1 || signal.aborted ? setImmediate() : wait(ms, signal));
  }

  /** What could not be written is written with the next flush. */
  function restore(lost: UsageTally): void {
    const { key: id, about, hour } = lost;
    const tally = gathering.tallyOf({ ...about, id }, about?.plan, hour);
    if (tally === null) return;
    tally.allowed += lost.allowed;
    for (const kind of ['denied', 'observed'] as const)
      for (const [reason, count] of Object.entries(lost[kind]) as [Reason, number][])
        addDenials(tally, kind, reason, count);
    if (lost.lastUsedAt !== null) tally.lastUsedAt = Math.max(tally.lastUsedAt ?? 0, lost.lastUsedAt);
    for (const address of lost.addresses) addAddress(tally, address);
  }
}

/** Lets others have the thread before every batch but the first, only just where it is to be fast. */
type PauseBetween = (isFast: boolean) => Promise<void>;

async function waitForTimer(ms: number, signal: AbortSignal): Promise<void> {
  // It rejects for no other reason than that it is aborted.
  await setTimeout(ms, undefined, { signal }).catch(() => {});
}

function hourOf(now: number): number {
  return Math.floor(now / hourMs) * hourMs;
}

function written({ lastAddress, ...tally }: Tally): UsageTally {
  return tally;
}
