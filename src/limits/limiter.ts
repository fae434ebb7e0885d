/**
 * Room `limits/`: Rate limits. Here: plans, and windows whose units are leased from the store and spent here.
 * Not here: how a store counts them.
 */

import { BoundedCache } from '../cache/bounded-cache.ts';
import type { RateLimit } from '../keys/key.ts';
import { type Store, StoreUnavailable } from '../store/store.ts';

/** How a caller stands with its limit, for its answer's headers. */
export interface RateVerdict {
  readonly isAllowed: boolean;
  /** Units per window. */
  readonly limit: number;
  /** Units left in this window as far as this replica knows, 0 or more. */
  readonly remaining: number;
  /** When the next window begins, Unix seconds. */
  readonly resetAt: number;
  /** Whole seconds until then, 1 or more. */
  readonly retryAfter: number;
}

/** Counts what keys spend. */
export interface Limiter {
  /**
   * Spends `cost` units of what `spender` may spend in the window that `now` (Unix milliseconds) lies in, all
   * or none; at once where enough of them were leased. Rejects with `StoreUnavailable` when the store cannot
   * be asked for more and the settings say that nobody passes then.
   */
  spend(spender: string, limit: RateLimit, cost: number, now: number): RateVerdict | Promise<RateVerdict>;
  /** How the spender stands as far as is known here, without spending: for a dry run. */
  look(spender: string, limit: RateLimit, cost: number, now: number): RateVerdict;
}

export interface LimiterOptions {
  /** Past it spenders that were quiet are forgotten, with the units that were leased for them. */
  readonly spendersMax: number;
  /** Whether those pass whose units the store cannot be asked for. */
  readonly allowWhenUnavailable: boolean;
}

/**
 * What one replica holds at most of a limit beyond what callers wait for: with two of three replicas gone quiet
 * at the worst moment, 96 % of the limit are still admitted.
 */
const heldPartMax = 1 / 50;
/** And at most this part of what is left, so that the last units of a window go to whoever asks for them. */
const heldOfRestMax = 1 / 8;

interface Window {
  readonly start: number;
  readonly end: number;
  /** Leased here and not spent. */
  free: number;
  /** Leased here, all in all. */
  granted: number;
  /** Leased by all replicas, when the store was asked last. */
  leased: number;
  /** Asked for by those who wait for a lease. */
  wanted: number;
  lease: Promise<void> | null;
  /** The same spender's window of another length: a limit that changed, or one of several. */
  other: Window | null;
}

/**
 * Fixed windows that begin at whole multiples of their length since the Unix epoch. Units are leased from
 * the store, which gives out no more than the limit in a window, and spent here: so all replicas together
 * admit no more than the limit, and one write of the store serves many requests.
 */
export function createLimiter(store: Pick<Store, 'leaseUnits'>, options: LimiterOptions): Limiter {
  const windows = new BoundedCache<string, Window>(options.spendersMax);

  return {
    spend(spender, limit, cost, now) {
      const window = windowOf(spender, limit, now);
      if (mustLease(window, limit, cost)) return spendLeased(window, spender, limit, cost, now);
      const verdict = take(window, limit, cost, now);
      if (window.lease === null && window.free < Math.floor(reserveOf(window, limit) / 2)) {
        // Fetched before they are needed; should it fail, whoever needs them is told.
        lease(window, spender, limit, 0).catch(() => {});
      }
      return verdict;
    },
    look(spender, limit, cost, now) {
      const window = windowOf(spender, limit, now);
      return verdictOf(window, limit, cost <= remainingIn(window, limit), now);
    },
  };

  async function spendLeased(
    window: Window,
    spender: string,
    limit: RateLimit,
    cost: number,
    now: number,
  ): Promise<RateVerdict> {
    window.wanted += cost;
    try {
      while (mustLease(window, limit, cost)) {
        await (window.lease ?? lease(window, spender, limit, cost));
      }
      return take(window, limit, cost, now);
    } catch (error) {
      if (!(error instanceof StoreUnavailable) || !options.allowWhenUnavailable) throw error;
      return verdictOf(window, limit, true, now);
    } finally {
      window.wanted -= cost;
    }
  }

  /** One lease serves all who wait; where there is not enough for the one who begins it, others get what is left. */
  function lease(window: Window, spender: string, limit: RateLimit, cost: number): Promise<void> {
    const { start, end, free, wanted } = window;
    const unitsMin = Math.max(1, cost - free);
    const units = Math.max(unitsMin, wanted - free + reserveOf(window, limit));
    window.lease = store
      .leaseUnits({ spender, windowStart: start, windowEnd: end, limit: limit.limit, units, unitsMin })
      .then(({ granted, leased }) => {
        window.free += granted;
        window.granted += granted;
        window.leased = Math.max(window.leased, leased);
      })
      .finally(() => {
        window.lease = null;
      });
    return window.lease;
  }

  function windowOf(spender: string, { windowMs }: RateLimit, now: number): Window {
    const start = Math.floor(now / windowMs) * windowMs;
    const newest = windows.get(spender) ?? null;
    for (let known = newest; known !== null; known = known.other) {
      // A clock that is set back a little finds its units where it left them; one that was far ahead starts anew.
      const isCurrent = known.start >= start && known.start <= start + windowMs;
      if (isCurrent && known.end - known.start === windowMs) return known;
    }
    const other = openOthers(newest, windowMs, now);
    const opened = {
      start,
      end: start + windowMs,
      free: 0,
      granted: 0,
      leased: 0,
      wanted: 0,
      lease: null,
      other,
    };
    windows.set(spender, opened);
    return opened;
  }
}

/** The windows of other lengths that have not ended, without those of this length, which a new one replaces. */
function openOthers(window: Window | null, windowMs: number, now: number): Window | null {
  if (window === null) return null;
  window.other = openOthers(window.other, windowMs, now);
  const isOver = window.end <= now || window.end - window.start === windowMs;
  return isOver ? window.other : window;
}

/** Whether the store has to be asked: it may have units left, since it never takes back what was leased. */
function mustLease(window: Window, limit: RateLimit, cost: number): boolean {
  return cost > window.free && cost <= remainingIn(window, limit);
}

function take(window: Window, limit: RateLimit, cost: number, now: number): RateVerdict {
  // A limit that was lowered is kept to, whatever was leased under the old one.
  const isAllowed = cost <= Math.min(window.free, remainingIn(window, limit));
  if (isAllowed) window.free -= cost;
  return verdictOf(window, limit, isAllowed, now);
}

/** Units to hold for those to come: as many as were spent here so far, within the bounds above. */
function reserveOf({ granted, free, leased }: Window, { limit }: RateLimit): number {
  const heldMax = Math.floor(Math.min(limit * heldPartMax, (limit - leased) * heldOfRestMax));
  return Math.max(0, Math.min(Math.max(1, granted - free), heldMax));
}

function remainingIn(window: Window, { limit }: RateLimit): number {
  return Math.max(0, limit - window.leased + window.free);
}

function verdictOf(window: Window, limit: RateLimit, isAllowed: boolean, now: number): RateVerdict {
  return {
    isAllowed,
    limit: limit.limit,
    remaining: remainingIn(window, limit),
    resetAt: Math.ceil(window.end / 1_000),
    retryAfter: Math.max(1, Math.ceil((window.end - now) / 1_000)),
  };
}
