import type { Feed, FeedSubscriber } from '../store/feed/feed.ts';
import type { Commit, Settlement, Store } from '../store/store.ts';
import type { Dated, ServiceTold } from './messages.ts';

/** The changes that a service tells its Check workers, and how far each of them has come. */
export interface ToldChanges {
  /** What the store tells; the service's own memory may hear of it besides. */
  readonly subscriber: FeedSubscriber;
  /** From now on this worker is told of every change; it must not remember anything yet. */
  join(name: string, tell: (told: ServiceTold) => boolean): ToldWorker;
  /**
   * The same changes, which resolve once the workers have applied them, or after a moment: whoever has enabled a key
   * and uses it at once is not told that it is disabled.
   */
  following(changes: FollowedChanges): FollowedChanges;
  /**
   * The same settlement, once every worker has applied what is known of the change or cannot answer from memory any
   * more; else one that names those for which it cannot be told, by their names.
   */
  settle(commit: Commit, settleStore: (commit: Commit) => Promise<Settlement>): Promise<Settlement>;
}

/** What changes keys and owners. */
export type FollowedChanges = Pick<
  Store,
  | 'insertKey'
  | 'insertFirstKey'
  | 'insertKeys'
  | 'replaceKey'
  | 'rotateKey'
  | 'putOwner'
  | 'putRole'
  | 'deleteRole'
  | 'replaceKeys'
>;

/** A Check worker, as the service sees it. */
export interface ToldWorker {
  onBeat(beat: number): void;
  /** How old what it has been told by now is, in milliseconds; Infinity where it has not been told all. It may rely on that. */
  lagMs(): number;
  onApplied(change: number): void;
  /** A read of the store whose answer is on its way to the worker, with how old it may be. */
  dated<Value>(read: () => Promise<Value>): Promise<Dated<Value>>;
  /** It has ended, for certain. */
  leave(): void;
}

export interface ToldChangesDependencies {
  readonly feed: Pick<Feed, 'isFresh' | 'lagMs' | 'readPage'>;
  readonly stalenessMaxMs: number;
  /** The longest that a change waits for the workers. */
  readonly settleMaxMs: number;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds of a clock that is never set back. */
  readonly monotonic: () => number;
}

interface Line {
  readonly name: string;
  readonly tell: (told: ServiceTold) => boolean;
  applied: number;
  /** No lease that it was given lasts longer, by this process's monotonic clock. */
  leasedUntil: number;
  /** Changes were left out for want of room: the next that it is told is a gap. */
  isBehind: boolean;
}

/** Changes that a worker may not have applied yet; past it they are left out, and a gap makes up for them. */
const unappliedMax = 10_000;
const lookEveryMs = 50;
/** How long a change waits that nobody is asked to confirm: a worker that says that a key is nobody's has heard later. */
export const followMsMax = 200;

