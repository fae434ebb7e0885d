import type { Limit } from '../keys/limit.ts';
import { heldAtFirst, heldPartMax } from './advances.ts';
import type { Window } from './counter.ts';

/** What all of them together hold at most: no more than that is stranded, or told as used and is not. */
const heldByAllPartMax = 1 / 20;
/** And at most this part of what is left, so that the last units of a window go to whoever asks for them. */
const heldOfRestMax = 1 / 8;
/** More is leased once less than this part of what is to be held is left: few wait, and each lease serves many. */
const lowPart = 1 / 4;
/** What is likely to come is leased so many times: who needs a little more asks the store again. */
const toSpare = 1.5;
/** The first requests of a window tell little of how many come: as if they had begun this part of it before. */
const settlingPart = 1 / 8;

/** Units to hold for those to come: as many as are likely, or some at first. */
export function reserveOf(window: Window, limit: Limit, sharers: number, now: number): number {
  return Math.min(Math.max(heldAtFirst, likelyToCome(window, now)), heldMaxOf(window, limit, sharers));
}

/** Little is left of what was to be held so far, and less than is likely to be spent: at the end of a window little is. */
export function isLow(window: Window, limit: Limit, sharers: number, now: number): boolean {
  const { free, granted, expected } = window;
  const held = Math.min(Math.max(heldAtFirst, expected, granted - free), heldMaxOf(window, limit, sharers));
  return held > 1 && free < Math.ceil(held * lowPart) && free < likelyToCome(window, now);
}

function heldMaxOf({ leased }: Window, { limit }: Limit, sharers: number): number {
  const part = Math.min(heldPartMax, heldByAllPartMax / sharers);
  return Math.max(0, Math.floor(Math.min(limit * part, (limit - leased) * heldOfRestMax)));
}

/** What may be spent here until a window ends, by the one before, and at the rate of this one so far. */
function likelyToCome({ span, granted, free, expected }: Window, now: number): number {
  const spent = granted - free;
  if (span.isLong) return Math.max(expected, spent);
  const lengthMs = span.end - span.start;
  const leftMs = Math.min(lengthMs, span.end - now);
  const rate = spent / (lengthMs - leftMs + lengthMs * settlingPart);
  return Math.ceil(Math.max(expected - spent, rate * leftMs) * toSpare);
}
