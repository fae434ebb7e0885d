import type { Limit } from '../keys/limit.ts';
import { type Advances, longMs } from './advances.ts';
import { spanAt } from './period.ts';

/** How long before its end a window's next is leased of: of its length this part at most, and so long. */
const aheadPart = 1 / 4;
const aheadMaxMs = 15_000;

/** What one replica knows of one window, or period, of one counter. */
export interface Window {
  /** The counter's name in the store. */
  readonly counter: string;
  readonly start: number;
  readonly end: number;
  /** Whether it is worth giving back what is not spent of it. */
  readonly isLong: boolean;
  /** Whether what was spent before a change of the billing anchor is counted in it, until it was asked for. */
  carries: boolean;
  /** What of the limit the store never gives out, since it is or was spent without a lease. */
  advance: number;
  /** Whether that may be spent here. */
  hasAdvance: boolean;
  /** Leased here, or in advance, and not spent. */
  free: number;
  /** Leased here, all in all, and in advance. */
  granted: number;
  /** Leased by all replicas, when the store was asked last, and in advance. */
  leased: number;
  /** When that was, Unix milliseconds by the clock of the requests. */
  seenAt: number;
  /** Units were charged after the fact, or given back so: what is left may be less than what was leased says. */
  isCharged: boolean;
  /** A charge was told of while the store was asked: its answer may be of before. */
  isOvertaken: boolean;
  /** Asked for by those who wait for a lease. */
  wanted: number;
  lease: Promise<void> | null;
  /** From when on units of the next window are leased for whom spends of this one. */
  readonly aheadAt: number;
  /** That one, once something was leased of it. */
  next: Window | null;
  /** What is likely to be spent of it here, by the window before; 0 where that is not known. */
  expected: number;
  /** So few units may lie idle here for longer. */
  idleFree: number;
  /** When it was spent from last. */
  spentAt: number;
  /** What was told of it to an operator. */
  isNearlySpentTold: boolean;
  isExceededTold: boolean;
}

/** One count of one limit, of a key or of an owner. */
export interface Counter {
  /** Its name in the store. */
  readonly id: string;
  readonly per: Limit['per'];
  /** From when its periods run; null for the calendar. */
  anchor: number | null;
  /** What its limit was when it was asked for last. */
  limit: number;
  window: Window;
}

/**
 * The name of a counter in the store: it stays while the limit's name, period and sharing do. That of a sole window of
 * a key is the key's id alone, as releases have it that know no other.
 */
export function counterId({ name, per, sharedBy }: Limit, spender: string, owner: string | null): string {
  if (sharedBy === 'owner' && owner !== null) return `owner ${per} ${name} ${owner}`;
  if (name === 'default' && typeof per === 'number') return spender;
  return `key ${per} ${name} ${spender}`;
}

/** Whether a period may begin elsewhere once its owner has another billing anchor. */
export function isAnchored(per: Limit['per']): boolean {
  return typeof per !== 'number' && per !== 'total';
}

export function openWindow(
  { id, per, anchor }: Pick<Counter, 'id' | 'per' | 'anchor'>,
  hasOwner: boolean,
  now: number,
): Window {
  const { start, end } = spanAt(per, anchor, now);
  const isLong = typeof per !== 'number' || per >= longMs;
  return {
    ...{ counter: id, start, end, isLong },
    aheadAt: isLong ? Number.POSITIVE_INFINITY : end - Math.min((end - start) * aheadPart, aheadMaxMs),
    ...{ next: null, expected: 0 },
    carries: hasOwner && isAnchored(per),
    ...{ advance: 0, hasAdvance: false, free: 0, granted: 0, leased: 0, seenAt: Number.NEGATIVE_INFINITY },
    ...{ isCharged: false, isOvertaken: false, wanted: 0, lease: null },
    ...{ idleFree: 0, spentAt: now, isNearlySpentTold: false, isExceededTold: false },
  };
}

/** Gives a window its advance, where it has one; once, before anything is leased of it. */
export function advance(
  window: Window,
  limit: Pick<Limit, 'limit' | 'per'>,
  advances: Pick<Advances, 'of'>,
): void {
  const { units, free } = advances.of(limit, window.start);
  window.advance = units;
  window.hasAdvance = free > 0;
  window.free += free;
  window.granted += free;
  window.leased += units;
}

/** A clock that is set back a little finds its units where it left them; one that was far ahead starts anew. */
export function isCurrent({ start, end }: Window, now: number): boolean {
  return now < end && now >= start - (end - start);
}

export function remainingIn(window: Window, { limit }: Limit): number {
  return Math.max(0, limit - window.leased + window.free);
}
