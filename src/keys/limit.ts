/** The short form of a limit: one window, for one key. */
export interface RateLimit {
  /** Units per window, 1 or more. */
  readonly limit: number;
  readonly windowMs: number;
}

/** A calendar period in UTC, or from an owner's billing anchor; `total` never ends. */
export const periods = ['day', 'week', 'month', 'total'] as const;
export type Period = (typeof periods)[number];

/** So many units in each window or period. */
export interface Limit {
  /** Unique in its list. */
  readonly name: string;
  /** Units, 1 or more. */
  readonly limit: number;
  /** The length of a window in milliseconds, or a period. */
  readonly per: number | Period;
  /** Whose counter a key spends from: its own and its successors', or that of all keys of its owner. */
  readonly sharedBy: 'key' | 'owner';
}

/** The name of a sole limit that was given none. */
export const defaultLimitName = 'default';
export const limitMax = 1e15;
export const limitsPerListMax = 8;

export const noLimits: readonly Limit[] = [];

/** `{limit, window}` as a list of one. */
export function limitsOfShort({ limit, windowMs }: RateLimit): readonly Limit[] {
  return [{ name: defaultLimitName, limit, per: windowMs, sharedBy: 'key' }];
}

/** The short form of a list, which says all of it or is null. */
export function shortOfLimits(limits: readonly Limit[]): RateLimit | null {
  const [only, ...others] = limits;
  if (only === undefined || others.length > 0) return null;
  const { name, limit, per, sharedBy } = only;
  const isPlain = name === defaultLimitName && sharedBy === 'key' && typeof per === 'number';
  return isPlain ? { limit, windowMs: per } : null;
}

const dayMs = 86_400_000;
/** The shortest that each period can be; a total is as one of a century. */
const shortestMs: Readonly<Record<Period, number>> = {
  day: dayMs,
  week: 7 * dayMs,
  month: 28 * dayMs,
  total: 36_525 * dayMs,
};

/** The length of a window, or the least that a period can have, in milliseconds. */
export function leastLengthMs({ per }: Pick<Limit, 'per'>): number {
  return typeof per === 'number' ? per : shortestMs[per];
}

/** The limit of a list that admits the fewest in the long run; null for none. */
export function slowest(limits: readonly Limit[]): Limit | null {
  let least: Limit | null = null;
  for (const limit of limits) {
    if (least === null || limit.limit / leastLengthMs(limit) < least.limit / leastLengthMs(least))
      least = limit;
  }
  return least;
}

/**
 * What a release that knows one window alone is to judge by: the short form, or of several limits the one that admits
 * the fewest.
 */
export function fallbackOfLimits(limits: readonly Limit[]): RateLimit | null {
  const least = slowest(limits);
  return least === null ? null : { limit: least.limit, windowMs: leastLengthMs(least) };
}

/**
 * The list that was stored beside its {@link fallbackOfLimits}. Where that is another by now, a release that knows no
 * lists has written it, and it holds.
 */
export function storedLimits(list: unknown, fallback: unknown): unknown {
  const isCurrent = Array.isArray(list) && list.every(isLimit);
  if (isCurrent && isSameShort(fallbackOfLimits(list), fallback)) return list;
  if (list !== null && list !== undefined && !isCurrent) return list;
  if (fallback === null) return noLimits;
  return isShort(fallback) ? limitsOfShort(fallback) : fallback;
}

/** Whether a value that was stored is a limit. */
export function isLimit(value: unknown): value is Limit {
  if (typeof value !== 'object' || value === null) return false;
  const { name, limit, per, sharedBy } = value as Record<string, unknown>;
  const isPeriod = isCount(per) || (periods as readonly unknown[]).includes(per);
  return (
    typeof name === 'string' && isCount(limit) && isPeriod && (sharedBy === 'key' || sharedBy === 'owner')
  );
}

function isSameShort(short: RateLimit | null, other: unknown): boolean {
  if (short === null || !isShort(other)) return short === other;
  return short.limit === other.limit && short.windowMs === other.windowMs;
}

function isShort(value: unknown): value is RateLimit {
  if (typeof value !== 'object' || value === null) return false;
  const { limit, windowMs } = value as Record<string, unknown>;
  return isCount(limit) && isCount(windowMs);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 1;
}

/** Whether the second list may give less than the first; none is what the plan gives, and so may be less or more. */
export function narrowsLimits(before: readonly Limit[], after: readonly Limit[]): boolean {
  if (before.length === 0 || after.length === 0) return before.length !== after.length;
  return after.some((limit) => {
    const was = before.find(({ name }) => name === limit.name);
    return (
      was === undefined || was.per !== limit.per || was.sharedBy !== limit.sharedBy || limit.limit < was.limit
    );
  });
}
