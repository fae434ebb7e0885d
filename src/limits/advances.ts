import type { Limit } from '../keys/limit.ts';
import type { UnitStore } from '../store/units.ts';
import { neverMs } from './period.ts';

/** Units that whoever alone leases from a store may spend of each window before it asks for any. */
export interface Advances {
  /** Whether nobody else ever leases from the store: what it said of a window is so until units of it are charged. */
  readonly isSole: boolean;
  /**
   * False until the store was asked what others have spent of windows that begin up to then: none of those may be leased
   * before.
   */
  isKnown(start: number): boolean;
  /** Asks it about windows that begin up to now. Rejects with `StoreUnavailable`. */
  learn(now: number): Promise<void>;
  /** Asks it ahead of time; to be called about once a second. Rejects with `StoreUnavailable`. */
  keep(now: number): Promise<void>;
  /**
   * Of a window that opens now: what is never leased of it, and what of that may be spent here, all or none. None where
   * somebody may have spent it: then it is nobody's.
   */
  of(limit: Pick<Limit, 'limit' | 'per'>, start: number): Advance;
  /** A window is forgotten: whoever opens it again finds its advance spent. */
  forget(window: Ended): void;
  /** The same of a window that nobody here knows: what of it may have been spent by those before. */
  lostOf(window: Ended & { readonly limit: number }): number;
  /**
   * Writes down what was spent of advances, and that nothing else was; where that cannot be, whoever comes next takes
   * them for spent.
   */
  settle(spent: readonly SpentAdvance[], now: number): Promise<void>;
}

/** Where each window begins at a multiple of its length. */
interface Ended {
  readonly start: number;
  readonly end: number;
}

export interface Advance {
  readonly units: number;
  readonly free: number;
}

export interface SpentAdvance extends Ended {
  readonly counter: string;
  readonly units: number;
}

/** What is held of a limit from the first request on, at most; of a small one, this part of it. */
export const heldAtFirst = 64;
export const heldPartMax = 1 / 50;

/** Windows as long as this, and periods, begin so seldom that they are leased from the first unit on. */
export const longMs = 600_000;

/** One unit of this counter is leased for as long as advances may be spent that are not written down. */
const marker = { spender: 'advances', windowStart: 0, windowEnd: neverMs };
/** Windows that are written down at the end; where more were spent from, they are taken for spent. */
const settledMax = 10_000;
const settledAtOnce = 1_000;

/** Of a window that has no advance. */
export const none: Advance = { units: 0, free: 0 };

/** For who never spends in advance, and whom nobody did before. */
export const noAdvances: Advances = {
  isSole: false,
  isKnown: () => true,
  learn: async () => {},
  keep: async () => {},
  of: () => none,
  forget() {},
  lostOf: () => 0,
  settle: async () => {},
};

/**
 * Nobody else leases from the store, so what is held of a limit at first needs no lease: each window has it in advance,
 * and the store gives out the rest. That nobody spends it twice follows from when a window began: only one that begins
 * after this limiter did, and that it never forgot, has an advance that may be spent. One counter in the store tells
 * whether whoever was there before wrote down what it spent; where it did not, its windows are that much smaller. (A
 * clock that is set back just when a process is killed hides which windows these are.)
 */
export function createAdvances(store: Pick<UnitStore, 'leaseUnits' | 'returnUnits'>): Advances {
  /** Windows that begin before may have been spent from by those before; null until the store has said so. */
  let lostBefore: number | null = null;
  /** Windows that begin from then on have an advance here. */
  let from = Number.POSITIVE_INFINITY;
  let isMarked = false;
  let learning: Promise<void> | null = null;
  const forgotten = createForgotten();

  return {
    isSole: true,
    isKnown: () => lostBefore !== null,
    learn(now) {
      learning ??= ask(now).finally(() => {
        learning = null;
      });
      return learning;
    },
    keep: async () => {},
    of({ limit, per }, start) {
      if (typeof per !== 'number' || per >= longMs || lostBefore === null) return none;
      const isLost = start < lostBefore || forgotten.has(start, per);
      if (!isLost && start < from) return none;
      const units = advanceOf(limit);
      return { units, free: isLost ? 0 : units };
    },
    forget: forgotten.add,
    lostOf({ start, end, limit }) {
      const isLost = start < (lostBefore ?? 0) || forgotten.has(start, end - start);
      return isLost && end - start < longMs ? advanceOf(limit) : 0;
    },
    async settle(spent, now) {
      const isLostOver = lostBefore !== null && now >= lostBefore + longMs;
      if (!isMarked || !isLostOver || !forgotten.areOver(now)) return;
      if (!(await writeDownAll(store, spent))) return;
      await store.returnUnits([{ ...marker, units: 1 }]);
      isMarked = false;
    },
  };

  async function ask(now: number): Promise<void> {
    const { granted, leased } = await store.leaseUnits({ ...marker, limit: 1, units: 1, unitsMin: 1 });
    const isLeftBehind = leased > granted;
    // A window that begins this very moment may have been spent from in it.
    lostBefore = isLeftBehind ? now + 1 : Number.NEGATIVE_INFINITY;
    isMarked = true;
    from = now + 1;
  }
}

/** Windows that were forgotten, so that nobody knows what was spent of them. */
export function createForgotten() {
  /** By length: when the last of them ends. */
  const ends = new Map<number, number>();
  return {
    add({ start, end }: { readonly start: number; readonly end: number }): void {
      ends.set(end - start, Math.max(end, ends.get(end - start) ?? 0));
    },
    /** Whether a window of that length may be one of them. */
    has: (start: number, per: number): boolean => start < (ends.get(per) ?? 0),
    areOver: (now: number): boolean => [...ends.values()].every((end) => end <= now),
  };
}

/** Leases what was spent without a lease; false, and nothing, where that is too much. */
export async function writeDownAll(
  store: Pick<UnitStore, 'leaseUnits'>,
  spent: readonly SpentAdvance[],
): Promise<boolean> {
  if (spent.length > settledMax) return false;
  for (let at = 0; at < spent.length; at += settledAtOnce) {
    await Promise.all(
      spent.slice(at, at + settledAtOnce).map(({ counter: spender, start, end, units }) =>
        store.leaseUnits({
          ...{ spender, windowStart: start, windowEnd: end },
          ...{ limit: Number.MAX_SAFE_INTEGER, units, unitsMin: units },
        }),
      ),
    );
  }
  return true;
}

/** The units of a window that are its advance. */
export function advanceOf(limit: number): number {
  return Math.min(heldAtFirst, Math.floor(limit * heldPartMax));
}
