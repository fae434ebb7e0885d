import { type Limit, noLimits } from '../keys/limit.ts';
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

class LimitStanding implements Standing {
  readonly name: string;
  readonly limit: number;
  readonly remaining: number;
  readonly lengthSeconds: number | null;
  readonly resetAt: number | null;
  readonly retryAfter: number | null;

  constructor({ name, limit }: Limit, { start, end }: Span, remaining: number, now: number) {
    const isEndless = end === neverMs;
    this.name = name;
    this.limit = limit;
    this.remaining = remaining;
    this.lengthSeconds = isEndless ? null : Math.ceil((end - start) / 1_000);
    this.resetAt = isEndless ? null : Math.ceil(end / 1_000);
    this.retryAfter = isEndless ? null : Math.max(1, Math.ceil((end - now) / 1_000));
  }
}

/** On one limit: all that a Check of a key with a limit makes. */
class Verdict extends LimitStanding implements RateVerdict {
  isAllowed = true;
  limits: readonly Limit[] = noLimits;

  standings(): readonly Standing[] {
    return [this];
  }
}

class VerdictOnSeveral extends Verdict {
  readonly #standings: () => readonly Standing[];

  constructor(told: Known, now: number, standings: () => readonly Standing[]) {
    super(told.limit, told, told.remaining, now);
    this.#standings = standings;
  }

  override standings(): readonly Standing[] {
    return this.#standings();
  }
}

/** The verdict on a cost of a sole limit. */
export function verdictOnOne(
  limits: readonly Limit[],
  { span, remaining }: { readonly span: Span; readonly remaining: number },
  isAllowed: boolean,
  now: number,
): RateVerdict {
  const verdict = new Verdict(limits[0] as Limit, span, remaining, now);
  verdict.isAllowed = isAllowed;
  verdict.limits = limits;
  return verdict;
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
  const standings = () => known.map((one) => new LimitStanding(one.limit, one, one.remaining, now));
  const verdict = new VerdictOnSeveral(told, now, standings);
  verdict.isAllowed = isAllowed;
  verdict.limits = limits;
  return verdict;
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
