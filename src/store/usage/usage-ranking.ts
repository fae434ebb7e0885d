import type { Reason } from '../../schemes/answer.ts';
import type { UsageOrder, UsagePlace, UsageQuery, UsageSum } from './usage-sums.ts';

/** A sum that is added to. */
export interface OpenSum extends UsagePlace {
  readonly group: string | null;
  readonly start: number | null;
  allowed: number;
  denials: number;
  denied: Readonly<Partial<Record<Reason, number>>>;
  observed: Readonly<Partial<Record<Reason, number>>>;
}

/** The first sums in the order of a query. */
export interface Ranking {
  add(sum: OpenSum): void;
  /** A sum with less of what is ordered by than this is none of them. */
  least(): number;
  /** In their order. */
  first(): UsageSum[];
}

/** Of so many more than asked for the last are dropped, all at once. */
const spare = 1_000;

export function createRanking({ order, size, after }: Pick<UsageQuery, 'order' | 'size' | 'after'>): Ranking {
  const compare = comparing(order);
  let kept: OpenSum[] = [];
  let least = 0;

  function cut(): void {
    kept = kept.sort(compare).slice(0, size);
    const last = kept.at(size - 1);
    if (last !== undefined && order !== 'start') least = rankOf(order, last);
  }

  return {
    add(sum) {
      if (after !== null && compare(sum, after) <= 0) return;
      kept.push(sum);
      if (kept.length >= size + spare) cut();
    },
    least: () => least,
    first() {
      cut();
      return kept.map(({ group, start, allowed, denied, observed }) => {
        return { group, start, allowed, denied, observed };
      });
    },
  };
}

function rankOf(order: UsageOrder, { allowed, denials }: UsagePlace): number {
  return order === 'denied' ? denials : allowed;
}

function comparing(order: UsageOrder): (one: UsagePlace, other: UsagePlace) => number {
  const byRank = (one: UsagePlace, other: UsagePlace) => rankOf(order, other) - rankOf(order, one);
  const byStart = (one: UsagePlace, other: UsagePlace) => (other.start ?? 0) - (one.start ?? 0);
  return order === 'start'
    ? (one, other) => byStart(one, other) || byRank(one, other) || byGroup(one, other)
    : (one, other) => byRank(one, other) || byStart(one, other) || byGroup(one, other);
}

function byGroup({ group: one }: UsagePlace, { group: other }: UsagePlace): number {
  if (one === other) return 0;
  if (one === null || other === null) return one === null ? -1 : 1;
  return one < other ? -1 : 1;
}

/** Adds counts by reason; the first is as it was. */
export function addReasons(
  one: OpenSum['denied'],
  other: Readonly<Partial<Record<string, number>>>,
): OpenSum['denied'] {
  let sums: Record<string, number> | null = null;
  for (const [reason, count] of Object.entries(other)) {
    sums ??= { ...one };
    sums[reason] = (sums[reason] ?? 0) + (count ?? 0);
  }
  return sums ?? one;
}
