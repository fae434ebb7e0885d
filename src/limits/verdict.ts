import type { Limit } from '../keys/limit.ts';
import { neverMs, type Span } from './period.ts';

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
  standings(): readonly Standing[];
  /** The limits themselves; the same list each time. */
  readonly limits: readonly Limit[];
}

/** What is known of one limit, in the window or period that a request came in. */
export interface Known extends Span {
  readonly limit: Limit;
  readonly remaining: number;
}

/**
 * All that a Check of a key with one limit makes, by one constructor: one that calls another is no longer made part of
 * the code around it.
 */
class Verdict implements RateVerdict {
  readonly isAllowed: boolean;
  readonly limits: readonly Limit[];
  readonly name: string;
  readonly limit: number;
  readonly remaining: number;
  readonly lengthSeconds: number | null;
  readonly resetAt: number | null;
  readonly retryAfter: number | null;

  constructor(limits: readonly Limit[], told: Limit, known: Remaining, isAllowed: boolean, now: number) {
    const { start, end } = known.span;
    const isEndless = end === neverMs;
    this.isAllowed = isAllowed;
    this.limits = limits;
    this.name = told.name;
    this.limit = told.limit;
    this.remaining = known.remaining;
    this.lengthSeconds = isEndless ? null : Math.ceil((end - start) / 1_000);
    this.resetAt = isEndless ? null : Math.ceil(end / 1_000);
    this.retryAfter = isEndless ? null : Math.max(1, Math.ceil((end - now) / 1_000));
  }

  standings(): readonly Standing[] {
    return [this];
  }
}

interface Remaining {
  readonly span: Span;
  readonly remaining: number;
}

/** The verdict on a cost of a sole limit. */
export function verdictOnOne(
  limits: readonly Limit[],
  known: Remaining,
  isAllowed: boolean,
  now: number,
): RateVerdict {
  return new Verdict(limits, limits[0] as Limit, known, isAllowed, now);
}

/** The verdict on a cost of several limits, by what is known of each, in their order. */
export function verdictOnSeveral(
  known: readonly Known[],
  limits: readonly Limit[],
  { isAllowed, cost }: { readonly isAllowed: boolean; readonly cost: number },
  now: number,
): RateVerdict {
  const weigh = ({ limit, remaining, end }: Known) => weightOf(limit, remaining, end, isAllowed);
  const short = isAllowed ? known : known.filter(({ remaining }) => isShort(remaining, cost));
  const told = (short.length === 0 ? known : short).reduce((first, one) =>
    weigh(one) > weigh(first) ? one : first,
  );
  const verdictOf = (one: Known): RateVerdict =>
    new Verdict(limits, one.limit, { span: one, remaining: one.remaining }, isAllowed, now);
  return Object.assign(verdictOf(told), { standings: () => known.map(verdictOf) });
}

/** Whether a cost is more than what is left: of 0 it is, once nothing is. */
export function isShort(remaining: number, cost: number): boolean {
  return cost > remaining || remaining === 0;
}

/**
 * How much one limit is the one to tell, where the largest is told: on an allow that with the smallest share left, on a
 * denial, of those that are short of the cost, that which resets last. Of two alike the first is told.
 */
function weightOf({ limit }: Limit, remaining: number, end: number, isAllowed: boolean): number {
  return isAllowed ? -remaining / limit : end;
}

/** The verdict on a cost, by what is known of each limit. */
export function judge(known: readonly Known[], cost: number, now: number): RateVerdict {
  const isAllowed = known.every(({ remaining }) => !isShort(remaining, cost));
  const limits = known.map(({ limit }) => limit);
  return verdictOnSeveral(known, limits, { isAllowed, cost }, now);
}
