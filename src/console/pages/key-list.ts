import type { Terms } from '../../admin/terms-operations.ts';
import type { Page as Answer, Key } from '../api-answers.ts';
import { type Field, faultSummary, selectField, textField } from '../markup/controls.ts';
import { badge, type Element, html, type Markup, path, timeMarkup } from '../markup/markup.ts';
import { apiQuery, filtersIn, pagerMarkup, placeIn } from '../markup/pager.ts';
import { type Row, tableMarkup } from '../markup/table.ts';
import { type Fault, faultsIn } from '../refusal.ts';
import type { Page, View, Visit } from '../session/visit.ts';

const pageSize = 50;
const filterNames = ['name_contains', 'owner', 'scheme', 'environment', 'state', 'permission'];
const states = ['active', 'disabled', 'revoked', 'expired'];

/** All keys that the caller may see, the newest first. */
export const keyListPage: Page = { path: '/keys', get: listKeys };

async function listKeys({ api, terms, canWrite, query }: Visit): Promise<View> {
  const filters = filtersIn(query, filterNames);
  const place = placeIn(query);
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
    ${filterForm(terms, filters, faults)} ${faults.length > 0 ? null : table(found.data, filters, canWrite)}
    ${pagerMarkup(['keys'], filters, place, found.next_page_token)}`,
  };
}

type Filters = Readonly<Record<string, string | null>>;

function filterForm({ schemes, owner }: Terms, filters: Filters, faults: readonly Fault[]): Element {
  const field = (name: string, label: string): Field => ({ name, label, value: filters[name] ?? '', faults });
  const any = { value: '', text: 'Any' };
  const choices = (values: readonly string[]) => [any, ...values.map((value) => ({ value, text: value }))];
  const environments = [...new Set(schemes.flatMap(({ environments }) => environments))];
  const isFiltered = Object.values(filters).some((value) => value !== null);
  return html`<form class="filters" role="search" aria-label="API keys" method="get" action="/console/keys">
    ${faultSummary(faults, filterNames)}
    ${textField(field('name_contains', 'Name'), { type: 'search', maxlength: 200 })}
    ${owner === null ? textField(field('owner', 'Owner'), { maxlength: 128 }) : null}
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

function table(keys: readonly Key[], filters: Filters, canWrite: boolean): Markup {
  if (keys.length === 0) {
    const isFiltered = Object.values(filters).some((value) => value !== null);
    return html`<p>${isFiltered ? 'No API key matches.' : 'There are no API keys yet.'}</p>`;
  }
  return tableMarkup({
    ...{ caption: 'API keys, the newest first', named: 0 },
    columns: canWrite ? [...columns, 'Actions'] : columns,
    rows: keys.map((key) => (canWrite ? [...cells(key), revokeLink(key)] : cells(key))),
  });
}

function cells(key: Key): Row {
  return [
    html`<a href=${path(['keys', key.id])}>${key.name}</a>`,
    html`<code>${masked(key)}</code>`,
    key.environment,
    key.permissions.join(', ') || 'None',
    timeMarkup(key.created_at),
    timeMarkup(key.last_used_at),
    timeMarkup(key.expires_at),
    stateMarkup(key),
  ];
}

function revokeLink({ id, name, state }: Key): Markup {
  if (state === 'revoked') return '–';
  return html`<a href=${path(['keys', id, 'revoke'])}>Revoke<span class="unseen"> ${name}</span></a>`;
}

/** The state of a key; that no request of it passes goes before that it is active. */
export function stateMarkup({ state, blocked, owner }: Pick<Key, 'state' | 'blocked' | 'owner'>): Markup {
  if (blocked === null || owner === null) return badge(state);
  return html`${badge('blocked')} <a href=${path(['owners', owner])}>its owner is inactive</a>`;
}

/** What may be shown of a key, to tell it from others. */
export function masked({ prefix, last4 }: Pick<Key, 'prefix' | 'last4'>): string {
  return `${prefix}…${last4}`;
}
