import type { Bucket } from '../../api-answers.ts';

const hourMs = 3_600_000;
const dayMs = 86_400_000;

/** What a plot spans: bars of an hour or of a day, and how far labels beneath them stand apart. */
export interface Span {
  readonly id: string;
  readonly name: string;
  readonly bar: 'hour' | 'day';
  readonly bars: number;
  /** Bars from one label to the next; a whole part of `bars`. */
  readonly labelEvery: number;
}

export const spans: readonly Span[] = [
  { id: '24', name: '24 hours', bar: 'hour', bars: 24, labelEvery: 6 },
  { id: '168', name: '7 days', bar: 'hour', bars: 168, labelEvery: 24 },
  { id: '720', name: '30 days', bar: 'day', bars: 30, labelEvery: 5 },
];

/** When the first bar begins, in Unix milliseconds. Those of more than a day begin with a day of UTC. */
export function beginningOf({ bar, bars }: Span, now: number): number {
  if (bar === 'hour' && bars <= 24) return (Math.floor(now / hourMs) - bars + 1) * hourMs;
  const days = bar === 'day' ? bars : bars / 24;
  return (Math.floor(now / dayMs) - days + 1) * dayMs;
}

/** One bar: what was counted in its time. */
export interface Bar {
  /** Unix milliseconds. */
  readonly start: number;
  readonly allowed: number;
  readonly denied: Readonly<Record<string, number>>;
  readonly observed: Readonly<Record<string, number>>;
  readonly total: number;
}

/** All bars of a span in their order, those without a request too. */
export function barsOf(buckets: readonly Bucket[], span: Span, now: number): readonly Bar[] {
  const barMs = span.bar === 'hour' ? hourMs : dayMs;
  const begin = beginningOf(span, now);
  const within = buckets.filter(({ start }) => Date.parse(start) >= begin);
  const places = Map.groupBy(within, ({ start }) => Math.floor((Date.parse(start) - begin) / barMs));
  return Array.from({ length: span.bars }, (_, at) => {
    const parts = places.get(at) ?? [];
    const allowed = sum(parts.map((part) => part.allowed));
    const denied = added(parts.map((part) => part.denied));
    const observed = added(parts.map((part) => part.observed));
    return {
      start: begin + at * barMs,
      allowed,
      denied,
      observed,
      total: allowed + sum(Object.values(denied)),
    };
  });
}

/** The end of a scale that holds this much, and a number that a person reads: 1, 2 or 5 and zeros. */
export function scaleEnd(most: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, most)));
  return [1, 2, 5, 10].map((step) => step * power).find((end) => end >= most) ?? most;
}

/** What a number is more or less than the one before, in words; null where there was none before. */
export function changeText(now: number, before: number): string | null {
  if (before === 0) return null;
  const part = (now - before) / before;
  if (now === before) return 'as many as';
  if (part >= 1) return `${(now / before).toFixed(part >= 9 ? 0 : 1)} times as many as`;
  const percent = Math.max(1, Math.round(Math.abs(part) * 100));
  return `${percent} % ${part > 0 ? 'more' : 'fewer'} than`;
}

/** The requests of this long until now, and of as long before; both of an hour that is under way in part. */
export function lastDays(
  buckets: readonly Bucket[],
  now: number,
): { readonly last: number; readonly before: number } {
  const hour = Math.floor(now / hourMs) * hourMs;
  const within = (from: number, to: number) =>
    sum(
      buckets
        .filter(({ start }) => Date.parse(start) > from && Date.parse(start) <= to)
        .map(({ allowed, denied }) => allowed + sum(Object.values(denied))),
    );
  return { last: within(hour - dayMs, hour), before: within(hour - 2 * dayMs, hour - dayMs) };
}

export function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

/** By reason, what several counts come to. */
export function added(counts: readonly Readonly<Record<string, number>>[]): Readonly<Record<string, number>> {
  const totals: Record<string, number> = {};
  for (const [reason, count] of counts.flatMap((each) => Object.entries(each))) {
    totals[reason] = (totals[reason] ?? 0) + count;
  }
  return totals;
}
