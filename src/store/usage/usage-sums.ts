import type { Reason } from '../../schemes/answer.ts';

export const usageGroups = ['none', 'key', 'owner', 'plan', 'scheme', 'environment'] as const;
/** What use is added up by. */
export type UsageGroup = (typeof usageGroups)[number];

export const usageUnits = ['hour', 'day', 'month'] as const;
/** Of the calendar in UTC. */
export type UsageUnit = (typeof usageUnits)[number];

export const usageIntervals = [...usageUnits, 'all'] as const;
/** Over how long; `all` is the whole time asked for. */
export type UsageInterval = (typeof usageIntervals)[number];

export const usageOrders = ['allowed', 'denied', 'start'] as const;
/** The most first, and then the newest; or with `start` the newest first, and then the most. */
export type UsageOrder = (typeof usageOrders)[number];

export interface UsageQuery {
  readonly group: UsageGroup;
  readonly interval: UsageInterval;
  /**
   * Unix milliseconds, from the hour that holds it on; where hours are not kept any more, from its day or month on, as
   * are `until` and those that it holds.
   */
  readonly since: number;
  /** Up to the hour that holds it, with it unless it begins then. */
  readonly until: number;
  /** With keys of this owner alone; null for all. */
  readonly owner: string | null;
  readonly order: UsageOrder;
  /** At most so many. */
  readonly size: number;
  /** The last that came before; null for the first page. */
  readonly after: UsagePlace | null;
}

/** What all keys of a group were used for within one interval. */
export interface UsageSum {
  /** Null where nothing is grouped by, and for keys that have no owner or no plan. */
  readonly group: string | null;
  /** Unix milliseconds; null for `all`. */
  readonly start: number | null;
  readonly allowed: number;
  readonly denied: Readonly<Partial<Record<Reason, number>>>;
  readonly observed: Readonly<Partial<Record<Reason, number>>>;
}

/** Where a list of sums ends. */
export interface UsagePlace extends Pick<UsageSum, 'group' | 'start' | 'allowed'> {
  /** How many in all. */
  readonly denials: number;
}

/** What keys were used for, by what they were: a part of the store's contract, which the same suite holds. */
export interface UsageSumStore {
  /**
   * What was recorded, added up, where there was something; no older than `getUsage`. What a key was is what its tallies
   * say of it, else what it is when they are written. Days are kept 400 days, months ten years, hours as `getUsage` has them.
   */
  sumUsage(query: UsageQuery): Promise<UsageSum[]>;
}

export const hourMs = 3_600_000;
export const dayMs = 24 * hourMs;

/** How long sums are kept after what they are of began. */
export const sumRetentionMs: Readonly<Record<UsageUnit, number>> = {
  hour: 90 * dayMs,
  day: 400 * dayMs,
  month: 3_653 * dayMs,
};

/** What sums are kept of: each key, each owner's keys by what they are, and all keys by what they are. */
export type SumLevel = 'key' | 'owner' | 'all';

/** Sums that are to be added up: all of this unit that begin from `from` on and before `to`. */
export interface SumRange {
  readonly unit: UsageUnit;
  readonly from: number;
  readonly to: number;
}

export function levelOf({ group, owner }: Pick<UsageQuery, 'group' | 'owner'>): SumLevel {
  if (group === 'key') return 'key';
  return group === 'owner' || owner !== null ? 'owner' : 'all';
}

/** The start of the hour, day or month that holds the time. */
export function startOf(unit: UsageUnit, at: number): number {
  if (unit === 'hour') return Math.floor(at / hourMs) * hourMs;
  if (unit === 'day') return Math.floor(at / dayMs) * dayMs;
  const date = new Date(at);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1);
}

/** The start of the one after that which holds the time. */
export function nextStart(unit: UsageUnit, at: number): number {
  const start = startOf(unit, at);
  if (unit === 'hour') return start + hourMs;
  if (unit === 'day') return start + dayMs;
  const date = new Date(start);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1);
}

/** The interval that begins then holds the time; null for `all`. */
export function bucketOf(interval: UsageInterval, at: number): number | null {
  return interval === 'all' ? null : startOf(interval, at);
}

/**
 * Few sums that together are what was asked for, none twice: months where a whole month is asked for, days where a whole
 * day is, and hours at the ends. Nothing is of a time to come, so that what now holds is whole if it is asked for up to now.
 */
export function rangesOf(
  { interval, since, until }: Pick<UsageQuery, 'interval' | 'since' | 'until'>,
  now: number,
): SumRange[] {
  const units: UsageUnit[] =
    interval === 'hour' ? ['hour'] : interval === 'day' ? ['day', 'hour'] : ['month', 'day', 'hour'];
  const coarsest = units[0] as UsageUnit;
  const end = until > startOf('hour', now) ? Number.POSITIVE_INFINITY : until;
  const from = Math.max(since, startOf(coarsest, now - sumRetentionMs[coarsest]));
  const limit = nextStart('month', now + dayMs);
  return cover(
    units,
    atEdge(from, units, now, 'from'),
    Math.min(atEdge(end, units, now, 'to'), limit),
    limit,
  );
}

/** The time, widened to what is still kept of it. */
function atEdge(at: number, units: readonly UsageUnit[], now: number, side: 'from' | 'to'): number {
  if (!Number.isFinite(at)) return at;
  const kept = units.toReversed().find((unit) => at >= startOf(unit, now - sumRetentionMs[unit]));
  const unit = kept ?? (units[0] as UsageUnit);
  return side === 'from' || startOf(unit, at) === at ? startOf(unit, at) : nextStart(unit, at);
}

function cover(units: readonly UsageUnit[], from: number, to: number, limit: number): SumRange[] {
  const [unit, ...finer] = units;
  if (unit === undefined || from >= to) return [];
  const first = startOf(unit, from) === from ? from : nextStart(unit, from);
  const last = to === limit ? to : startOf(unit, to);
  if (finer.length === 0) return [{ unit, from, to }];
  if (first >= last) return cover(finer, from, to, limit);
  return [
    ...cover(finer, from, first, limit),
    { unit, from: first, to: last },
    ...(last < to ? cover(finer, last, to, limit) : []),
  ];
}
