import { randomUUID } from 'node:crypto';
import type { Collection, Db, ServerSessionId, Timestamp } from 'mongodb';
import { type ReplicaLag, replicasMax } from '../../store/standing.ts';
import { version } from '../../version.ts';
import { metaName, replicasName } from '../collections.ts';
import type { Sessions } from '../sessions.ts';

/** A running process in the collection `replicas`, from before its first lease until after its last. */
interface ReplicaDocument {
  /** Of this run of the process: two that are given the same replica id by mistake are still two. */
  _id: string;
  replica_id: string;
  beat: number;
  /** The cluster time up to which this replica has applied all changes, when it was last asked. */
  applied?: Timestamp;
  /** The session of the server's in which it has its transactions. */
  transactions?: ServerSessionId;
  /** A TTL index removes the document at this time. */
  expires_at: Date;
  /** For those who look at the fleet: of the package, since when it runs, and its clock at its last beat beside the server's. */
  version?: string;
  started_at?: Date;
  clock?: Date;
  beaten_at?: Date;
}

/** Another replica, as the register has it. */
export interface Peer {
  readonly runId: string;
  readonly replicaId: string;
  readonly beat: number;
}

/** The replicas that share the database, and this one's place among them. */
export interface Fleet {
  /** The `_id` of this replica's own document. */
  readonly runId: string;
  /** Registers this replica with this beat, by majority; returns a cluster time not before the write's. */
  beat(beat: number): Promise<Timestamp | undefined>;
  /**
   * Asks every replica to say what it has applied, by a mark that comes through every change stream; returns
   * a cluster time not before the mark's.
   */
  ask(): Promise<Timestamp | undefined>;
  /** Says that this replica has applied all changes up to this cluster time, later than any it said before. */
  acknowledge(upTo: Timestamp): Promise<void>;
  /** The other replicas that may answer from memory and have not said that they applied all up to this time. */
  lagging(since: Timestamp): Promise<Peer[]>;
  /** The replicas that beat within the staleness bound, by the server's clock; this one is among them. */
  count(): Promise<number>;
  /** The same, by their ids, with the time since the last beat of each. */
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

/** A replica is taken for dead long after its last lease ended, even if the clocks of two primaries differ. */
const lifetimeInLeases = 4;
const lifetimeMinMs = 60_000;
const beatTimeoutMinMs = 1_000;
/** Nothing is decided by the count, and each page of the console asks for it. */
const countTimeoutMs = 500;

export function createFleet(
  database: Db,
  sessions: Sessions,
  options: { readonly replicaId: string; readonly stalenessMaxMs: number; readonly now: () => number },
): Fleet {
  const { replicaId, stalenessMaxMs, now } = options;
  const replicas: Collection<ReplicaDocument> = database.collection(replicasName);
  const meta: Collection<{ _id: string; asked: number }> = database.collection(metaName);
  const runId = randomUUID();
  let applied: Timestamp | null = null;
  let transactions: ServerSessionId | null = null;
  const lifetimeMs = Math.max(lifetimeInLeases * stalenessMaxMs, lifetimeMinMs);
  const silence = { $subtract: ['$$NOW', '$beaten_at'] };
  // One of a version that does not say when it beat has no silence, and counts.
  const isAlive = { $expr: { $lte: [silence, stalenessMaxMs] } };
  const beatTimeoutMs = Math.max(stalenessMaxMs / 5, beatTimeoutMinMs);

  return {
    runId,
    beat(beat) {
      // The server's own clock, since it is the one that the TTL index is judged by.
      const expiresAt = { $add: ['$$NOW', lifetimeMs] };
      const members = { replica_id: { $literal: replicaId }, beat, expires_at: expiresAt };
      // What was lost is made up for.
      const said = { ...(applied !== null && { applied }), ...(transactions !== null && { transactions }) };
      const clocks = {
        ...{ clock: { $literal: new Date(now()) }, beaten_at: '$$NOW' },
        started_at: { $ifNull: ['$started_at', '$$NOW'] },
      };
      const update = [{ $set: { ...members, ...said, ...clocks, version: { $literal: version } } }];
      return sessions.write(
        async (session) => {
          await replicas.updateOne({ _id: runId }, update, { upsert: true, session });
          return session.operationTime;
        },
        { timeoutMs: beatTimeoutMs },
      );
    },
    ask: () =>
      sessions.write(async (session) => {
        await meta.updateOne({ _id: askId }, { $inc: { asked: 1 } }, { upsert: true, session });
        return session.operationTime;
      }),
    async acknowledge(upTo) {
      applied = upTo;
      // What is acknowledged stays true whether or not the write lasts: nobody need wait for a majority.
      const options = { writeConcern: { w: 1 } } as const;
      await sessions.write((session) =>
        replicas.updateOne({ _id: runId }, { $max: { applied: upTo } }, { ...options, session }),
      );
    },
    async lagging(since) {
      const others = { _id: { $ne: runId }, applied: { $not: { $gte: since } } };
      const projection = { replica_id: 1, beat: 1 };
      const found = await sessions.read((read) => replicas.find(others, { ...read, projection }).toArray());
      return found.map(({ _id, replica_id, beat }) => ({ runId: _id, replicaId: replica_id, beat }));
    },
    count: () =>
      sessions.read((read) => replicas.countDocuments(isAlive, read), { timeoutMs: countTimeoutMs }),
    async list() {
      const projection = { _id: 0, replica_id: 1, silence };
      const found = await sessions.read((read) =>
        replicas
          .find<{ replica_id: string; silence: number | null }>(isAlive, { ...read, projection })
          .sort({ replica_id: 1 })
          .limit(replicasMax)
          .toArray(),
      );
      // The clock that beats are compared with may have been set back.
      return found.map((replica) => ({ id: replica.replica_id, lagMs: Math.max(0, replica.silence ?? 0) }));
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
