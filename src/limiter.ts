import { LRUCache } from 'lru-cache';
import type { RateLimit } from './key.ts';

/** How a caller stands with its limit, for its answer's headers. */
export interface RateVerdict {
  readonly isAllowed: boolean;
  /** Units per window. */
  readonly limit: number;
  /** Units left in this window, 0 or more. */
  readonly remaining: number;
  /** When the next window begins, Unix seconds. */
  readonly resetAt: number;
  /** Whole seconds until then, 1 or more. */
  readonly retryAfter: number;
}

/** Counts what keys spend. */
export interface Limiter {
  /** Spends `cost` units of what `spender` may spend in the window that `now` (Unix milliseconds) lies in, all or none. */
  take(spender: string, limit: RateLimit, cost: number, now: number): RateVerdict;
  /** How the spender stands, without spending; what a dry run asks. */
  look(spender: string, limit: RateLimit, cost: number, now: number): RateVerdict;
}

interface Window {
  readonly start: number;
  spent: number;
}

/**
 * Fixed windows that begin at whole multiples of their length since the Unix epoch, counted in this process.
 * Past `spendersMax` the ones that were quiet longest are forgotten, and start anew.
 */
export function createLimiter(options: { readonly spendersMax: number }): Limiter {
  const windows = new LRUCache<string, Window>({ max: options.spendersMax });

  return {
    take(spender, limit, cost, now) {
      const window = windowOf(spender, limit, now);
      const isAllowed = window.spent + cost <= limit.limit;
      if (isAllowed) window.spent += cost;
      return verdict(window, limit, isAllowed, now);
    },
    look(spender, limit, cost, now) {
      const window = windowOf(spender, limit, now);
      return verdict(window, limit, window.spent + cost <= limit.limit, now);
    },
  };

  function windowOf(spender: string, { windowMs }: RateLimit, now: number): Window {
    const start = Math.floor(now / windowMs) * windowMs;
    const known = windows.get(spender);
    // A clock that steps back does not hand the units of a window out again.
    if (known !== undefined && known.start >= start) return known;
    const opened = { start, spent: 0 };
    windows.set(spender, opened);
    return opened;
  }
}

function verdict(
  window: Window,
  { limit, windowMs }: RateLimit,
  isAllowed: boolean,
  now: number,
): RateVerdict {
  const end = window.start + windowMs;
  return {
    isAllowed,
    limit,
    remaining: Math.max(0, limit - window.spent),
    resetAt: Math.ceil(end / 1_000),
    retryAfter: Math.max(1, Math.ceil((end - now) / 1_000)),
  };
}
