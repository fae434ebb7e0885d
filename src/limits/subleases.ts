import { BoundedCache } from '../cache/bounded-cache.ts';
import type { UnitLease, UnitLeaseRequest, UnitReturn, UnitStore } from '../store/units.ts';
import type { HeldWindow } from './accounts.ts';
import { type Advances, longMs, type SpentAdvance } from './advances.ts';

/** Units for several who spend, who all lease here and not from the store. */
export interface Subleases extends Pick<UnitStore, 'leaseUnits' | 'returnUnits'> {
  /**
   * What is here of these windows and was given to nobody, in their order; less than 0 for what was given out, or may
   * have been, and never leased.
   */
  held(windows: readonly HeldWindow[]): readonly number[];
  /** Resolves when `held` is as exact of these windows as the store says, or it cannot be asked. */
  know(windows: readonly HeldWindow[]): Promise<void>;
  /** So many units of a window count as leased in the store, now that some were charged; returns how many do in all. */
  charged(window: HeldWindow, leased: number): number;
  /** Asks the store ahead of time; to be called about once a second. */
  keep(now: number): Promise<void>;
  /** Writes down what was given out and never leased; to be called when nobody leases here any more. */
  close(now: number): Promise<void>;
}

export interface SubleasesOptions {
  readonly advances: Advances;
  /** How many lease here. */
  readonly lessees: number;
  /** Windows that are remembered; those that were not leased from lately are forgotten, with their advances. */
  readonly windowsMax: number;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** What is known of the latest window of a counter. */
interface Window {
  readonly counter: string;
  readonly start: number;
  readonly end: number;
  /** What of the limit the store never gives out. */
  readonly advance: number;
  readonly hasAdvance: boolean;
  /** Given to nobody: of the advance, and what came back. */
  free: number;
  /** Leased from the store, by whoever leases there, when it was asked last. */
  leased: number;
  isCharged: boolean;
  /** How often that was told: an answer that was asked for before may be older. */
  told: number;
}

/** How long a window that has ended counts, for a clock that is set back. */
const endedMs = 120_000;

/**
 * Those who answer Checks in processes of their own lease by way of the one that has the store. It alone leases there for
 * all of them, so the advances of windows are its own, and it gives them out without asking the store: to each who
 * asks an equal part, and the last units to whoever wants them. What was given to one that has ended counts as spent.
 */
export function createSubleases(
  store: Pick<UnitStore, 'leaseUnits' | 'returnUnits'>,
  { advances, lessees, windowsMax, now }: SubleasesOptions,
): Subleases {
  const windows = new BoundedCache<string, Window>(windowsMax, (_, window) => advances.forget(window));

  return {
    async leaseUnits(request) {
      const { windowStart: start, windowEnd: end } = request;
      if (end - start >= longMs) return store.leaseUnits(request);
      const at = Math.max(now(), start);
      if (!advances.isKnown(at)) await advances.learn(at);
      const window = windowOf(request.spender, start, end, request.limit);
      return giveUnits(window, request);
    },
    async returnUnits(returns) {
      const others: UnitReturn[] = [];
      for (const one of returns) {
        const { spender: counter, windowStart: start, windowEnd: end, units } = one;
        if (end - start >= longMs) others.push(one);
        else {
          // Of one that is not known any more nobody can tell what was leased: then it is spent.
          const window = find({ counter, start, end });
          if (window !== null) window.free += units;
        }
      }
      if (others.length > 0) await store.returnUnits(others);
    },
    held: (asked) =>
      asked.map((one) => {
        const window = find(one);
        return window === null ? 0 - advances.lostOf(one) : window.free - window.advance;
      }),
    async know(asked) {
      const latest = Math.max(...asked.map(({ start }) => start));
      if (asked.length > 0 && !advances.isKnown(latest)) await advances.learn(latest).catch(() => {});
    },
    charged({ counter, start, end, limit }, leased) {
      if (end - start >= longMs || !advances.isKnown(start)) return leased;
      const window = windowOf(counter, start, end, limit);
      window.leased = leased;
      window.isCharged = true;
      window.told++;
      return leased + givenOf(window);
    },
    keep: (at) => advances.keep(at),
    close: (at) => advances.settle([...spentInAdvance(at)], at),
  };

  async function giveUnits(window: Window, request: UnitLeaseRequest): Promise<UnitLease> {
    const { units, unitsMin, limit } = request;
    if (units > 0 && window.free >= unitsMin) {
      const part = Math.max(unitsMin, Math.ceil(window.advance / lessees));
      const granted = Math.min(units, part, window.free);
      window.free -= granted;
      return answerOf(window, granted, window.leased);
    }
    // Taken before anybody else can, and given back where the rest is not to be had.
    const { free: here, told } = window;
    const taken = units > 0 ? here : 0;
    window.free -= taken;
    try {
      const lease = await store.leaseUnits({
        ...request,
        limit: Math.max(0, limit - window.advance),
        units: units - taken,
        unitsMin: unitsMin - taken,
        isLikelyFirst: told === 0,
      });
      const isOvertaken = told !== window.told;
      window.leased = isOvertaken ? Math.max(window.leased, lease.leased) : lease.leased;
      window.isCharged ||= lease.isCharged === true;
      window.told++;
      if (lease.granted === 0) window.free += taken;
      return answerOf(window, lease.granted === 0 ? 0 : lease.granted + taken, lease.leased);
    } catch (error) {
      window.free += taken;
      throw error;
    }
  }

  /** The latest window of a counter, which replaces the one before; of an earlier one nothing is remembered. */
  function windowOf(counter: string, start: number, end: number, limit: number): Window {
    const known = windows.get(counter);
    if (known !== undefined && known.start === start && known.end === end) return known;
    const { units, free } = advances.of({ limit, per: end - start }, start);
    const isEarlier = known !== undefined && known.start > start;
    const hasAdvance = free > 0 && !isEarlier;
    const window = {
      ...{ counter, start, end, advance: units, hasAdvance, free: hasAdvance ? free : 0 },
      ...{ leased: 0, isCharged: false, told: 0 },
    };
    if (!isEarlier) windows.set(counter, window);
    return window;
  }

  function find({ counter, start, end }: Pick<HeldWindow, 'counter' | 'start' | 'end'>): Window | null {
    const known = windows.get(counter);
    return known !== undefined && known.start === start && known.end === end ? known : null;
  }

  function* spentInAdvance(at: number): Iterable<SpentAdvance> {
    for (const window of windows.values()) {
      const { counter, start, end, hasAdvance } = window;
      const units = givenOf(window);
      if (hasAdvance && units > 0 && end + endedMs > at) yield { counter, start, end, units };
    }
  }
}

/** What was given out beside what the store says; less than 0 where more came back. */
function givenOf({ advance, free }: Window): number {
  return advance - free;
}

function answerOf(window: Window, granted: number, leased: number): UnitLease {
  return { granted, leased: leased + givenOf(window), ...(window.isCharged && { isCharged: true }) };
}
