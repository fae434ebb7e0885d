import type { ClientSession } from 'mongodb';
import type { JournalDraft } from '../../journal/journal.ts';
import { StoreUnavailable } from '../../store/store.ts';
import type { JournalCollection } from '../records/journal.ts';
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
  readonly journal: JournalCollection;
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
const batchMax = 32;

/**
 * The journal is one chain, so its changes are made one after another, over the whole fleet. Those of one process
 * wait here, and all that wait when the transaction before has ended go into the next one together.
 */
export function createChangeQueue(dependencies: ChangeQueueDependencies): ChangeQueue {
  const { sessions, journal, transactions, timeoutMs } = dependencies;
  const waiting: Waiting[] = [];
  let isRunning = false;

  async function makeWaiting(): Promise<void> {
    isRunning = true;
    while (waiting.length > 0) {
      const batch = waiting
        .splice(0, transactions === null ? 1 : batchMax)
        .filter(({ signal }) => !signal.aborted);
      if (batch.length > 0) await makeAll(batch);
    }
    isRunning = false;
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

  function makeInOne(batch: readonly Waiting[], { run }: Transactions): Promise<boolean[]> {
    const changes = batch.map(({ change }) => change);
    // Of those who wait, whoever came last waits longest.
    const { signal = AbortSignal.abort() } = batch.at(-1) ?? {};
    return run(signal, async (session) => {
      const head = await journal.lock(session);
      const made: boolean[] = [];
      for (const change of changes) made.push(await change.apply(session));
      const drafts = changes.flatMap((change, index) => (made[index] ? change.drafts : []));
      await journal.extend(head, drafts, session);
      return made;
    });
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
      return Promise.reject(new StoreUnavailable('too many changes wait for the journal'));
    return withinDeadline(timeoutMs, (signal) => {
      const made = new Promise<boolean>((resolve, reject) => {
        waiting.push({ change, signal, resolve, reject });
      });
      if (!isRunning) void makeWaiting();
      return made;
    });
  };
}
