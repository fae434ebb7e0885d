import { setTimeout } from 'node:timers/promises';
import type { Timestamp } from 'mongodb';
import { createCoalesced } from '../../store/coalesced.ts';
import type { Commit, Settlement } from '../../store/store.ts';
import { StoreUnavailable } from '../../store/store.ts';
import type { Fleet } from './fleet.ts';
import type { Peer } from './register.ts';

/** Waits until every replica judges by what was committed. */
export type Settle = (commit: Commit) => Promise<Settlement>;

export interface SettleDependencies {
  readonly fleet: Pick<Fleet, 'ask' | 'lagging'>;
  /** Told, again and again, of those who have not answered for a while. */
  readonly watchOut: (peers: readonly Peer[]) => void;
  /** This replica, which has heard of its own change, but not of one whose answer it never got. */
  readonly own: { readonly replicaId: string; hasApplied(time: Timestamp): boolean };
  readonly stalenessMaxMs: number;
  /** The longest that it waits. */
  readonly settleMaxMs: number;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds of a clock that is never set back. */
  readonly monotonic: () => number;
}

const pollMinMs = 2;
/** A look costs a large fleet least while many have not answered: it ends at the first of them. */
const pollMaxMs = 25;
/** So often it is asked who they all are, once they take long. */
const allEveryMs = 100;
/** Of the longest wait: who has not answered by then may be gone. */
const watchOutPart = 0.5;
/** Replicas whose beats are remembered. */
const peersMax = 10_000;

/**
 * After a commit every replica is asked for what it has applied, once for all who wait. A replica has
 * confirmed when it says that it applied everything up to a time that is not before the commit. One that does not
 * answer is watched until it can hold no lease any more, and then nobody waits for it: see `watch-out.ts`. One of a
 * version that does not look at the register before each lease writes each of its beats there, and memory that has not
 * applied the commit lives on one that is older: a beat that was seen here, unchanged for the staleness bound, holds no
 * lease any more. No clock but this process's own is read for that.
 */
export function createSettle(dependencies: SettleDependencies): Settle {
  const { fleet, watchOut, own, stalenessMaxMs, settleMaxMs, now, monotonic } = dependencies;
  const seen = new Map<string, { readonly beat: number; readonly since: number }>();
  /** One mark serves all who came before it was begun. */
  const ask = createCoalesced(() => fleet.ask());

  return async (commit) => {
    const deadline = monotonic() + settleMaxMs;
    const watchOutAt = monotonic() + settleMaxMs * watchOutPart;
    let left: readonly string[] = [];
    try {
      const asked = await ask();
      if (asked === undefined) throw new StoreUnavailable('MongoDB gave no time for a change');
      let allAt = Number.NEGATIVE_INFINITY;
      for (let waitMs = pollMinMs; ; waitMs = Math.min(waitMs * 2, pollMaxMs)) {
        const isLast = monotonic() + waitMs >= deadline;
        const all = isLast || monotonic() >= allAt;
        const peers = await waitedFor(asked, all);
        const late = own.hasApplied(asked) ? [] : [own.replicaId];
        if (peers.length + late.length === 0) return { effectiveAt: now(), unconfirmedReplicas: [] };
        if (all) {
          // Should the register not be readable any more, these are named.
          left = [...peers.map(({ replicaId }) => replicaId), ...late];
          if (monotonic() >= watchOutAt) watchOut(peers);
          allAt = Math.max(watchOutAt, monotonic() + allEveryMs);
        }
        if (isLast) break;
        await setTimeout(waitMs);
      }
    } catch (error) {
      // The change is committed and holds by itself; only who has heard of it cannot be told.
      if (!(error instanceof StoreUnavailable)) throw error;
    }
    return { effectiveAt: commit.at + stalenessMaxMs, unconfirmedReplicas: left };
  };

  /** Those who have not answered and may hold a lease; where not `all` are wanted, one of them where there is any. */
  async function waitedFor(asked: Timestamp, all: boolean): Promise<readonly Peer[]> {
    const [first] = all ? [] : await fleet.lagging(asked, 1);
    if (!all && (first === undefined || first.renews)) return first === undefined ? [] : [first];
    return (await fleet.lagging(asked)).filter(mayHoldLease);
  }

  function mayHoldLease({ runId, beat, renews }: Peer): boolean {
    if (renews) return true;
    const known = seen.get(runId);
    if (known?.beat === beat) return monotonic() - known.since < stalenessMaxMs;
    if (seen.size >= peersMax) seen.clear();
    seen.set(runId, { beat, since: monotonic() });
    return true;
  }
}
