import type { Limit } from '../keys/limit.ts';
import { neverMs } from './period.ts';

/** How a caller stands with one limit. */
export interface Standing {
  readonly name: string;
  /** Units in each window or period. */
  readonly limit: number;
  /** Units left as far as is known, 0 or more. */
  readonly remaining: number;
  /** The length of this window or period in seconds; null for one without an end. */
  readonly lengthSeconds: number | null;
  /** When the next begins, Unix seconds; null for never. */
  readonly resetAt: number | null;
  /** Whole seconds until then, 1 or more; null for never. */
  readonly retryAfter: number | null;
}

/** How a caller stands with its limits, for its answer's headers. */
export interface RateVerdict extends Standing {
  readonly isAllowed: boolean;
  /** All limits, in their order. The members above are those of the one that is told where one is. */
  readonly standings: () => readonly Standing[];
  /** The limits themselves; the same list each time. */
  readonly limits: readonly Limit[];
}

/** What is known of one limit. */
export interface Known {
  readonly limit: Limit;
  readonly start: number;
  readonly end: number;
  readonly remaining: number;
}

export function standingOf({ limit, start, end, remaining }: Known, now: number): Standing {
  const isEndless = end === neverMs;
  return {
    name: limit.name,
    limit: limit.limit,
    remaining,
    lengthSeconds: isEndless ? null : Math.ceil((end - start) / 1_000),
    resetAt: isEndless ? null : Math.ceil(end / 1_000),
    retryAfter: isEndless ? null : Math.max(1, Math.ceil((end - now) / 1_000)),
  };
}

/** A verdict that is read later, when its windows may be others. */
export function kept(verdict: RateVerdict): RateVerdict {
  const standings = verdict.standings();
  return { ...verdict, standings: () => standings };
}

/** Whether a cost is more than what is left: of 0 it is, once nothing is. */
export function isShort(remaining: number, cost: number): boolean {
  return cost > remaining || remaining === 0;
}

/**
 * How much one limit is the one to tell, where the largest is told: on an allow that with the smallest share left, on a
 * denial, of those that are short of the cost, that which resets last. Of two alike the first is told.
 */
export function weightOf({ limit }: Limit, remaining: number, end: number, isAllowed: boolean): number {
  return isAllowed ? -remaining / limit : end;
}

/** The verdict on a cost, by what is known of each limit. */
export function judge(known: readonly Known[], cost: number, now: number): RateVerdict {
  const short = known.filter(({ remaining }) => isShort(remaining, cost));
  const isAllowed = short.length === 0;
  const weigh = ({ limit, remaining, end }: Known) => weightOf(limit, remaining, end, isAllowed);
  const told = (isAllowed ? known : short).reduce((first, one) => (weigh(one) > weigh(first) ? one : first));
  return {
    ...{ isAllowed, ...standingOf(told, now), limits: known.map(({ limit }) => limit) },
    standings: () => known.map((one) => standingOf(one, now)),
  };
}
