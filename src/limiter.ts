import { LRUCache } from 'lru-cache';
import type { RateLimit } from './key.ts';
import { type Store, StoreUnavailable } from './store.ts';

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
   * or none; at once where enough of them were leased. Rejects with `StoreUnavailable` when the store can not
   * be asked for more and the settings say that nobody passes then.
   */
  spend(spender: string, limit: RateLimit, cost: number, now: number): RateVerdict | Promise<RateVerdict>;
  /** How the spender stands as far as is known here, without spending: for a dry run. */
  look(spender: string, limit: RateLimit, cost: number, now: number): RateVerdict;
}

export interface LimiterOptions {
  /** Past it the spenders that were quiet longest are forgotten, with the units that were leased for them. */
  readonly spendersMax: number;
  /** Whether those pass whose units the store can not be asked for. */
  readonly allowWhenUnavailable: boolean;
}

/**
 * Units are leased this part of a limit at a time: so few that what replicas leave unspent at the end of a
 * window is little, so many that the store is asked seldom.
 */
const leasePart = 1 / 50;

interface Window {
  readonly start: number;
  readonly end: number;
  /** Leased here and not spent. */
  free: number;
  /** Leased by all replicas, when the store was asked last. */
  leased: number;
  /** Asked for by those who wait for a lease. */
  wanted: number;
  lease: Promise<void> | null;
}

/**
 * Fixed windows that begin at whole multiples of their length since the Unix epoch. Units are leased from
 * the store, which gives out no more than the limit in a window, and spent here: so all replicas together
 * admit no more than the limit, and one write of the store serves many requests.
 */
export function createLimiter(store: Pick<Store, 'leaseUnits'>, options: LimiterOptions): Limiter {
  const windows = new LRUCache<string, Window>({ max: options.spendersMax });

  return {
    spend(spender, limit, cost, now) {
      const window = windowOf(spender, limit, now);
      if (cost > window.free && mayLease(window, limit))
        return spendLeased(window, spender, limit, cost, now);
      const verdict = take(window, limit, cost, now);
      const low = partOf(limit) / 2;
      if (window.free < low && window.lease === null && mayLease(window, limit)) {
        // Fetched before they are needed; should it fail, whoever needs them is told.
        lease(window, spender, limit).catch(() => {});
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
      while (cost > window.free && mayLease(window, limit)) {
        await (window.lease ?? lease(window, spender, limit));
      }
      return take(window, limit, cost, now);
    } catch (error) {
      if (!(error instanceof StoreUnavailable) || !options.allowWhenUnavailable) throw error;
      return verdictOf(window, limit, true, now);
    } finally {
      window.wanted -= cost;
    }
  }

  function lease(window: Window, spender: string, limit: RateLimit): Promise<void> {
    const units = Math.max(partOf(limit), window.wanted - window.free);
    const { start, end } = window;
    window.lease = store
      .leaseUnits({ spender, windowStart: start, windowEnd: end, limit: limit.limit, units })
      .then(({ granted, leased }) => {
        window.free += granted;
        window.leased = Math.max(window.leased, leased);
      })
      .finally(() => {
        window.lease = null;
      });
    return window.lease;
  }

  function windowOf(spender: string, { windowMs }: RateLimit, now: number): Window {
    const start = Math.floor(now / windowMs) * windowMs;
    const known = windows.get(spender);
    // A clock that steps back does not hand the units of a window out again.
    if (known !== undefined && known.start >= start && known.end - known.start === windowMs) return known;
    const opened = { start, end: start + windowMs, free: 0, leased: 0, wanted: 0, lease: null };
    windows.set(spender, opened);
    return opened;
  }
}

/** Whether the store may have units left: what was leased is never given back within a window. */
function mayLease(window: Window, { limit }: RateLimit): boolean {
  return window.leased < limit;
}

function take(window: Window, limit: RateLimit, cost: number, now: number): RateVerdict {
  const isAllowed = cost <= window.free;
  if (isAllowed) window.free -= cost;
  return verdictOf(window, limit, isAllowed, now);
}

function partOf({ limit }: RateLimit): number {
  return Math.ceil(limit * leasePart);
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
