import { setTimeout } from 'node:timers/promises';
import type { ClientSession, WriteConcern } from 'mongodb';
import { isOpen, isUndone } from './errors.ts';

export interface TransactionOptions {
  /** Aborted when nobody waits any more. */
  readonly signal: AbortSignal;
  /** The client's own would be that of the address. */
  readonly writeConcern: WriteConcern;
  /** Called now and then while other transactions have been in the way all the time, some {@link blockedMs} so far. */
  readonly onBlocked: () => Promise<void>;
}

/**
 * Runs the work in one transaction: all of it, or nothing where it rejects. What another transaction was in the way
 * of, and what an election has undone, is done again from the start until the signal says that nobody waits any
 * more, so the work must be one that may be repeated.
 *
 * A commit whose answer was lost is asked for again under its own number, by which the server knows whether it has
 * been made. Where that stays open it rejects with the driver's error, and the outcome is not known.
 */
export async function inTransaction<T>(
  session: ClientSession,
  { signal, writeConcern, onBlocked }: TransactionOptions,
  work: () => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    // It sees one state of the primary, and cannot write over what was changed after that. What it reads need not
    // be on a majority yet, but is when its commit is.
    session.startTransaction({ readConcern: { level: 'local' }, readPreference: 'primary', writeConcern });
    try {
      const result = await work();
      signal.throwIfAborted();
      await commit(session, signal);
      return result;
    } catch (error) {
      if (session.inTransaction()) await session.abortTransaction().catch(() => {});
      if (signal.aborted || !isUndone(error)) throw error;
    }
    if (tries % triesWhenBlocked === 0) await onBlocked();
    await pause(tries, signal);
  }
}

async function commit(session: ClientSession, signal: AbortSignal): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await session.commitTransaction();
    } catch (error) {
      if (signal.aborted || !isOpen(error)) throw error;
    }
    await pause(tries, signal);
  }
}

const retryMinMs = 1;
const retryMaxMs = 30;
/** About the time that so many tries take, at the least. */
export const blockedMs = 1_000;
const triesWhenBlocked = Math.ceil(blockedMs / retryMaxMs) + 5;

/** Throws when nobody waits any more. Jitter, so that two who were in each other's way do not come back in step. */
async function pause(tries: number, signal: AbortSignal): Promise<void> {
  const ms = Math.min(retryMinMs * 2 ** (tries - 1), retryMaxMs) * (0.5 + Math.random());
  await setTimeout(ms, undefined, { signal, ref: false }).catch(() => {});
  signal.throwIfAborted();
}
