/**
 * Room `limits/`: Rate limits. Here: plans, periods, and counters whose units are leased from the store and spent
 * here. Not here: how a store counts them.
 */

import type { Limit } from '../keys/limit.ts';
import { StoreUnavailable } from '../store/store.ts';
import type { UnitStore } from '../store/units.ts';
import { type Anchored, createAccounts, type HeldWindow, type Spender } from './accounts.ts';
import { type Advances, noAdvances } from './advances.ts';
import { remainingIn, type Window } from './counter.ts';
import { createLeases } from './leases.ts';
import { type LimitNews, noteExceeded, noteSpent } from './news.ts';
import { isShort, type RateVerdict, verdictOnOne, verdictOnSeveral } from './verdict.ts';

/** Counts what keys spend. */
export interface Limiter {
  /**
   * Spends `cost` units of each of the limits in the window or period that `now` (Unix milliseconds) lies in, of all
   * or of none; at once where enough of them were leased. Rejects with `StoreUnavailable` when the store cannot
   * be asked for more and the settings say that nobody passes then.
   */
  spend(
    key: Spender,
    owner: Anchored | null,
    limits: readonly Limit[],
    cost: number,
    now: number,
  ): RateVerdict | Promise<RateVerdict>;
  /** How the key stands as far as is known here, without spending: for a dry run. */
  look(
    key: Spender,
    owner: Anchored | null,
    limits: readonly Limit[],
    cost: number,
    now: number,
  ): RateVerdict;
  /**
   * What is leased here of these windows and not spent, in their order; less than 0 for what was spent, or may have been,
   * and never leased.
   */
  held(windows: readonly HeldWindow[]): readonly number[];
  /** Resolves when `held` is as exact of these windows as the store says, or it cannot be asked. */
  know(windows: readonly HeldWindow[]): Promise<void>;
  /** Units of a window were charged after the fact: so many count as leased now. */
  charged(window: HeldWindow, leased: number): void;
  /** Gives back what was not spent lately, and asks the store ahead of time; to be called about once a second. */
  giveBack(now: number): Promise<void>;
  /** Gives back all that is worth it, and writes down what was spent and never leased. */
  close(now: number): Promise<void>;
}

export interface LimiterOptions {
  /** Past it spenders that were quiet are forgotten, with the units that were leased for them. */
  readonly spendersMax: number;
  /** Whether those pass whose units the store cannot be asked for. */
  readonly allowWhenUnavailable: boolean;
  /** How many limiters lease from the same store, this one too. Default: 1. */
  readonly sharers?: () => number;
  /** Whether units of a window may be leased before it begins, where there are other sharers. Default: no. */
  readonly leasesAhead?: boolean;
  /** What may be spent before it is leased. Default: nothing. */
  readonly advances?: Advances;
  /** Does in a moment what nobody waits for, with more of its like. Default: at once. */
  readonly soon?: (work: () => void) => void;
  /** Told of what an operator may want to hear of. Default: nobody is. */
  readonly onNews?: (news: LimitNews) => void;
}

/**
 * Fixed windows and periods. Units are leased from the store, which gives out no more than the limit in each, and
 * spent here: so all replicas together admit no more than the limit, and one write of the store serves many requests.
 * A request that has several limits spends from all of them in one turn of the event loop, or from none.
 */
