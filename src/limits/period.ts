import type { Limit } from '../keys/limit.ts';

/** From one instant up to another, Unix milliseconds. */
export interface Span {
  readonly start: number;
  /** {@link neverMs} for one that has no end. */
  readonly end: number;
}

const dayMs = 86_400_000;
const weekMs = 7 * dayMs;
/** 1970-01-05, the first Monday. */
const mondayMs = 4 * dayMs;

/** The end of a `total`: a time that every store can hold, and nobody sees. */
export const neverMs = 8.64e15 - 2 * dayMs;

/**
 * The window or period that holds `now`. Windows begin at whole multiples of their length since 1970, whatever the
 * anchor. Periods are those of the calendar in UTC, or with an anchor (Unix milliseconds) run from it: a day begins
 * at its time of day, a week at its weekday and time of day, a month at its day and time of day, in a shorter month
 * on the last day.
 */
export function spanAt(per: Limit['per'], anchor: number | null, now: number): Span {
  if (typeof per === 'number') return evenSpan(per, 0, now);
  if (per === 'day') return evenSpan(dayMs, anchor ?? 0, now);
  if (per === 'week') return evenSpan(weekMs, anchor ?? mondayMs, now);
  if (per === 'month') return monthAt(anchor ?? 0, now);
  return { start: 0, end: neverMs };
}

function evenSpan(lengthMs: number, from: number, now: number): Span {
  const start = Math.floor((now - from) / lengthMs) * lengthMs + from;
  return { start, end: start + lengthMs };
}

function monthAt(anchor: number, now: number): Span {
  const at = new Date(now);
  const [year, month] = [at.getUTCFullYear(), at.getUTCMonth()];
  const start = monthStart(year, month, anchor);
  if (now < start) return { start: monthStart(year, month - 1, anchor), end: start };
  return { start, end: monthStart(year, month + 1, anchor) };
}

/** Where the period begins that begins in that month; `month` may lie outside a year. */
function monthStart(year: number, month: number, anchor: number): number {
  const from = new Date(anchor);
  const last = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  const day = Math.min(from.getUTCDate(), last);
  return Date.UTC(year, month, day) + (((anchor % dayMs) + dayMs) % dayMs);
}
