import { randomUUID } from 'node:crypto';
import type { Collection, Db, ServerSessionId, Timestamp } from 'mongodb';
import { type ReplicaLag, replicasMax } from '../../store/diagnosis/standing.ts';
import { version } from '../../version.ts';
import { metaName, replicasName } from '../collections.ts';
import type { Sessions } from '../sessions.ts';
import { createRegister, lifetimeOf, type ReplicaDocument, type Suspects } from './register.ts';

/** The replicas that share the database, and this one's place among them. */
export interface Fleet extends Suspects {
  /** The `_id` of this replica's own document. */
  readonly runId: string;
  /** Registers this replica, by majority; returns a cluster time not before the write's. */
  register(beat: number): Promise<Timestamp>;
  /**
   * A cluster time not before anything that was committed when it was called, as long as this replica is registered
   * and nobody takes it for lapsed; where it is not, or may soon not be any more, it is registered anew by the same
   * call. A lease is taken for a call of this or of {@link Fleet.register} alone: whoever is not waited for in a
   * settlement has none.
   */
  renew(beat: number): Promise<Timestamp>;
  /** Resolves when reads of this process that begin then are no older than this call, by a write of a majority. */
  catchUp(): Promise<void>;
  /** About how many replicas there are, as of the last time that this one was registered. */
  size(): number;
  /**
   * Asks every replica to say what it has applied, by a mark that comes through every change stream; returns
   * a cluster time not before the mark's.
   */
  ask(): Promise<Timestamp | undefined>;
  /** Says that this replica has applied all changes up to this cluster time, later than any it said before. */
  acknowledge(upTo: Timestamp): Promise<void>;
  /** The replicas that were heard of lately, by the server's clock; this one is among them. */
  count(): Promise<number>;
  /** The same, by their ids: how old was what each knew when it last registered, and for how long that is overdue. */
  list(): Promise<ReplicaLag[]>;
  /** Says in which session of the server's this replica has its transactions, for as long as it is registered. */
  announce(session: ServerSessionId): Promise<void>;
  /** What other replicas have announced, those too that may be gone. */
  announced(): Promise<ServerSessionId[]>;
  /** Takes this replica off the register; it must hold no lease any more. */
  leave(): Promise<void>;
}

/** The document in the collection `meta` whose changes ask for acknowledgements. */
export const askId = 'ask';

const renewTimeoutMinMs = 1_000;
/** Nothing is decided by the count, and each page of the console asks for it. */
const countTimeoutMs = 500;
/**
 * A replica registers again when so much of its lifetime is left, more or less by chance: a fleet that started
 * together does not write in step. What is left is more than two leases, so that none outlives its document.
 */
const lifetimeLeft = { least: 0.7, spread: 0.05 };

export interface FleetOptions {
  readonly replicaId: string;
  readonly stalenessMaxMs: number;
  readonly now: () => number;
  /** How old what this replica knows is, to tell people; Infinity where that cannot be told. */
  readonly lagMs: () => number;
}

