import { textField } from '../../markup/controls.ts';
import { icon } from '../../markup/icons.ts';
import { html, type Markup, path } from '../../markup/markup.ts';
import { chip } from '../../markup/parts.ts';
import type { Visit } from '../../session/visit.ts';
import { type Filters, filterNames, stateOf, states } from './key-query.ts';

const labels: Readonly<Record<string, string>> = {
  ...{
    search: 'Search',
    name_contains: 'Name',
    owner: 'Owner',
    scheme: 'Scheme',
    environment: 'Environment',
  },
  ...{ state: 'State', permission: 'Permission', role: 'Role', external_id: 'Your id' },
  ...{ expires_within: 'Expires within', unused_for: 'Unused for' },
};

/** The filters that are set, each with what takes it away, and menus of those that are not. */
export function filterChips(visit: Visit, filters: Filters, owners: readonly string[]): Markup {
  const { schemes } = visit.terms;
  const environments = [...new Set(schemes.flatMap((scheme) => scheme.environments))];
  const choices: readonly (readonly [string, readonly string[]])[] = [
    ['state', states],
    ['scheme', schemes.map(({ name }) => name)],
    ['environment', environments],
    ['expires_within', ['1d', '7d', '30d', '90d']],
    ['unused_for', ['7d', '30d', '90d', '365d']],
  ];
  const set = filterNames.filter((name) => shown(name, filters) !== null);
  return html`<ul class="chips" aria-label="Filters">
    ${set.map((name) => html`<li>${chip(`${labels[name]}: ${shown(name, filters)}`, without(name, filters))}</li>`)}
    ${choices
      .filter(([name, values]) => !set.includes(name) && values.length > 1)
      .map(([name, values]) => html`<li>${choiceMenu(name, values, filters)}</li>`)}
    <li>${otherFilters(visit, filters, owners)}</li>
    ${set.length > 1 ? html`<li><a href=${path(['keys'], { sort: filters.sort ?? null })}>Show all</a></li>` : null}
  </ul>`;
}

/** What a chip says; null where the filter is not set. A state may follow from another filter. */
function shown(name: string, filters: Filters): string | null {
  return name === 'state' ? stateOf(filters) : (filters[name] ?? null);
}

function without(name: string, filters: Filters): string {
  const { at: _, ...others } = filters;
  const isImplied = name === 'state' && filters.state === null;
  return path(['keys'], { ...others, [name]: isImplied ? 'any' : null });
}

function choiceMenu(name: string, values: readonly string[], filters: Filters): Markup {
  const { at: _, ...others } = filters;
  return html`<details class="menu start" name="menu">
    <summary class="chip">${labels[name]}${icon('chevron')}</summary>
    <ul>
      ${values.map((value) => html`<li><a href=${path(['keys'], { ...others, [name]: value })}>${value}</a></li>`)}
    </ul>
  </details>`;
}

/** Those that are typed. */
function otherFilters({ terms }: Visit, filters: Filters, owners: readonly string[]): Markup {
  const typed = [...(terms.owner === null ? ['owner'] : []), 'permission', 'role', 'external_id'];
  const kept = [...filterNames, 'sort'].filter((name) => !typed.includes(name) && filters[name] != null);
  const field = (name: string) =>
    textField(
      { name, label: labels[name] ?? name, value: filters[name] ?? '', faults: [] },
      { maxlength: 128, autocomplete: 'off', ...(name === 'owner' && { list: 'owners' }) },
    );
  return html`<details class="menu start" name="menu">
    <summary class="chip">More filters${icon('chevron')}</summary>
    <form method="get" action="/console/keys">
      ${kept.map((name) => html`<input type="hidden" name=${name} value=${filters[name]} />`)}
      <datalist id="owners">${owners.map((owner) => html`<option value=${owner}></option>`)}</datalist>
      ${typed.map(field)}
      <button class="quiet">Filter</button>
    </form>
  </details>`;
}