export function createToldChanges(dependencies: ToldChangesDependencies): ToldChanges {
  const { feed, stalenessMaxMs, settleMaxMs, now, monotonic } = dependencies;
  const lines = new Set<Line>();
  /** Called whenever a worker has come further, or has ended. */
  const waiters = new Set<() => void>();
  let changes = 0;

  const applied = () => appliedBy(changes, () => false);

  return {
    subscriber: {
      onChange: (id, digest) => tellAll((change) => ['key', change, id, digest]),
      onOwnerChange: (id) => tellAll((change) => ['owner', change, id]),
      onRoleChange: (id) => tellAll((change) => ['role', change, id]),
      onGap: () => tellAll((change) => ['gap', change]),
      applied,
    },
    join,
    following: (changes) => ({
      // Of one that nobody has heard of they are told nothing, unless they may know all others.
      insertKey: (record, retentionMs, draft, isUnheard) =>
        isUnheard && feed.readPage === null
          ? changes.insertKey(record, retentionMs, draft, isUnheard)
          : followed(changes.insertKey)(record, retentionMs, draft),
      insertFirstKey: followed(changes.insertFirstKey),
      insertKeys: followed(changes.insertKeys),
      replaceKey: followed(changes.replaceKey),
      rotateKey: followed(changes.rotateKey),
      putOwner: followed(changes.putOwner),
      putRole: followed(changes.putRole),
      deleteRole: followed(changes.deleteRole),
      replaceKeys: followed(changes.replaceKeys),
    }),
    async settle(commit, settleStore) {
      const deadline = monotonic() + settleMaxMs;
      const isOver = () => monotonic() >= deadline;
      const [before] = [changes];
      const settled = await settleStore(commit);
      // What was known of the change when the store had settled it, on this replica, has been told by now.
      const asked = settled.unconfirmedReplicas.length === 0 ? changes : before;
      await appliedBy(asked, isOver);
      const late = lagging(asked).map(({ name }) => name);
      if (late.length > 0) {
        const unconfirmedReplicas = [...settled.unconfirmedReplicas, ...late];
        return { effectiveAt: commit.at + stalenessMaxMs, unconfirmedReplicas };
      }
      // Later where the store could not tell who had heard of it, and so names nobody either.
      const effectiveAt = Math.max(now(), settled.effectiveAt);
      return settled.unconfirmedReplicas.length > 0 ? settled : { ...settled, effectiveAt };
    },
  };

  function join(name: string, tell: Line['tell']): ToldWorker {
    const line: Line = {
      name,
      tell,
      applied: changes,
      leasedUntil: Number.NEGATIVE_INFINITY,
      isBehind: false,
    };
    lines.add(line);
    const lease = (lagMs: number) => {
      line.leasedUntil = Math.max(line.leasedUntil, monotonic() + stalenessMaxMs - lagMs);
    };
    const lagMs = () => {
      // What it was told is not all that there is.
      const lag = feed.isFresh() && !line.isBehind ? feed.lagMs() : Infinity;
      lease(lag);
      return lag;
    };

    return {
      lagMs,
      onBeat(beat) {
        if (!line.isBehind) line.tell(['beat', beat, lagMs()]);
      },
      onApplied(change) {
        line.applied = Math.max(line.applied, change);
        if (line.isBehind && line.applied >= change) catchUp(line);
        wake();
      },
      async dated(read) {
        const wasFresh = feed.isFresh();
        const value = await read();
        const isFresh = feed.isFresh();
        // A read that was not made under the store's own lease was of the latest there is.
        const lagMs = wasFresh || isFresh ? (isFresh ? feed.lagMs() : Infinity) : 0;
        lease(lagMs);
        return { value, lagMs };
      },
      leave() {
        lines.delete(line);
        wake();
      },
    };
  }

  function followed<A extends unknown[], R>(change: (...args: A) => Promise<R>): (...args: A) => Promise<R> {
    return async (...args) => {
      const result = await change(...args);
      const deadline = monotonic() + followMsMax;
      await appliedBy(changes, () => monotonic() >= deadline);
      return result;
    };
  }

  function tellAll(toldOf: (change: number) => ServiceTold): void {
    changes++;
    for (const line of lines) {
      if (line.isBehind) continue;
      const isLate = changes - line.applied > unappliedMax;
      if (isLate || !line.tell(toldOf(changes))) line.isBehind = true;
    }
  }

  /** It goes on from nothing. */
  function catchUp(line: Line): void {
    if (line.tell(['gap', changes])) line.isBehind = false;
  }

  function wake(): void {
    for (const waiter of waiters) waiter();
  }

  function lagging(change: number): Line[] {
    return [...lines].filter((line) => line.applied < change && monotonic() < line.leasedUntil);
  }

  /** Resolves when every worker has applied that change or holds no lease, or when `isOver`. */
  async function appliedBy(change: number, isOver: () => boolean): Promise<void> {
    while (lagging(change).length > 0 && !isOver()) {
      const { promise, resolve } = Promise.withResolvers<void>();
      waiters.add(resolve);
      const timer = setTimeout(resolve, lookEveryMs);
      await promise;
      clearTimeout(timer);
      waiters.delete(resolve);
    }
  }
}