export function createFleet(database: Db, sessions: Sessions, options: FleetOptions): Fleet {
  const { replicaId, stalenessMaxMs, now, lagMs } = options;
  const replicas: Collection<ReplicaDocument> = database.collection(replicasName);
  const meta: Collection<{ _id: string; asked: number }> = database.collection(metaName);
  const runId = randomUUID();
  const lifetimeMs = lifetimeOf(stalenessMaxMs);
  const leftMinMs = lifetimeMs * (lifetimeLeft.least + lifetimeLeft.spread * Math.random());
  const timeoutMs = Math.max(stalenessMaxMs / 5, renewTimeoutMinMs);
  const silence = { $subtract: ['$$NOW', '$beaten_at'] };
  // One of a version that does not say when it beat has no silence, and counts.
  const isHeardOf = { $expr: { $lte: [silence, lifetimeMs / 2] }, lapsed: { $exists: false } };
  let applied: Timestamp | null = null;
  let transactions: ServerSessionId | null = null;
  let size = 1;
  /** Whether some are of a version that takes a beat which is not written anew for a lapsed lease. */
  let hasOlder = false;

  async function register(beat: number): Promise<Timestamp> {
    // The server's own clock, since it is the one that the TTL index is judged by.
    const expiresAt = { $add: ['$$NOW', lifetimeMs] };
    const members = { replica_id: { $literal: replicaId }, beat, expires_at: expiresAt, renews: true };
    // What was lost is made up for.
    const said = { ...(applied !== null && { applied }), ...(transactions !== null && { transactions }) };
    const clocks = {
      ...{ clock: { $literal: new Date(now()) }, beaten_at: '$$NOW' },
      started_at: { $ifNull: ['$started_at', '$$NOW'] },
      ...(Number.isFinite(lagMs()) && { lag_ms: Math.round(lagMs()) }),
    };
    const update = [
      { $set: { ...members, ...said, ...clocks, version: { $literal: version } } },
      { $unset: ['suspected', 'lapsed'] },
    ];
    const time = await sessions.write(
      async (session) => {
        await replicas.updateOne({ _id: runId }, update, { upsert: true, session });
        const written = session.operationTime;
        size = await replicas.estimatedDocumentCount({ session });
        const older = await replicas.findOne({ renews: { $exists: false } }, { projection: {}, session });
        hasOlder = older !== null;
        return written;
      },
      { timeoutMs },
    );
    if (time === undefined) throw new Error('MongoDB gave no time for a replica that registered');
    return time;
  }

  const look = () =>
    sessions.latest(
      (read) => {
        const left = { $subtract: ['$expires_at', '$$NOW'] };
        const projection = { left, suspected: 1 };
        return replicas.findOne<{ left: number; suspected?: unknown }>(
          { _id: runId },
          { ...read, projection },
        );
      },
      { timeoutMs },
    );

  return {
    ...createRegister(replicas, sessions, { runId, stalenessMaxMs }),
    runId,
    register,
    async renew(beat) {
      if (hasOlder) return register(beat);
      const { found, time } = await look();
      const stands = found !== null && found.suspected === undefined && found.left >= leftMinMs;
      return stands ? time : register(beat);
    },
    async catchUp() {
      // A linearizable read tells as much, but the server does not hurry its journal for that: where one member is all there
      // is, it takes up to `commitIntervalMs`, 100. A write is flushed at once. Not registered any more there is none.
      const { matchedCount } = await sessions.write(
        (session) => replicas.updateOne({ _id: runId }, { $inc: { caught_up: 1 } }, { session }),
        { timeoutMs },
      );
      if (matchedCount === 0) await look();
    },
    size: () => size,
    ask: () =>
      sessions.write(async (session) => {
        await meta.updateOne({ _id: askId }, { $inc: { asked: 1 } }, { upsert: true, session });
        return session.operationTime;
      }),
    async acknowledge(upTo) {
      applied = upTo;
      // What is acknowledged stays true whether or not the write lasts: nobody need wait for a majority. Nor is it counted
      // how often it is written, for which the server would keep a record of each `updateOne`, at the price of a second write.
      const options = { writeConcern: { w: 1 } } as const;
      await sessions.write((session) =>
        replicas.updateMany({ _id: runId }, { $max: { applied: upTo } }, { ...options, session }),
      );
    },
    count: () =>
      sessions.read((read) => replicas.countDocuments(isHeardOf, read), { timeoutMs: countTimeoutMs }),
    async list() {
      const overdue = {
        $max: [0, { $subtract: [silence, lifetimeMs * (1 - lifetimeLeft.least) + timeoutMs] }],
      };
      const lag = { $add: [{ $ifNull: ['$lag_ms', 0] }, { $ifNull: [overdue, 0] }] };
      const projection = { _id: 0, replica_id: 1, lag };
      const found = await sessions.read((read) =>
        replicas
          .find<{ replica_id: string; lag: number }>(isHeardOf, { ...read, projection })
          .sort({ replica_id: 1 })
          .limit(replicasMax)
          .toArray(),
      );
      return found.map((replica) => ({ id: replica.replica_id, lagMs: replica.lag }));
    },
    async announce(session) {
      transactions = session;
      await sessions.write((own) =>
        replicas.updateOne({ _id: runId }, { $set: { transactions: session } }, { session: own }),
      );
    },
    async announced() {
      const others = { _id: { $ne: runId }, transactions: { $exists: true } };
      const projection = { transactions: 1 };
      const found = await sessions.read((read) => replicas.find(others, { ...read, projection }).toArray());
      return found.flatMap((replica) => replica.transactions ?? []);
    },
    async leave() {
      await sessions.write((session) => replicas.deleteOne({ _id: runId }, { session }));
    },
  };
}
