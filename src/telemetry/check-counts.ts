import type { Decision, Denied } from '../check/authorize.ts';
import type { Reason } from '../schemes/answer.ts';

/** Counts of Checks as plain numbers: the metrics library takes 0.2 µs for a labelled counter, this 0.01. */
export interface CheckCounts {
  count(decision: Decision): void;
  /** What was counted, by the labels of `postern_checks_total`; the reason of an allow is empty. */
  entries(): Iterable<CheckCount>;
  /** How often each limit denied a Check. */
  limited(): readonly LimitCount[];
}

export interface CheckCount {
  readonly decision: 'allow' | 'deny' | 'observed';
  readonly reason: Reason | '';
  /** Empty where no key was looked for. */
  readonly scheme: string;
  readonly count: number;
}

/** The name of a limit of a plan, of which the settings have so many; empty for one of a key itself, which may have any. */
function limitOf({ key, rate }: Denied): string {
  return rate === null || key === null || key.rateLimits.length > 0 ? '' : rate.name;
}

/** Names that are counted, of all settings that held since the start. */
const limitsMax = 1_000;

/** The name is empty for limits of keys themselves. */
export type LimitCount = readonly [limit: string, denials: number];

interface SchemeCounts {
  allowed: number;
  readonly denied: Map<Reason, number>;
  /** What would have been denied, were it not observed alone. */
  readonly observed: Map<Reason, number>;
}

export function createCheckCounts(): CheckCounts {
  let publicCount = 0;
  const limited = new Map<string, number>();
  const bySchemes = new Map<string, SchemeCounts>();

  return {
    count(decision) {
      if (decision.verdict === 'public') {
        publicCount++;
        return;
      }
      const judged = decision.verdict === 'observe' ? decision.would : decision;
      const { name } = judged.scheme;
      let ofScheme = bySchemes.get(name);
      if (ofScheme === undefined) {
        ofScheme = { allowed: 0, denied: new Map(), observed: new Map() };
        bySchemes.set(name, ofScheme);
      }
      if (judged.verdict === 'allow') {
        ofScheme.allowed++;
        return;
      }
      const counts = decision.verdict === 'observe' ? ofScheme.observed : ofScheme.denied;
      counts.set(judged.reason, (counts.get(judged.reason) ?? 0) + 1);
      if (decision.verdict !== 'deny' || decision.reason !== 'rate_limited') return;
      const limit = limitOf(decision);
      if (limited.has(limit) || limited.size < limitsMax) limited.set(limit, (limited.get(limit) ?? 0) + 1);
    },
    limited: () => [...limited],
    *entries() {
      if (publicCount > 0) yield { decision: 'allow', reason: '', scheme: '', count: publicCount };
      for (const [scheme, { allowed, denied, observed }] of bySchemes) {
        if (allowed > 0) yield { decision: 'allow', reason: '', scheme, count: allowed };
        for (const [reason, count] of denied) yield { decision: 'deny', reason, scheme, count };
        for (const [reason, count] of observed) yield { decision: 'observed', reason, scheme, count };
      }
    },
  };
}

/** How many observations fell into each of some buckets, and their sum. */
export class Buckets {
  /** Upper bounds, ascending; what is above the last has a bucket of its own. */
  readonly bounds: readonly number[];
  readonly counts: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Array(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    const { bounds } = this;
    let bucket = 0;
    // The first bucket holds nearly all.
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++;
    this.counts[bucket] = (this.counts[bucket] as number) + 1;
    this.sum += value;
  }
}
