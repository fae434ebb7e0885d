import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { Peer, Suspects } from './register.ts';

export interface WatchOutDependencies {
  readonly fleet: Pick<Suspects, 'suspect' | 'countOut'>;
  readonly stalenessMaxMs: number;
  /** Milliseconds of a clock that is never set back. */
  readonly monotonic: () => number;
  /** A replica could not be suspected or counted out; it is tried again when somebody waits for it. */
  readonly onError: (error: unknown) => void;
}

/** Replicas that are watched at once. */
const watchedMax = 10_000;

/**
 * Watches replicas that did not answer until they hold no lease any more, and says so to the whole fleet. Once it is
 * written by majority that one is suspected, it takes no further lease without registering anew, which undoes it: so
 * what it holds has run out when `staleness_max` has passed here since that write. No other clock is read for that.
 */
export function createWatchOut(dependencies: WatchOutDependencies): (peers: readonly Peer[]) => void {
  const { fleet, stalenessMaxMs, monotonic, onError } = dependencies;
  const watched = new Set<string>();

  async function watch(runIds: readonly string[]): Promise<void> {
    const by = randomUUID();
    await fleet.suspect(runIds, by);
    const lapsedAt = monotonic() + stalenessMaxMs;
    while (monotonic() < lapsedAt) {
      await setTimeout(Math.max(1, lapsedAt - monotonic()), undefined, { ref: false });
    }
    await fleet.countOut(by);
  }

  return (peers) => {
    const runIds = peers.flatMap(({ runId, renews }) => (renews && !watched.has(runId) ? [runId] : []));
    if (runIds.length === 0 || watched.size + runIds.length > watchedMax) return;
    for (const runId of runIds) watched.add(runId);
    void watch(runIds)
      .catch(onError)
      .finally(() => {
        for (const runId of runIds) watched.delete(runId);
      });
  };
}
