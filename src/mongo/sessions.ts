import type { Abortable, ClientSession, FindOptions, MongoClient, ServerSessionId, Timestamp } from 'mongodb';
import { StoreUnavailable } from '../store/store.ts';
import { mongoError } from './errors.ts';

/** What a read passes to the driver as it is. */
export type ReadOptions = FindOptions & Abortable;

/**
 * Calls of MongoDB within a deadline, whose reads are never older than anything that this process has seen:
 * its own changes and what the change stream has delivered. An old primary that is cut off, and does not
 * know it yet, can then not answer from before. Errors are those of the store's contract.
 */
export interface Sessions {
  read<T>(work: (options: ReadOptions) => Promise<T>, options?: { readonly timeoutMs?: number }): Promise<T>;
  /**
   * A linearizable read, and a cluster time that is not before anything that was committed when it began: an old
   * primary that is cut off answers it not at all. Reads that begin after it are no older.
   */
  latest<T>(
    work: (options: ReadOptions) => Promise<T>,
    options?: { readonly timeoutMs?: number },
  ): Promise<{ readonly found: T; readonly time: Timestamp }>;
  write<T>(
    work: (session: ClientSession) => Promise<T>,
    options?: { readonly timeoutMs?: number },
  ): Promise<T>;
  /** A session of the server's for calls one after another, until the client is closed. */
  hold(): HeldSession;
  /** The change stream has delivered everything up to this cluster time. */
  advance(time: Timestamp): void;
}

export interface HeldSession {
  /** By which the server tells it from others. */
  readonly id: ServerSessionId | undefined;
  /** As {@link Sessions.write}, but ends when the work has: the session serves nothing else meanwhile. */
  run<T>(work: (session: ClientSession) => Promise<T>): Promise<T>;
}

export function createSessions(client: MongoClient, defaults: { readonly timeoutMs: number }): Sessions {
  let latest: Timestamp | null = null;

  function advance(time: Timestamp | undefined): void {
    if (time !== undefined && (latest === null || time.greaterThan(latest))) latest = time;
  }

  function bringUpToDate(session: ClientSession): void {
    if (latest !== null) session.advanceOperationTime(latest);
  }

  async function withSession<T>(work: (session: ClientSession) => Promise<T>): Promise<T> {
    const session = client.startSession({ causalConsistency: true });
    try {
      bringUpToDate(session);
      return await work(session);
    } finally {
      await session.endSession();
    }
  }

  function hold(): HeldSession {
    const session = client.startSession({ causalConsistency: true });
    return {
      id: session.id,
      async run(work) {
        try {
          bringUpToDate(session);
          const result = await work(session);
          advance(session.operationTime);
          return result;
        } catch (error) {
          throw mongoError(error);
        }
      },
    };
  }

  return {
    advance,
    hold,
    read: (work, { timeoutMs = defaults.timeoutMs } = {}) =>
      withinDeadline(timeoutMs, (signal) => {
        // The server gives up first where it can, since a call that is aborted costs its connection.
        const bounds = { signal, maxTimeMS: Math.ceil(timeoutMs * 0.8) };
        return withSession((session) => work({ ...bounds, session }));
      }),
    latest: (work, { timeoutMs = defaults.timeoutMs } = {}) =>
      withinDeadline(timeoutMs, async (signal) => {
        // A session that knows of no time yet: the server takes none beside `linearizable`, and this one learns it.
        const session = client.startSession({ causalConsistency: true });
        try {
          const bounds = { signal, maxTimeMS: Math.ceil(timeoutMs * 0.8) };
          const found = await work({ ...bounds, session, readConcern: { level: 'linearizable' } });
          const time = session.operationTime;
          if (time === undefined) throw new StoreUnavailable('MongoDB gave no time for a read');
          advance(time);
          return { found, time };
        } finally {
          await session.endSession();
        }
      }),
    write: (work, { timeoutMs = defaults.timeoutMs } = {}) =>
      withinDeadline(timeoutMs, () =>
        withSession(async (session) => {
          const result = await work(session);
          advance(session.operationTime);
          return result;
        }),
      ),
  };
}

/**
 * Rejects with `StoreUnavailable`, and aborts the signal, when the work has not ended in time. The driver bounds the
 * steps of an operation, not the whole: its `timeoutMS` has no effect as of 7.9.
 */
export function withinDeadline<T>(timeoutMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  let isOver = false;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      // Where this process stood still, answers may have come that were not read yet: timers go before sockets.
      setImmediate(() => {
        if (isOver) return;
        const late = new StoreUnavailable(`MongoDB did not answer within ${timeoutMs} ms`);
        reject(late);
        controller.abort(late);
      });
    }, timeoutMs);
    work(controller.signal)
      .then(resolve, (error: unknown) => reject(mongoError(error)))
      .finally(() => {
        isOver = true;
        clearTimeout(timer);
      });
  });
}
