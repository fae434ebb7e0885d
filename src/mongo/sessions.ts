import type { Abortable, ClientSession, FindOptions, MongoClient, Timestamp } from 'mongodb';
import { StoreUnavailable } from '../store.ts';
import { mongoError } from './errors.ts';

/** What a read passes to the driver as it is. */
export type ReadOptions = FindOptions & Abortable;

/**
 * Calls of MongoDB within a deadline, whose reads are never older than anything that this process has seen:
 * its own changes and what the change stream has delivered. An old primary that is cut off, and does not
 * know it yet, can then not answer from before. Errors are those of the store's contract.
 */
export interface Sessions {
  /** A `linearizable` read is not older than the call, whatever this process has seen; it costs a write. */
  read<T>(
    work: (options: ReadOptions) => Promise<T>,
    options?: { readonly timeoutMs?: number; readonly linearizable?: boolean },
  ): Promise<T>;
  write<T>(
    work: (session: ClientSession) => Promise<T>,
    options?: { readonly timeoutMs?: number },
  ): Promise<T>;
  /** The change stream has delivered everything up to this cluster time. */
  advance(time: Timestamp): void;
}

export function createSessions(client: MongoClient, defaults: { readonly timeoutMs: number }): Sessions {
  let latest: Timestamp | null = null;

  function advance(time: Timestamp | undefined): void {
    if (time !== undefined && (latest === null || time.greaterThan(latest))) latest = time;
  }

  async function withSession<T>(work: (session: ClientSession) => Promise<T>): Promise<T> {
    const session = client.startSession({ causalConsistency: true });
    try {
      if (latest !== null) session.advanceOperationTime(latest);
      return await work(session);
    } finally {
      await session.endSession();
    }
  }

  return {
    advance,
    read: (work, { timeoutMs = defaults.timeoutMs, linearizable = false } = {}) =>
      withinDeadline(timeoutMs, (signal) => {
        // The server gives up first where it can, since a call that is aborted costs its connection.
        const bounds = { signal, maxTimeMS: Math.ceil(timeoutMs * 0.8) };
        if (linearizable) return work({ ...bounds, readConcern: { level: 'linearizable' } });
        return withSession((session) => work({ ...bounds, session }));
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

/** The driver bounds the steps of an operation, not the whole: its `timeoutMS` has no effect as of 7.9. */
function withinDeadline<T>(timeoutMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const late = new StoreUnavailable(`MongoDB did not answer within ${timeoutMs} ms`);
      reject(late);
      controller.abort(late);
    }, timeoutMs);
    work(controller.signal)
      .then(resolve, (error: unknown) => reject(mongoError(error)))
      .finally(() => clearTimeout(timer));
  });
}
