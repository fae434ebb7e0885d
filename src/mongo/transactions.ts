import type { ClientSession, Db, ServerSessionId } from 'mongodb';
import type { Fleet } from './feed/fleet.ts';
import type { Sessions } from './sessions.ts';
import { blockedMs, inTransaction } from './transaction.ts';

/** The transactions of this process, one after another. */
export interface Transactions {
  /**
   * One at a time: the next when this one has ended. The signal is aborted when nobody waits any more. Rejects as the
   * store's contract says of a change.
   */
  run<T>(signal: AbortSignal, work: (session: ClientSession) => Promise<T>): Promise<T>;
}

export interface TransactionDependencies {
  readonly database: Db;
  readonly sessions: Sessions;
  readonly fleet: Pick<Fleet, 'announce' | 'announced'>;
  /** The server that holds the databases; its `admin` is asked for what is under way. */
  readonly admin: Db;
  /** Others' transactions could not be looked at; it will be tried again. */
  readonly onError: (error: unknown) => void;
}

/**
 * What a transaction has written is locked until it ends. A process that is killed in the middle of one, or stands
 * still, would keep the whole fleet from changing anything until the server gives it up, after a minute
 * (`transactionLifetimeLimitSeconds`). So each process has one session for all its transactions and announces it:
 * whoever is blocked for long ends the transactions of others in which nothing happens. Who was only slow begins
 * again. What this process itself has left behind ends with its next transaction, which is of the same session.
 */
export function createTransactions(dependencies: TransactionDependencies): Transactions {
  const { database, sessions, fleet, admin, onError } = dependencies;
  const { writeConcern = {} } = database;
  const held = sessions.hold();
  let isAnnounced = false;

  async function endAbandoned(): Promise<void> {
    const others = await fleet.announced();
    if (others.length === 0) return;
    const abandoned = await sessions.read(({ signal }) =>
      admin
        .aggregate<{ readonly lsid: ServerSessionId }>(idleIn(others), {
          ...(signal && { signal }),
          readConcern: { level: 'local' },
        })
        .toArray(),
    );
    const killSessions = abandoned.map(({ lsid }) => ({ id: lsid.id }));
    if (killSessions.length > 0) await sessions.read(() => admin.command({ killSessions }));
  }

  return {
    async run(signal, work) {
      if (!isAnnounced && held.id !== undefined) {
        await fleet.announce(held.id);
        isAnnounced = true;
      }
      return held.run((session) =>
        inTransaction(session, { signal, writeConcern, onBlocked: () => endAbandoned().catch(onError) }, () =>
          work(session),
        ),
      );
    },
  };
}

/** The sessions of these in whose transaction nothing has happened for a while. */
function idleIn(sessions: readonly ServerSessionId[]) {
  return [
    { $currentOp: { allUsers: false, idleSessions: true } },
    {
      $match: {
        type: 'idleSession',
        'lsid.id': { $in: sessions.map(({ id }) => id) },
        'transaction.timeInactiveMicros': { $gte: blockedMs * 1_000 },
      },
    },
    { $project: { lsid: 1 } },
  ];
}
