import type { Limit } from '../keys/limit.ts';
import type { UnitReturn, UnitStore } from '../store/units.ts';
import type { Advances } from './advances.ts';
import { advance, createFindSpan, openWindow, type Window } from './counter.ts';
import { isLow, reserveOf } from './reserve.ts';

/** How units come from the store, and go back to it. */
export interface Leases {
  /** Fetches units before they are needed; should it fail, whoever needs them is told. */
  topUp(window: Window, limit: Limit, now: number): void;
  /**
   * Fetches units of the next window, which is about to begin, where this one was used here more than once.
   * Who asks first in it then waits for nobody. Should it fail, whoever needs them is told.
   */
  leaseAhead(window: Window, limit: Limit, now: number): void;
  /** Asks for what these lack of the cost. Rejects with `StoreUnavailable`. */
  leaseMissing(
    windows: readonly Window[],
    limits: readonly Limit[],
    cost: number,
    now: number,
  ): Promise<unknown>;
  /**
   * Looks again at those of which others may have given something back, or spent without a lease; not where the cost is
   * more than the limit, and will be whatever they do.
   */
  freshen(windows: readonly Window[], limits: readonly Limit[], cost: number, now: number): void;
  giveBackWindow(window: Window): void;
  giveBackIdle(now: number): Promise<void>;
  giveBackAll(): Promise<void>;
}

/** Who spent less of a window may not come back in the next. */
const aheadSpentMin = 2;
/** How long units lie here that nobody spends, before others have them. */
const idleMs = 2_000;
/** And so few of a limit for longer: a key that is used now and then would ask the store each time. */
const idlePart = 1 / 1_000;
const fewIdleMs = 60_000;
/** How old what is known of a counter may be that others change otherwise than by leases. */
const freshMs = 1_000;
/** Windows that are looked through, and given back, at once. */
const windowsAtOnce = 1_000;
/** Leases that nobody waits for, and that are asked for together. */
const dueMax = 200;

export interface LeasesOptions {
  readonly sharers: () => number;
  readonly advances: Advances;
  /** Does in a moment what nobody waits for. */
  readonly soon: (work: () => void) => void;
}

