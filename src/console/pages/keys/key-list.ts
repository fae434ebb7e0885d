import type { Bucket, Key, KeyPage } from '../../api-answers.ts';
import { html, type Markup, path } from '../../markup/markup.ts';
import { apiQuery, type Place, pagerMarkup, placeIn } from '../../markup/pager.ts';
import { emptyState, grouped, menu } from '../../markup/parts.ts';
import { type Fault, faultsIn, Refusal } from '../../refusal.ts';
import type { Page, Redirect, View, Visit } from '../../session/visit.ts';
import { countKeys } from '../owners/owner-figures.ts';
import { someOwners } from '../owners/owner-search.ts';
import { filterChips } from './key-filters.ts';
import { apiFilters, asOf, type Filters, filterNames, isFiltered, queryOf } from './key-query.ts';
import { keyTable, sinceOf } from './key-rows.ts';

const pageSize = 50;
const ownerLengthMax = 128;
/** As far as keys are counted. */
const countMax = 10_000;

/** All keys that the caller may see, the newest first unless the address says otherwise. */
export const keyListPage: Page = { path: '/keys', isFormSecret: true, get: listKeys, post: search };

async function listKeys(visit: Visit): Promise<View | Redirect> {
  const { query } = visit;
  return listView(visit, queryOf(query), placeIn(query));
}

/** A form, so that a whole key that somebody searches for gets into no address: it leads to the page of its key. */
async function search(visit: Visit): Promise<View | Redirect> {
  const { api, form } = visit;
  const filters = Object.fromEntries(filterNames.map((name) => [name, form.text(name) || null]));
  const place = { token: '', trail: [] };
  const query = apiQuery(apiFilters(filters, new Date(visit.now).toISOString()).filter, place, 1);
  const faults = await api.keys(query).then(() => [], faultsIn);
  if (!faults.some(({ field }) => field === 'search')) return { redirect: path(['keys'], filters) };
  try {
    const { data } = await api.call<{ data: Key }>('POST', 'api-keys:find', { key: filters.search });
    return { redirect: path(['keys', data.id]) };
  } catch (error) {
    if (!(error instanceof Refusal && error.reason === 'KEY_NOT_FOUND')) throw error;
    return listView(visit, filters, place);
  }
}

async function listView(visit: Visit, filters: Filters, place: Place): Promise<View | Redirect> {
  const { api, now } = visit;
  const { at, kept } = asOf(filters, now);
  const { filter, faults: spanFaults } = apiFilters(filters, at);
  let faults: readonly Fault[] = spanFaults;
  const nothing: KeyPage = { data: [], next_page_token: null, total_size: 0 };
  const asked = { ...filter, order_by: filters.sort ?? null, include_total: 'true' };
  const [found, owners] = await Promise.all([
    api.keys(apiQuery(asked, place, pageSize)).catch((error: unknown) => {
      faults = [...faultsIn(error), ...spanFaults];
      return nothing;
    }),
    someOwners(visit),
  ]);
  const { data, next_page_token, total_size: total = 0 } = faults.length > 0 ? nothing : found;
  const named = faults.length > 0 ? null : await ownerNamed(visit, filters);
  if (named !== null && total === 0) return { redirect: named.href };
  const isNew = faults.length === 0 && data.length === 0 && !isFiltered(filters);
  return {
    title: 'API Keys',
    status: faults.length > 0 ? 400 : 200,
    ...(!isNew && faults.length === 0 && { total: totalText(total) }),
    actions: isNew ? null : listActions(visit, filters, total),
    main: isNew
      ? noKeys(visit)
      : html`${alert(faults)} ${tools(visit, shownFilters(filters, faults), owners)}
          ${named === null ? null : html`<p><a href=${named.href}>${grouped(named.count)} API keys of the owner ${filters.search}</a></p>`}
          ${await listed(visit, data, filters, faults)}
          ${pagerMarkup(['keys'], { ...filters, at: kept }, place, next_page_token)}`,
  };
}

