const hourMs = 3_600_000;
const dayMs = 86_400_000;

/** What is looked at, and as long a time before it, both of whole hours. */
export interface Span {
  readonly name: string;
  readonly label: string;
  /** What the time before is called. */
  readonly before: string;
  readonly bar: 'hour' | 'day';
  /** Unix milliseconds, the last exclusive. */
  readonly since: number;
  readonly until: number;
}

export const spanNames = ['today', 'yesterday', 'week'] as const;
export type SpanName = (typeof spanNames)[number];

/** The last 24 hours, the last whole day of UTC, or the last seven times 24 hours. */
export function spanOf(name: SpanName, now: number): Span {
  const hourEnd = (Math.floor(now / hourMs) + 1) * hourMs;
  const today = Math.floor(now / dayMs) * dayMs;
  const spans: Readonly<Record<SpanName, Omit<Span, 'name'>>> = {
    today: {
      ...{ label: 'Last 24 hours', before: 'the 24 hours before', bar: 'hour' },
      ...{ since: hourEnd - dayMs, until: hourEnd },
    },
    yesterday: {
      ...{ label: 'Yesterday', before: 'the day before', bar: 'hour', since: today - dayMs, until: today },
    },
    week: {
      ...{ label: 'Last 7 days', before: 'the 7 days before', bar: 'day' },
      ...{ since: today - 6 * dayMs, until: today + dayMs },
    },
  };
  return { name, ...spans[name] };
}

/** The time up to now of that length, such as `24h` or `30d`: by hours up to a day, then by days of UTC. */
export function timeRange(length: string, label: string, now: number): Span {
  const ms = (length.endsWith('h') ? hourMs : dayMs) * Number.parseInt(length, 10);
  const bar = ms <= dayMs ? 'hour' : 'day';
  const unit = bar === 'hour' ? hourMs : dayMs;
  const until = (Math.floor(now / unit) + 1) * unit;
  return { name: length, label, before: 'the time before', bar, since: until - ms, until };
}

/** The time before a span, as long as it. */
export function before({ since, until }: Span): { readonly since: number; readonly until: number } {
  return { since: since - (until - since), until: since };
}

export function barMs({ bar }: Span): number {
  return bar === 'hour' ? hourMs : dayMs;
}

/** How much more or less than before, in words; null where there is nothing to compare. */
export function changeText(now: number, before: number): string | null {
  if (before === 0) return now === 0 ? null : 'new';
  if (now === before) return 'as before';
  const factor = now / before;
  if (factor >= 2) return `${factor.toFixed(factor < 10 ? 1 : 0)} times as many`;
  const percent = Math.round(Math.abs(factor - 1) * 100);
  if (percent === 0) return 'as before';
  return `${factor > 1 ? '+' : '−'}${percent} %`;
}
