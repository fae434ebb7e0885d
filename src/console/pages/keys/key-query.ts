import { parseDuration } from '../../../time/time.ts';
import { filtersIn } from '../../markup/pager.ts';
import type { Fault } from '../../refusal.ts';

/** What the address of a list of keys says, by the names there; null for what it does not. */
export type Filters = Readonly<Record<string, string | null>>;

/** Filters of the REST API that have the same name here. */
const plainNames = [
  ...['search', 'name_contains', 'owner', 'scheme', 'environment', 'state', 'permission'],
  ...['role', 'external_id'],
];
/** Spans of time that begin or end when the first page was asked for, which `at` says on those after it. */
const spanNames = ['expires_within', 'unused_for'] as const;
export const filterNames: readonly string[] = [...plainNames, ...spanNames];

export const states = ['active', 'disabled', 'revoked', 'expired'];

/** Filters, and how the list is sorted. */
export function queryOf(query: URLSearchParams): Filters {
  return filtersIn(query, [...filterNames, 'sort', 'at']);
}

export function isFiltered(filters: Filters): boolean {
  return filterNames.some((name) => filters[name] != null);
}

/** Of what will expire, and of what nobody uses, those keys are meant that work, unless a state is asked for. */
export function stateOf(filters: Filters): string | null {
  const { state = null } = filters;
  if (state === null) return spanNames.some((name) => filters[name] != null) ? 'active' : null;
  return state === 'any' ? null : state;
}

/** The same as the REST API takes it in `filter`, and what of it is no span of time. */
export function apiFilters(
  filters: Filters,
  at: string,
): { readonly filter: Filters; readonly faults: readonly Fault[] } {
  const plain = Object.fromEntries(plainNames.map((name) => [name, filters[name] ?? null]));
  const time = (name: (typeof spanNames)[number], sign: 1 | -1) => {
    const ms = parseDuration(filters[name] ?? '');
    return ms === null ? null : `${new Date(Date.parse(at) + sign * ms).toISOString().slice(0, 19)}Z`;
  };
  const faults = spanNames
    .filter((name) => filters[name] != null && parseDuration(filters[name] ?? '') === null)
    .map((field) => ({ field, description: 'is not a span of time, such as 7d or 12h' }));
  const spans = { expires_before: time('expires_within', 1), unused_since: time('unused_for', -1) };
  return { filter: { ...plain, ...spans, state: stateOf(filters) }, faults };
}

/** When the first page of this list was asked for, to the second; null where that does not matter. */
export function asOf(filters: Filters, now: number): { readonly at: string; readonly kept: string | null } {
  const given = Date.parse(filters.at ?? '');
  const ms = Number.isNaN(given) || given > now ? now : given;
  const at = `${new Date(ms).toISOString().slice(0, 19)}Z`;
  return { at, kept: spanNames.some((name) => filters[name] != null) ? at : null };
}
