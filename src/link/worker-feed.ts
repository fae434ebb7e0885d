import type { Feed, FeedSubscriber } from '../store/feed/feed.ts';
import { createLease } from '../store/feed/lease.ts';
import type { ServiceTold, WorkerTold } from './messages.ts';
import { followMsMax } from './told-changes.ts';

/** The feed of a Check worker: the service's changes, and a lease of the worker's own on what they say. */
export interface WorkerFeed extends Omit<Feed, 'readPage'> {
  take(told: ServiceTold): void;
  /**
   * Whether it has heard of every change that was answered before this instant, but for those that narrow: of each key
   * that somebody may have been given.
   */
  isHeard(): boolean;
  /** Asks the service, once for however many callers: {@link WorkerFeed.isHeard} then. Rejects with `StoreUnavailable`. */
  hear(): Promise<void>;
  /** Beats from now on. */
  start(): void;
  stop(): void;
}

export interface WorkerFeedDependencies {
  readonly tell: (told: WorkerTold) => unknown;
  /** Asks the service how old what it knows is. */
  readonly askLagMs: () => Promise<number>;
  readonly stalenessMaxMs: number;
  readonly now: () => number;
  readonly monotonic: () => number;
}

/** Beats in the time for which one lets memory answer, and the longest from one to the next. */
const beatsPerLease = 5;
const beatEveryMsMax = 1_000;
/**
 * A change is answered once it is applied here or `followMsMax` after it was told; so whoever asked the service later
 * than that has heard of it, though this process stood still in between. The rest is for timers that go off early.
 */
const heardMs = followMsMax - 50;
/** How soon it asks again while the service itself knows nothing for certain. */
const beatAgainMs = 100;

/**
 * Memory answers under a lease alone, which a beat gives: it leaves here at the worker's own instant t₀ and comes back
 * after every change that the service knew of when it had it, with how old that knowledge was. So the lease ends at
 * t₀ + `staleness_max` − lag, and whatever was committed before t₀ − lag has been applied. Each change is
 * acknowledged once it is applied; a service that stands still, or is gone, lets the lease run out.
 */
export function createWorkerFeed(dependencies: WorkerFeedDependencies): WorkerFeed {
  const { tell, askLagMs, stalenessMaxMs } = dependencies;
  const lease = createLease(dependencies);
  let subscriber: FeedSubscriber | null = null;
  let applied = 0;
  let isSaying = false;
  let timer: NodeJS.Timeout | null = null;
  let again: NodeJS.Timeout | null = null;
  let hearing: Promise<void> | null = null;

  return {
    subscribe(given) {
      subscriber = given;
    },
    isFresh: lease.isHeld,
    lagMs: lease.ageMs,
    isHeard: () => lease.ageMs() < heardMs,
    hear() {
      hearing ??= ask().finally(() => {
        hearing = null;
      });
      return hearing;
    },
    take(told) {
      if (told[0] === 'beat') {
        lease.seen(told[1], told[2]);
        if (told[2] === Number.POSITIVE_INFINITY) beatAgain();
        return;
      }
      const [kind, change] = told;
      if (kind === 'key') subscriber?.onChange(told[2], told[3]);
      else if (kind === 'owner') subscriber?.onOwnerChange(told[2]);
      else if (kind === 'role') subscriber?.onRoleChange(told[2]);
      else {
        lease.end();
        subscriber?.onGap();
        beat();
      }
      applied = change;
      sayApplied();
    },
    start() {
      timer ??= setInterval(beat, Math.min(stalenessMaxMs / beatsPerLease, beatEveryMsMax)).unref();
      beat();
    },
    stop() {
      if (timer !== null) clearInterval(timer);
      if (again !== null) clearTimeout(again);
      timer = null;
      again = null;
      lease.end();
    },
  };

  function beat(): void {
    tell(['beat', lease.begin()]);
  }

  async function ask(): Promise<void> {
    const beat = lease.begin();
    lease.seen(beat, await askLagMs());
  }

  /** So that memory answers soon after the service has reached its store, at the start and after an outage. */
  function beatAgain(): void {
    if (timer === null) return;
    again ??= setTimeout(() => {
      again = null;
      beat();
    }, beatAgainMs).unref();
  }

  /** Once for all changes of one batch. */
  function sayApplied(): void {
    if (isSaying) return;
    isSaying = true;
    queueMicrotask(() => {
      isSaying = false;
      tell(['applied', applied]);
    });
  }
}
