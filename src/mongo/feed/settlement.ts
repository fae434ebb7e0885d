import { setTimeout } from 'node:timers/promises';
import type { Timestamp } from 'mongodb';
import { createCoalesced } from '../../store/coalesced.ts';
import type { Commit, Settlement } from '../../store/store.ts';
import { StoreUnavailable } from '../../store/store.ts';
import type { Fleet } from './fleet.ts';
import type { Peer } from './register.ts';
import { tickMsOf } from './tick.ts';

/** Waits until every replica judges by what was committed. */
export type Settle = (commit: Commit) => Promise<Settlement>;

export interface SettleDependencies {
  readonly fleet: Pick<Fleet, 'ask' | 'lagging' | 'size'>;
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
/** Of the time between two reads of a stream: nobody has answered before. */
const pollFirstPart = 0.2;
const pollMaxMs = 50;
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
      let waitMs = Math.max(pollMinMs, tickMsOf(fleet.size()) * pollFirstPart);
      for (; ; waitMs = Math.min(waitMs * 2, pollMaxMs)) {
        const peers = (await fleet.lagging(asked)).filter(mayHoldLease);
        left = peers.map(({ replicaId }) => replicaId);
        if (!own.hasApplied(asked)) left = [...left, own.replicaId];
        if (left.length === 0) return { effectiveAt: now(), unconfirmedReplicas: [] };
        if (monotonic() >= watchOutAt) watchOut(peers);
        if (monotonic() + waitMs >= deadline) break;
        await setTimeout(waitMs);
      }
    } catch (error) {
      // The change is committed and holds by itself; only who has heard of it cannot be told.
      if (!(error instanceof StoreUnavailable)) throw error;
    }
    return { effectiveAt: commit.at + stalenessMaxMs, unconfirmedReplicas: left };
  };

  function mayHoldLease({ runId, beat, renews }: Peer): boolean {
    if (renews) return true;
    const known = seen.get(runId);
    if (known?.beat === beat) return monotonic() - known.since < stalenessMaxMs;
    if (seen.size >= peersMax) seen.clear();
    seen.set(runId, { beat, since: monotonic() });
    return true;
  }
}
