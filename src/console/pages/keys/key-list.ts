import type { Terms } from '../../../admin/terms-operations.ts';
import type { Page as Answer, Key } from '../../api-answers.ts';
import { type Field, faultSummary, selectField, textField } from '../../markup/controls.ts';
import { type Element, html, type Markup, path, stateMark, timeMarkup } from '../../markup/markup.ts';
import { apiQuery, filtersIn, type Place, pagerMarkup, placeIn } from '../../markup/pager.ts';
import { type Row, tableMarkup } from '../../markup/table.ts';
import { type Fault, faultsIn, Refusal } from '../../refusal.ts';
import type { Page, Redirect, View, Visit } from '../../session/visit.ts';

const pageSize = 50;
const filterNames = [
  'search',
  'name_contains',
  'owner',
  'scheme',
  'environment',
  'state',
  'permission',
  'role',
  'external_id',
];
const states = ['active', 'disabled', 'revoked', 'expired'];

/** All keys that the caller may see, the newest first. */
export const keyListPage: Page = { path: '/keys', isFormSecret: true, get: listKeys, post: search };

async function listKeys(visit: Visit): Promise<View> {
  const { query } = visit;
  return listView(visit, filtersIn(query, filterNames), placeIn(query));
}

/** A form, so that a whole key that somebody searches for gets into no address: it leads to the page of its key. */
async function search(visit: Visit): Promise<View | Redirect> {
  const { api, form } = visit;
  const filters = Object.fromEntries(filterNames.map((name) => [name, form.text(name) || null]));
  const place = { token: '', trail: [] };
  const query = apiQuery(filters, place, 1);
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

async function listView(
  { api, terms, canWrite, may, token }: Visit,
  filters: Filters,
  place: Place,
): Promise<View> {
  let faults: readonly Fault[] = [];
  const nothing: Answer<Key> = { data: [], next_page_token: null };
  const found = await api.keys(apiQuery(filters, place, pageSize)).catch((error: unknown) => {
    faults = faultsIn(error);
    return nothing;
  });
  return {
    title: 'API Keys',
    status: faults.length > 0 ? 400 : 200,
    main: html`${canWrite ? html`<p><a class="button" href="/console/keys/new">Create API key</a></p>` : null}
    ${filterForm(terms, token, filters, faults)} ${faults.length > 0 ? null : table(found.data, filters, { canWrite, may })}
    ${pagerMarkup(['keys'], filters, place, found.next_page_token)}`,
  };
}

type Filters = Readonly<Record<string, string | null>>;

function filterForm(
  { schemes, owner }: Terms,
  token: string,
  filters: Filters,
  faults: readonly Fault[],
): Element {
  const field = (name: string, label: string): Field => {
    // What may be a whole key is not shown again.
    const isKept = name !== 'search' || !faults.some((fault) => fault.field === name);
    return { name, label, value: isKept ? (filters[name] ?? '') : '', faults };
  };
  const any = { value: '', text: 'Any' };
  const choices = (values: readonly string[]) => [any, ...values.map((value) => ({ value, text: value }))];
  const environments = [...new Set(schemes.flatMap(({ environments }) => environments))];
  const isFiltered = Object.values(filters).some((value) => value !== null);
  return html`<form class="filters" role="search" aria-label="API keys" method="post" action="/console/keys">
    ${faultSummary(faults, filterNames)}
    <input type="hidden" name="token" value=${token} />
    ${textField(field('search', 'Search'), {
      ...{ type: 'search', maxlength: 4_096, autocomplete: 'off' },
      placeholder: 'Name, id, or what is shown of a key',
    })}
    ${filters.name_contains === null ? null : textField(field('name_contains', 'Name'), { type: 'search', maxlength: 200 })}
    ${owner === null ? textField(field('owner', 'Owner'), { maxlength: 128 }) : null}
    ${filters.role === null ? null : textField(field('role', 'Role'), { maxlength: 128 })}
    ${filters.external_id === null ? null : textField(field('external_id', 'Your id'), { maxlength: 128 })}
    ${selectField(field('scheme', 'Scheme'), choices(schemes.map(({ name }) => name)))}
    ${selectField(field('environment', 'Environment'), choices(environments))}
    ${selectField(field('state', 'State'), choices(states))}
    ${textField(field('permission', 'Permission'), { maxlength: 128 })}
    <div class="actions">
      <button>Search</button>
      ${isFiltered ? html`<a href="/console/keys">Show all</a>` : null}
    </div>
  </form>`;
}

const columns = 'Name, Key, Environment, Permissions, Created, Last used, Expires, State'.split(', ');

function table(
  keys: readonly Key[],
  filters: Filters,
  { canWrite, may }: Pick<Visit, 'canWrite' | 'may'>,
): Markup {
  if (keys.length === 0) {
    const isFiltered = Object.values(filters).some((value) => value !== null);
    return html`<p>${isFiltered ? 'No API key matches.' : 'There are no API keys yet.'}</p>`;
  }
  return tableMarkup({
    ...{ caption: 'API keys, the newest first', named: 0 },
    columns: canWrite ? [...columns, 'Actions'] : columns,
    rows: keys.map((key) => (canWrite ? [...cells(key, may), revokeLink(key)] : cells(key, may))),
  });
}

function cells(key: Key, may: Visit['may']): Row {
  return [
    html`<a href=${path(['keys', key.id])}>${key.name}</a>`,
    html`<code>${masked(key)}</code>`,
    key.environment,
    key.permissions.join(', ') || 'None',
    timeMarkup(key.created_at),
    timeMarkup(key.last_used_at),
    timeMarkup(key.expires_at),
    stateMarkup(key, may('GetOwner')),
  ];
}

function revokeLink({ id, name, state }: Key): Markup {
  if (state === 'revoked') return '–';
  return html`<a href=${path(['keys', id, 'revoke'])}>Revoke<span class="unseen"> ${name}</span></a>`;
}

/** The state of a key; that no request of it passes goes before that it is active. */
export function stateMarkup(
  { state, blocked, owner }: Pick<Key, 'state' | 'blocked' | 'owner'>,
  isOwnerSeen: boolean,
): Markup {
  if (blocked === null || owner === null) return stateMark(state);
  const why = 'its owner is inactive';
  return html`${stateMark('blocked')} ${isOwnerSeen ? html`<a href=${path(['owners', owner])}>${why}</a>` : why}`;
}

/** What may be shown of a key, to tell it from others. */
export function masked({ prefix, last4 }: Pick<Key, 'prefix' | 'last4'>): string {
  return `${prefix}…${last4}`;
}
