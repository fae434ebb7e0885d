import type { Limit } from '../keys/limit.ts';
import { type Advances, longMs } from './advances.ts';
import { type Span, spanAt } from './period.ts';

/** How long before its end a window's next is leased of: of its length this part at most, and so long. */
const aheadPart = 1 / 4;
const aheadMaxMs = 15_000;

/** When a window or period begins and ends, and what follows from that: one object for all that have the same. */
export interface WindowSpan extends Span {
  /** Whether it is worth giving back what is not spent of it. */
  readonly isLong: boolean;
  /** From when on units of the next window are leased for whom spends of this one. */
  readonly aheadAt: number;
}

/** One count of one limit, of a key or of an owner, as a window of it is opened. */
export interface Counted {
  /** Its name in the store. */
  readonly counter: string;
  readonly per: Limit['per'];
  /** From when its periods run; null for the calendar. */
  readonly anchor: number | null;
}

/**
 * What one replica knows of one window, or period, of one counter. Where nobody waits for it, it becomes the next one:
 * a window of each key that were made anew each minute would be what V8 collects most. What a Check reads stands first,
 * near to each other: with many keys each is read from memory that nobody has read for a while, and that is what a
 * limit costs. So numbers here are whole ones, which stand in the object itself, and a time that is mostly not known is
 * null.
 */
export class Window implements Counted {
  /** Who holds it as the latest of its counter; null for one that is not, or not any more. */
  heldBy: object | null = null;
  /** The list whose only limit it counts, for keys that have it in hand; null for none. */
  soleOf: readonly Limit[] | null = null;
  anchor: number | null;
  span: WindowSpan;
  /** Leased here, or in advance, and not spent. */
  free = 0;
  /** Leased by all replicas, when the store was asked last, and in advance. */
  leased = 0;
  /** Leased here, all in all, and in advance. */
  granted = 0;
  /** What is likely to be spent of it here, by the window before; 0 where that is not known. */
  expected = 0;
  lease: Promise<void> | null = null;
  /** Units were charged after the fact, or given back so: what is left may be less than what was leased says. */
  isCharged = false;
  /** Whether it was asked for by whoever has it in hand. */
  isVisited = false;
  /** That one, once something was leased of it. */
  next: Window | null = null;
  readonly counter: string;
  readonly per: Limit['per'];
  /** What of the limit the store never gives out, since it is or was spent without a lease. */
  advance = 0;
  /** Whether that may be spent here. */
  hasAdvance = false;
  /** Whether what was spent before a change of the billing anchor is counted in it, until it was asked for. */
  carries: boolean;
  /** When the store was asked last, Unix milliseconds by the clock of the requests; null for never. */
  seenAt: number | null = null;
  /** A charge was told of while the store was asked: its answer may be of before. */
  isOvertaken = false;
  /** Asked for by those who wait for a lease. */
  wanted = 0;
  /** Whether others have leased, or charged, of a window before: they are likely to lease of it, too. */
  isShared = false;
  /** When it was spent from last; null where nobody asks, since it is short. */
  spentAt: number | null;
  /** What its limit was when it was asked for last. */
  limit = 0;
  /** What was told of it to an operator. */
  isNearlySpentTold = false;
  isExceededTold = false;

  constructor({ counter, per, anchor }: Counted, span: WindowSpan, carries: boolean, now: number) {
    this.counter = counter;
    this.per = per;
    this.anchor = anchor;
    this.span = span;
    this.carries = carries;
    this.spentAt = span.isLong ? now : null;
  }

  get start(): number {
    return this.span.start;
  }

  get end(): number {
    return this.span.end;
  }

  /** Makes it the window of another span, of which nothing is known yet; false where somebody may hold it. */
  reopen(span: WindowSpan): boolean {
    const isHeld = this.lease !== null || this.wanted > 0 || this.next !== null;
    if (isHeld || this.span.isLong || span.isLong) return false;
    this.expectAs(this, span);
    this.span = span;
    this.free = 0;
    this.granted = 0;
    this.leased = 0;
    this.isCharged = false;
    this.advance = 0;
    this.hasAdvance = false;
    this.seenAt = null;
    this.isOvertaken = false;
    return true;
  }

  /** Takes what is known of a window before for what is likely of it. */
  expectAs(before: Window, { start }: Span = this.span): void {
    const { granted, free, leased, advance, hasAdvance, isShared } = before;
    this.expected = before.end === start ? granted - free : 0;
    this.isShared = isShared || leased > granted + (hasAdvance ? 0 : advance);
  }

  /** Gives up its place as the latest of its counter, to `other` where there is one. */
  yieldTo(other: Window | null): void {
    if (other !== null) {
      other.heldBy = this.heldBy;
      other.soleOf = this.soleOf;
      other.limit = this.limit;
    }
    this.heldBy = null;
  }
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

export function openWindow(counted: Counted, span: WindowSpan, hasOwner: boolean, now: number): Window {
  return new Window(counted, span, hasOwner && isAnchored(counted.per), now);
}

/** The span that holds `now`, of that length or period: the same object as before where it is the same window. */
export type FindSpan = (per: Limit['per'], anchor: number | null, now: number) => WindowSpan;

/** Different lengths that are remembered. */
const lengthsMax = 1_000;

export function createFindSpan(): FindSpan {
  const latest = new Map<number, WindowSpan>();
  return (per, anchor, now) => {
    if (typeof per !== 'number') return windowSpan(per, anchor, now);
    const known = latest.get(per);
    if (known !== undefined && now >= known.start && now < known.end) return known;
    const span = windowSpan(per, anchor, now);
    if (latest.size >= lengthsMax) latest.clear();
    latest.set(per, span);
    return span;
  };
}

function windowSpan(per: Limit['per'], anchor: number | null, now: number): WindowSpan {
  const { start, end } = spanAt(per, anchor, now);
  const isLong = typeof per !== 'number' || per >= longMs;
  const aheadMs = Math.min((end - start) * aheadPart, aheadMaxMs);
  return { start, end, isLong, aheadAt: isLong ? Number.POSITIVE_INFINITY : end - aheadMs };
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
export function isCurrent({ span: { start, end } }: Window, now: number): boolean {
  return now < end && now >= start - (end - start);
}

export function remainingIn(window: Window, { limit }: Limit): number {
  return Math.max(0, limit - window.leased + window.free);
}
