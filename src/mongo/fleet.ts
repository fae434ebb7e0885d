import { randomUUID } from 'node:crypto';
import type { Collection, Db, Timestamp } from 'mongodb';
import { replicasName } from './collections.ts';
import type { Sessions } from './sessions.ts';

/** A running process in the collection `replicas`, from before its first lease until after its last. */
interface ReplicaDocument {
  /** Of this run of the process: two that are given the same replica id by mistake are still two. */
  _id: string;
  replica_id: string;
  beat: number;
  /** A TTL index removes the document at this time. */
  expires_at: Date;
}

/** The replicas that share the database, and this one's place among them. */
export interface Fleet {
  /** The `_id` of this replica's own document. */
  readonly runId: string;
  /** Registers this replica with this beat, by majority; returns a cluster time not before the write's. */
  beat(beat: number): Promise<Timestamp | undefined>;
  /** The ids of all other replicas that may answer from memory. */
  others(): Promise<string[]>;
  /** Takes this replica off the register; it must hold no lease any more. */
  leave(): Promise<void>;
}

/** A replica is taken for dead long after its last lease ended, even if the clocks of two primaries differ. */
const lifetimeInLeases = 4;
const lifetimeMinMs = 60_000;
const beatTimeoutMinMs = 1_000;

export function createFleet(
  database: Db,
  sessions: Sessions,
  options: { readonly replicaId: string; readonly stalenessMaxMs: number },
): Fleet {
  const { replicaId, stalenessMaxMs } = options;
  const replicas: Collection<ReplicaDocument> = database.collection(replicasName);
  const runId = randomUUID();
  const lifetimeMs = Math.max(lifetimeInLeases * stalenessMaxMs, lifetimeMinMs);
  const beatTimeoutMs = Math.max(stalenessMaxMs / 5, beatTimeoutMinMs);

  return {
    runId,
    beat(beat) {
      // The server's own clock, since it is the one that the TTL index is judged by.
      const expiresAt = { $add: ['$$NOW', lifetimeMs] };
      const update = [{ $set: { replica_id: { $literal: replicaId }, beat, expires_at: expiresAt } }];
      return sessions.write(
        async (session) => {
          await replicas.updateOne({ _id: runId }, update, { upsert: true, session });
          return session.operationTime;
        },
        { timeoutMs: beatTimeoutMs },
      );
    },
    async others() {
      const found = await sessions.read((read) => replicas.find({ _id: { $ne: runId } }, read).toArray());
      return found.map((replica) => replica.replica_id);
    },
    async leave() {
      await sessions.write((session) => replicas.deleteOne({ _id: runId }, { session }));
    },
  };
}
