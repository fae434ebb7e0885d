import { addReasons, type OpenSum } from '../../store/usage/usage-ranking.ts';
import { bucketOf, type UsageQuery } from '../../store/usage/usage-sums.ts';
import type { Row } from '../statements.ts';

/** Adds a row of `usage_sums` or `usage_hours` to the sum that it belongs to. */
export function addRow(sums: Map<string, OpenSum>, query: UsageQuery, row: Row): void {
  // A query meets a row for each key and hour, of which most say of their denials that there were none.
  const start = bucketOf(query.interval, Number(row.start));
  const group = groupOf(query.group, row);
  const name = nameOf({ start, group });
  const known = sums.get(name);
  if (known === undefined) {
    sums.set(name, sumOf(query, row));
    return;
  }
  known.allowed += Number(row.allowed);
  if (row.denied !== '{}') {
    const denied = countsOf(row.denied);
    known.denials += denialsOf(row, denied);
    known.denied = addReasons(known.denied, denied);
  }
  if (row.observed !== '{}') known.observed = addReasons(known.observed, countsOf(row.observed));
}

/** By which a sum is told from others of its query. */
export function nameOf({ start, group }: Pick<OpenSum, 'start' | 'group'>): string {
  return `${start ?? ''} ${group === null ? '' : `=${group}`}`;
}

const none = Object.freeze({});

export function sumOf({ group, interval }: UsageQuery, row: Row): OpenSum {
  const denied = countsOf(row.denied);
  return {
    ...{ group: groupOf(group, row), start: bucketOf(interval, Number(row.start)) },
    ...{ allowed: Number(row.allowed), denied, observed: countsOf(row.observed) },
    denials: denialsOf(row, denied),
  };
}

function groupOf(group: UsageQuery['group'], { owner, item }: Row): string | null {
  if (group === 'none') return null;
  if (group === 'key') return String(item);
  if (group === 'owner') return owner === '' ? null : String(owner);
  const [plan, scheme, environment] = JSON.parse(String(item));
  return { plan, scheme, environment }[group];
}

function denialsOf({ denials }: Row, denied: OpenSum['denied']): number {
  return denials === undefined ? totalOf(denied) : Number(denials);
}

function countsOf(text: unknown): OpenSum['denied'] {
  return text === '{}' ? none : JSON.parse(String(text));
}

function totalOf(counts: OpenSum['denied']): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
