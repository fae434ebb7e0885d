import { setTimeout } from 'node:timers/promises';
import type { Timestamp } from 'mongodb';
import { createCoalesced } from '../../store/coalesced.ts';
import type { Commit, Settlement } from '../../store/store.ts';
import { StoreUnavailable } from '../../store/store.ts';
import type { Fleet, Peer } from './fleet.ts';

/** Waits until every replica judges by what was committed. */
export type Settle = (commit: Commit) => Promise<Settlement>;

export interface SettleDependencies {
  readonly fleet: Pick<Fleet, 'ask' | 'lagging'>;
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
const pollMaxMs = 50;
/** Replicas whose beats are remembered. */
const peersMax = 10_000;

/**
 * After a commit every replica is asked for what it has applied, once for all who wait. A replica has
 * confirmed when it says that it applied everything up to a time that is not before the commit, or when its
 * lease has run out: memory that has not applied the commit lives on a beat that is older than it, and a
 * beat that was seen here in the register, unchanged for the staleness bound, holds no lease any more. No
 * clock but this process's own is read for that.
 */
export function createSettle(dependencies: SettleDependencies): Settle {
  const { fleet, own, stalenessMaxMs, settleMaxMs, now, monotonic } = dependencies;
  const seen = new Map<string, { readonly beat: number; readonly since: number }>();
  /** One mark serves all who came before it was begun. */
  const ask = createCoalesced(() => fleet.ask());

  return async (commit) => {
    const deadline = monotonic() + settleMaxMs;
    let left: readonly string[] = [];
    try {
      const asked = await ask();
      if (asked === undefined) throw new StoreUnavailable('MongoDB gave no time for a change');
      for (let waitMs = pollMinMs; ; waitMs = Math.min(waitMs * 2, pollMaxMs)) {
        const peers = (await fleet.lagging(asked)).filter(mayHoldLease);
        left = peers.map(({ replicaId }) => replicaId);
        if (!own.hasApplied(asked)) left = [...left, own.replicaId];
        if (left.length === 0) return { effectiveAt: now(), unconfirmedReplicas: [] };
        if (monotonic() + waitMs >= deadline) break;
        await setTimeout(waitMs);
      }
    } catch (error) {
      // The change is committed and holds by itself; only who has heard of it cannot be told.
      if (!(error instanceof StoreUnavailable)) throw error;
    }
    return { effectiveAt: commit.at + stalenessMaxMs, unconfirmedReplicas: left };
  };

  function mayHoldLease({ runId, beat }: Peer): boolean {
    const known = seen.get(runId);
    if (known?.beat === beat) return monotonic() - known.since < stalenessMaxMs;
    if (seen.size >= peersMax) seen.clear();
    seen.set(runId, { beat, since: monotonic() });
    return true;
  }
}