/** The owner whose id is searched for, by the list of its keys; null where there is none with keys. */
async function ownerNamed(
  { api, terms }: Visit,
  filters: Filters,
): Promise<{ readonly href: string; readonly count: number } | null> {
  const { search = null, owner = null, at: _, ...others } = filters;
  if (search === null || owner !== null || terms.owner !== null || search.length > ownerLengthMax)
    return null;
  // What can be no owner's id is refused for its field.
  const count = await countKeys(api, search).catch(none);
  return count === 0 ? null : { href: path(['keys'], { ...others, owner: search }), count };
}

function totalText(total: number): string {
  return total > countMax ? `more than ${grouped(countMax)}` : grouped(total);
}

/** What may be a whole key is not shown again. */
function shownFilters(filters: Filters, faults: readonly Fault[]): Filters {
  return faults.some(({ field }) => field === 'search') ? { ...filters, search: null } : filters;
}

function alert(faults: readonly Fault[]): Markup {
  if (faults.length === 0) return null;
  const named = faults.map(({ field, description }) => ({
    ...{ field: field === 'order_by' ? 'sort' : field, description },
  }));
  return html`<div class="alert" role="alert">
    <p>This list cannot be shown as asked for.</p>
    ${named.map(({ field, description }) => html`<p>${field}: <span id=${`${field}-error`}>${description}</span></p>`)}
  </div>`;
}

function createLink(): Markup {
  return html`<a class="button primary" href="/console/keys/new">Create API key</a>`;
}

function listActions({ canWrite }: Visit, filters: Filters, total: number): Markup {
  if (!canWrite) return null;
  const { at: _, sort: __, ...chosen } = filters;
  const many = isFiltered(filters) && total > 0;
  return html`${createLink()}
  ${
    many
      ? menu('All API keys of this list', [
          html`<a href=${path(['keys', 'disable'], chosen)}>Disable all ${totalText(total)}</a>`,
          html`<a class="danger" href=${path(['keys', 'revoke'], chosen)}>Revoke all ${totalText(total)}</a>`,
        ])
      : null
  }`;
}

/** Filters, and what is done with the keys that are chosen; seen once one is. */
function tools(visit: Visit, filters: Filters, owners: readonly string[]): Markup {
  const acts = html`<form id="chosen" class="chosen" method="get" action="/console/keys/revoke">
    <span data-chosen>Selected</span>
    <button class="quiet small" formaction="/console/keys/disable">Disable…</button>
    <button class="danger small">Revoke…</button>
  </form>`;
  return html`<div class="tools">${filterChips(visit, filters, owners)} ${visit.canWrite ? acts : null}</div>`;
}

async function listed(
  visit: Visit,
  keys: readonly Key[],
  filters: Filters,
  faults: readonly Fault[],
): Promise<Markup> {
  if (faults.length > 0) return null;
  if (keys.length > 0) return keyTable(visit, keys, filters, await usageOf(visit, keys));
  const hint =
    filters.search == null
      ? 'Take a filter away to see more.'
      : 'The search looks at names, ids, owners, labels (team=grid, or grid), and what is shown of a key: its beginning and its last four.';
  return emptyState(
    'No API key matches.',
    hint,
    html`<a class="button" href="/console/keys">Show all API keys</a>`,
  );
}

/** Of the last day; null for who may not see it. */
async function usageOf(
  { api, may, now }: Visit,
  keys: readonly Key[],
): Promise<ReadonlyMap<string, readonly Bucket[]> | null> {
  if (!may('GetKeyUsage')) return null;
  const used = keys.filter(({ last_used_at: at }) => at !== null && at >= sinceOf(now));
  const usages = used.map(async ({ id }) => [id, (await api.usage(id, sinceOf(now))).buckets] as const);
  return new Map(await Promise.all(usages));
}

function noKeys({ canWrite }: Visit): Markup {
  return canWrite
    ? emptyState(
        'There are no API keys yet.',
        'Create the first one: its secret is shown once, and this list then says when it is used and when it expires.',
        createLink(),
      )
    : emptyState('There are no API keys yet.', 'Who may make keys will see them here, and so will you.');
}

/** Throws what is no refusal for its fields. */
function none(error: unknown): number {
  faultsIn(error);
  return 0;
}
