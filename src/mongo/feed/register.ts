import type { Collection, ServerSessionId, Timestamp } from 'mongodb';
import type { Sessions } from '../sessions.ts';

/** A running process in the collection `replicas`, from before its first lease until after its last. */
export interface ReplicaDocument {
  /** Of this run of the process: two that are given the same replica id by mistake are still two. */
  _id: string;
  replica_id: string;
  beat: number;
  /** The cluster time up to which this replica has applied all changes, when it was last asked. */
  applied?: Timestamp;
  /** How often a majority has taken a write of it, so that what it reads afterwards is no older. */
  caught_up?: number;
  /** That it takes no lease without a look at this document. Absent from those of versions before. */
  renews?: true;
  /** Who waits for its last lease to run out, and since when by the server's clock: it may be gone. */
  suspected?: { readonly by: string; readonly at: Date };
  /** That it had no lease when this was written, and takes none before it has registered anew. */
  lapsed?: true;
  /** The session of the server's in which it has its transactions. */
  transactions?: ServerSessionId;
  /** A TTL index removes the document at this time. */
  expires_at: Date;
  /** For those who look at the fleet: of the package, since when it runs, its clock when it last registered, and how old what it knew was then. */
  version?: string;
  started_at?: Date;
  clock?: Date;
  beaten_at?: Date;
  lag_ms?: number;
}

/** Another replica, as the register has it. */
export interface Peer {
  readonly runId: string;
  readonly replicaId: string;
  readonly beat: number;
  /** Whether it looks at the register before each lease, so that it can be told that it is taken for lapsed. */
  readonly renews: boolean;
}

/** Those who may be gone, as all replicas see them. */
export interface Suspects {
  /**
   * The other replicas that may answer from memory and have not said that they applied all up to this time; with
   * `atMost`, so many of them: of a large fleet that has just been asked, all are as much as the answers that are waited for.
   */
  lagging(since: Timestamp, atMost?: number): Promise<Peer[]>;
  /**
   * Writes, by majority, that these may be gone, but for whom another has said so lately: from then on they take no
   * lease without registering anew.
   */
  suspect(runIds: readonly string[], by: string): Promise<void>;
  /** Those of them that have not registered anew are lapsed for the whole fleet: nobody waits for them. */
  countOut(by: string): Promise<void>;
}

/** A replica is taken for dead long after its last lease ended, even if the clocks of two primaries differ. */
const lifetimeInLeases = 4;
const lifetimeMinMs = 60_000;

/** How long a replica stays registered after it last was. */
export function lifetimeOf(stalenessMaxMs: number): number {
  return Math.max(lifetimeInLeases * stalenessMaxMs, lifetimeMinMs);
}

/** Whoever suspected a replica has counted it out by then, or died. */
const suspicionInLeases = 2;
const suspicionMinMs = 5_000;

export function createRegister(
  replicas: Collection<ReplicaDocument>,
  sessions: Sessions,
  { runId, stalenessMaxMs }: { readonly runId: string; readonly stalenessMaxMs: number },
): Suspects {
  return {
    async lagging(since, atMost = 0) {
      const others = {
        _id: { $ne: runId },
        applied: { $not: { $gte: since } },
        lapsed: { $exists: false },
      };
      const projection = { replica_id: 1, beat: 1, renews: 1 };
      const found = await sessions.read((read) =>
        replicas.find(others, { ...read, projection, limit: atMost }).toArray(),
      );
      return found.map(({ _id, replica_id, beat, renews = false }) => ({
        ...{ runId: _id, replicaId: replica_id, beat, renews },
      }));
    },
    async suspect(runIds, by) {
      const overdueMs = suspicionInLeases * stalenessMaxMs + suspicionMinMs;
      const isOverdue = { $lte: ['$suspected.at', { $subtract: ['$$NOW', overdueMs] }] };
      const filter = {
        _id: { $in: [...runIds] },
        renews: true as const,
        // What is absent is before any time.
        $expr: isOverdue,
      };
      const update = [{ $set: { suspected: { by: { $literal: by }, at: '$$NOW' } } }];
      await sessions.write((session) => replicas.updateMany(filter, update, { session }));
    },
    async countOut(by) {
      await sessions.write((session) =>
        replicas.updateMany({ 'suspected.by': by }, { $set: { lapsed: true } }, { session }),
      );
    },
  };
}
