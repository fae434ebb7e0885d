import { setTimeout } from 'node:timers/promises';
import type { AnyBulkWriteOperation, ClientSession } from 'mongodb';
import type { JournalDraft } from '../../journal/journal.ts';
import { StoreUnavailable } from '../../store/store.ts';
import type { JournalCollection } from '../journal/journal.ts';
import type { KeyDocument } from '../records/keys/records.ts';
import { type Sessions, withinDeadline } from '../sessions.ts';
import type { Transactions } from '../transactions.ts';

/** A change of what is stored, and what is written into the journal when it is made. */
export interface Change {
  /** Whether the change was made. May be called again where the call before was undone. */
  readonly apply: (session: ClientSession) => Promise<boolean>;
  /**
   * Whether `apply` would make a change as things are. Asked where there are no transactions, and the journal has
   * to be written before the change.
   */
  readonly isDue: (session: ClientSession) => Promise<boolean>;
  /** What `apply` does, where that is one write of one key: those of many changes are one command. */
  readonly write?: AnyBulkWriteOperation<KeyDocument>;
  readonly drafts: readonly JournalDraft[];
}

/**
 * Makes a change together with its entries in the journal, or neither; says whether it was made. Rejects with what
 * `apply` rejects with, and with `StoreUnavailable` where it could not be made in time or nobody knows whether it
 * was.
 */
export type ChangeQueue = (change: Change) => Promise<boolean>;

export interface ChangeQueueDependencies {
  readonly sessions: Sessions;
  readonly journal: Pick<JournalCollection, 'reserve' | 'fill' | 'extendApart'>;
  /** Makes all of the writes in the session's transaction; says whether each found what it writes to. */
  readonly writeKeys: (
    writes: readonly AnyBulkWriteOperation<KeyDocument>[],
    session: ClientSession,
  ) => Promise<boolean>;
  /** Null on a standalone server, which has none: an entry is then written before its change. */
  readonly transactions: Transactions | null;
  readonly timeoutMs: number;
}

interface Waiting {
  readonly change: Change;
  /** Aborted when the caller waits no more. */
  readonly signal: AbortSignal;
  readonly resolve: (isMade: boolean) => void;
  readonly reject: (error: unknown) => void;
}

const waitingMax = 1_000;
/** Changes in one transaction. */
const batchMax = 100;
/** Of the time that the last transaction took, what those who were in it are given to come again. */
const gatherPart = 0.25;
const gatherMaxMs = 5;

/** A change was not made, so that what was reserved for it in the journal must not be. */
class NotMade extends Error {}

/**
 * The journal is one chain, so its changes are made one after another, over the whole fleet. Those of one process
 * wait here, and all that wait when the transaction before has ended go into the next one together. Who was answered
 * by the one before asks again at the same moment: they are given that moment, or the first of them would go alone and
 * the others wait for it.
 */
export function createChangeQueue(dependencies: ChangeQueueDependencies): ChangeQueue {
  const { sessions, journal, writeKeys, transactions, timeoutMs } = dependencies;
  const waiting: Waiting[] = [];
  let isRunning = false;

  async function makeWaiting(): Promise<void> {
    isRunning = true;
    while (waiting.length > 0) {
      const batch = waiting
        .splice(0, transactions === null ? 1 : batchMax)
        .filter(({ signal }) => !signal.aborted);
      if (batch.length === 0) continue;
      const began = performance.now();
      await makeAll(batch);
      if (batch.length > 1) await gather(batch.length, performance.now() - began);
    }
    isRunning = false;
  }

  /** Ends when as many wait again, or none has come for a while. */
  async function gather(expected: number, tookMs: number): Promise<void> {
    const until = performance.now() + Math.min(tookMs * gatherPart, gatherMaxMs);
    while (waiting.length < expected && performance.now() < until) await setTimeout(1);
  }

  async function makeAll(batch: readonly Waiting[]): Promise<void> {
    try {
      const made = await (transactions === null ? makeApart(batch) : makeInOne(batch, transactions));
      for (const [index, { resolve }] of batch.entries()) resolve(made[index] ?? false);
    } catch (error) {
      if (batch.length === 1 || error instanceof StoreUnavailable) {
        for (const { reject } of batch) reject(error);
        return;
      }
      // One of them is refused, which undid the others: each for itself.
      for (const one of batch) if (!one.signal.aborted) await makeAll([one]);
    }
  }

  async function makeInOne(batch: readonly Waiting[], transactions: Transactions): Promise<boolean[]> {
    const changes = batch.map(({ change }) => change);
    // Of those who wait, whoever came last waits longest.
    const { signal = AbortSignal.abort() } = batch.at(-1) ?? {};
    try {
      await transactions.run(signal, async (session) => {
        // First, since whoever is in the way of another is so here; as if each were made, as it nearly always is.
        const drafts = changes.flatMap((change) => change.drafts);
        const entries = await journal.reserve(drafts, session);
        if (!(await applyAll(changes, session))) throw new NotMade();
        await journal.fill(entries, session);
      });
      return batch.map(() => true);
    } catch (error) {
      const [change] = changes;
      if (!(error instanceof NotMade) || change === undefined || batch.length > 1) throw error;
      return [await makeIfDue(change, signal, transactions)];
    }
  }

  /** A change that was found not to be due; what it writes all the same stays. */
  function makeIfDue({ apply, drafts }: Change, signal: AbortSignal, { run }: Transactions) {
    return run(signal, async (session) => {
      const isMade = await apply(session);
      if (isMade) await journal.fill(await journal.reserve(drafts, session), session);
      return isMade;
    });
  }

  async function applyAll(changes: readonly Change[], session: ClientSession): Promise<boolean> {
    const writes = changes.length === 1 ? [] : changes.flatMap(({ write }) => write ?? []);
    for (const { write, apply } of changes) {
      if ((writes.length === 0 || write === undefined) && !(await apply(session))) return false;
    }
    return writes.length === 0 || writeKeys(writes, session);
  }

  function makeApart(batch: readonly Waiting[]): Promise<boolean[]> {
    return sessions.write(async (session) => {
      const made: boolean[] = [];
      for (const { change } of batch) {
        if (await change.isDue(session)) await journal.extendApart(change.drafts, session);
        made.push(await change.apply(session));
      }
      return made;
    });
  }

  return (change) => {
    if (waiting.length >= waitingMax)
      return Promise.reject(new StoreUnavailable('too many changes wait for the audit log'));
    return withinDeadline(timeoutMs, (signal) => {
      const made = new Promise<boolean>((resolve, reject) => {
        waiting.push({ change, signal, resolve, reject });
      });
      if (!isRunning) void makeWaiting();
      return made;
    });
  };
}