export function createLimiter(
  store: Pick<UnitStore, 'leaseUnits' | 'returnUnits'>,
  {
    spendersMax,
    allowWhenUnavailable,
    sharers = () => 1,
    leasesAhead = false,
    advances = noAdvances,
    soon = (work) => work(),
    onNews = () => {},
  }: LimiterOptions,
): Limiter {
  const leases = createLeases(store, { sharers, advances, soon });
  const accounts = createAccounts({
    ...{ spendersMax, advances, onReplaced: leases.giveBackWindow },
    onLowered(window) {
      // Others may have spent meanwhile what is held here: the store is asked again, under the limit that holds now.
      if (sharers() === 1) return;
      leases.giveBackWindow(window);
      if (window.next !== null) leases.giveBackWindow(window.next);
    },
  });

  return {
    spend(key, owner, limits, cost, now) {
      const windows = accounts.windowsOf(key, owner, limits, now);
      const stand = standOf(windows, limits, cost);
      // Of this moment: their counters may have others by the time that units come.
      if (stand === 'wait') return spendLeased(key, [...windows], limits, cost, now);
      if (stand === 'ready') take(key, windows, limits, cost, now);
      else deny(key, windows, limits, cost);
      if (stand === 'short' || cost === 0) leases.freshen(windows, limits, cost, now);
      return verdictOn(windows, limits, cost, stand === 'ready', now);
    },
    look(key, owner, limits, cost, now) {
      const windows = accounts.windowsOf(key, owner, limits, now);
      return verdictOn(windows, limits, cost, standOf(windows, limits, cost) !== 'short', now);
    },
    held: (windows) =>
      windows.map((window) => {
        const known = accounts.find(window);
        return known === null ? 0 - advances.lostOf(window) : known.free - known.advance;
      }),
    async know(windows) {
      const latest = Math.max(...windows.map(({ start }) => start));
      if (windows.length > 0 && !advances.isKnown(latest)) await advances.learn(latest).catch(() => {});
    },
    charged(window, leased) {
      // Of one that nobody has spent from yet, some would be spent in advance that are not left.
      const known = accounts.find(window) ?? accounts.open(window);
      if (known === null) return;
      known.leased = leased + known.advance;
      known.isCharged = true;
      known.isOvertaken = known.lease !== null;
    },
    async giveBack(now) {
      await Promise.all([leases.giveBackIdle(now), advances.keep(now).catch(() => {})]);
    },
    async close(now) {
      await leases.giveBackAll();
      await advances.settle([...accounts.spentInAdvance(now)], now).catch(() => {});
    },
  };

  async function spendLeased(
    key: Spender,
    windows: readonly Window[],
    limits: readonly Limit[],
    cost: number,
    now: number,
  ): Promise<RateVerdict> {
    for (const window of windows) window.wanted += cost;
    try {
      for (;;) {
        const stand = standOf(windows, limits, cost);
        if (stand === 'wait') {
          await leases.leaseMissing(windows, limits, cost, now);
          continue;
        }
        if (stand === 'ready') take(key, windows, limits, cost, now);
        else deny(key, windows, limits, cost);
        return verdictOn(windows, limits, cost, stand === 'ready', now);
      }
    } catch (error) {
      if (!(error instanceof StoreUnavailable) || !allowWhenUnavailable) throw error;
      for (const window of windows) if (window.free >= cost) window.free -= cost;
      return verdictOn(windows, limits, cost, true, now);
    } finally {
      for (const window of windows) window.wanted -= cost;
    }
  }

  function take(
    key: Spender,
    windows: readonly Window[],
    limits: readonly Limit[],
    cost: number,
    now: number,
  ): void {
    for (let at = 0; at < windows.length; at++) {
      const window = windows[at] as Window;
      const limit = limits[at] as Limit;
      window.free -= cost;
      if (window.span.isLong) window.spentAt = now;
      leases.topUp(window, limit, now);
      if (leasesAhead && now >= window.span.aheadAt) leases.leaseAhead(window, limit, now);
      if (typeof limit.per === 'string') noteSpent(key, window, limit, onNews);
    }
  }

  function deny(key: Spender, windows: readonly Window[], limits: readonly Limit[], cost: number): void {
    for (const [at, window] of windows.entries()) {
      const limit = limits[at] as Limit;
      if (typeof limit.per === 'number') continue;
      // Others may have spent all of it since this replica spent the last.
      noteSpent(key, window, limit, onNews);
      if (isShort(remainingIn(window, limit), cost)) noteExceeded(key, window, limit, onNews);
    }
  }
}

/**
 * Whether a cost can be spent at once, or is more than is left of one of the limits, or the store has to be asked
 * first: it may have units left where this replica has none.
 */
function standOf(
  windows: readonly Window[],
  limits: readonly Limit[],
  cost: number,
): 'ready' | 'wait' | 'short' {
  let stand: 'ready' | 'wait' = 'ready';
  for (let at = 0; at < windows.length; at++) {
    const window = windows[at] as Window;
    // A limit that was lowered is kept to, whatever was leased under the old one.
    const remaining = remainingIn(window, limits[at] as Limit);
    if (cost > remaining || remaining === 0) return 'short';
    const isUnseen = cost === 0 && window.seenAt === null;
    if (cost > window.free || isUnseen) stand = 'wait';
  }
  return stand;
}

function verdictOn(
  windows: readonly Window[],
  limits: readonly Limit[],
  cost: number,
  isAllowed: boolean,
  now: number,
): RateVerdict {
  const [only] = windows;
  if (windows.length === 1 && only !== undefined) {
    const remaining = remainingIn(only, limits[0] as Limit);
    return verdictOnOne(limits, { span: only.span, remaining }, isAllowed, now);
  }
  const known = windows.map((window, at) => {
    const limit = limits[at] as Limit;
    return { limit, start: window.start, end: window.end, remaining: remainingIn(window, limit) };
  });
  return verdictOnSeveral(known, limits, { isAllowed, cost }, now);
}