export function createLeases(
  store: Pick<UnitStore, 'leaseUnits' | 'returnUnits'>,
  { sharers, advances, soon }: LeasesOptions,
): Leases {
  /** What asks for units that nobody waits for yet: one write of the store serves all of them. */
  let due: (() => void)[] = [];
  let isSoon = false;
  /** Long windows of which something may be left to give back, those that were leased from first before the others. */
  const holding = new Set<Window>();
  const findSpan = createFindSpan();

  return {
    topUp(window, limit, now) {
      if (window.lease !== null) return;
      const isStale = window.isCharged && ageOf(window, now) >= freshMs;
      if (isStale) ask(window, limit, 0, 0, now).catch(() => {});
      else if (isLow(window, limit, sharers(), now)) leaseSoon(window, limit, now);
    },
    leaseAhead(window, limit, now) {
      const { per, anchor } = window;
      const spent = window.granted - window.free;
      if (window.next !== null || spent < aheadSpentMin || sharers() === 1) return;
      const next = openWindow(window, findSpan(per, anchor, window.end), false, window.end);
      next.expectAs(window);
      // Of a small limit the last units are for whoever asks.
      if (reserveOf(next, limit, sharers(), now) < 1) return;
      window.next = next;
      leaseSoon(next, limit, now);
    },
    leaseMissing(windows, limits, cost, now) {
      // One of them may be waited for now; and the others cost nothing in the same write.
      askDue();
      return Promise.all(
        windows.map((window, at) => {
          const limit = limits[at] as Limit;
          const isUnseen = cost === 0 && window.seenAt === null;
          if (cost <= window.free && !isUnseen) return null;
          return (
            window.lease ?? (cost === 0 ? ask(window, limit, 0, 0, now) : lease(window, limit, cost, now))
          );
        }),
      );
    },
    freshen(windows, limits, cost, now) {
      if (limits.some(({ limit }) => cost > limit)) return;
      for (const [at, window] of windows.entries()) {
        const isKnown = advances.isSole && window.seenAt !== null;
        const mayChange = cost === 0 || window.isCharged || (window.span.isLong && !isKnown);
        const isDue = Math.abs(ageOf(window, now)) >= freshMs;
        if (window.lease !== null || !mayChange || !isDue) continue;
        ask(window, limits[at] as Limit, 0, 0, now).catch(() => {});
      }
    },
    giveBackWindow(window) {
      void giveBack([window]);
    },
    async giveBackIdle(now) {
      const idle: Window[] = [];
      let looked = 0;
      for (const window of holding) {
        if (looked++ === windowsAtOnce) break;
        holding.delete(window);
        const isOver = now >= window.end || window.free === 0;
        if (isOver) continue;
        const bearsMs = window.free > Math.floor(window.limit * idlePart) ? idleMs : fewIdleMs;
        if (Math.abs(now - (window.spentAt ?? 0)) >= bearsMs && window.wanted === 0) idle.push(window);
        else holding.add(window);
      }
      await giveBack(idle);
    },
    async giveBackAll() {
      const all = [...holding];
      holding.clear();
      for (let start = 0; start < all.length; start += windowsAtOnce) {
        await giveBack(all.slice(start, start + windowsAtOnce));
      }
    },
  };

  /** Whoever waits meanwhile waits for this. */
  function leaseSoon(window: Window, limit: Limit, now: number): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    promise.catch(() => {});
    window.lease = promise;
    due.push(() => resolve(lease(window, limit, 0, now)));
    if (due.length >= dueMax) askDue();
    else if (!isSoon) {
      isSoon = true;
      soon(() => {
        isSoon = false;
        askDue();
      });
    }
  }

  function askDue(): void {
    const asked = due;
    if (asked.length === 0) return;
    due = [];
    for (const askOne of asked) askOne();
  }

  /** One lease serves all who wait; where there is not enough for the one who begins it, others get what is left. */
  function lease(window: Window, limit: Limit, cost: number, now: number): Promise<void> {
    const { free, wanted } = window;
    const unitsMin = Math.max(1, cost - free);
    const units = Math.max(unitsMin, wanted - free + reserveOf(window, limit, sharers(), now));
    return ask(window, limit, units, unitsMin, now);
  }

  /** For no units it only looks. */
  function ask(window: Window, limit: Limit, units: number, unitsMin: number, now: number): Promise<void> {
    const { counter: spender, start: windowStart, end: windowEnd, carries } = window;
    const request = () => {
      const isUnseen = window.seenAt === null && window.advance === 0;
      if (isUnseen) advance(window, limit, advances);
      return store.leaseUnits({
        ...{ spender, windowStart, windowEnd, units, unitsMin },
        limit: Math.max(0, limit.limit - window.advance),
        isLikelyFirst: window.seenAt === null && !window.isShared,
        ...(carries && { carriesAt: now }),
      });
    };
    window.isOvertaken = false;
    const at = Math.max(now, windowStart);
    window.lease = (advances.isKnown(at) ? request() : advances.learn(at).then(request))
      .then(({ granted, leased: given, isCharged = false }) => {
        const leased = given + window.advance;
        window.free += granted;
        window.granted += granted;
        window.leased = window.isOvertaken ? Math.max(window.leased, leased) : leased;
        window.isCharged ||= isCharged;
        window.carries = false;
        window.seenAt = window.isOvertaken ? 0 : now;
        if (window.span.isLong && window.free > 0) holding.add(window);
      })
      .finally(() => {
        window.lease = null;
      });
    return window.lease;
  }

  /** What becomes of them is not known where it fails: then they are spent. */
  async function giveBack(windows: readonly Window[]): Promise<void> {
    const returns: UnitReturn[] = [];
    for (const window of windows) {
      const { counter: spender, start: windowStart, end: windowEnd, free: units } = window;
      // What is spent in advance was never leased, and is nobody else's.
      if (units <= 0 || window.hasAdvance) continue;
      window.free = 0;
      window.granted -= units;
      window.leased -= units;
      returns.push({ spender, windowStart, windowEnd, units });
    }
    if (returns.length > 0) await store.returnUnits(returns).catch(() => {});
  }
}

/** How long ago the store was asked, in milliseconds. */
function ageOf({ seenAt }: Window, now: number): number {
  return seenAt === null ? Number.POSITIVE_INFINITY : now - seenAt;
}
