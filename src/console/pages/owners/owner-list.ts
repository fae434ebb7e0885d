import type { Owner } from '../../api-answers.ts';
import { textField } from '../../markup/controls.ts';
import { icon } from '../../markup/icons.ts';
import { agoMarkup, html, type Markup, path, stateMark } from '../../markup/markup.ts';
import { apiQuery, pagerMarkup, placeIn } from '../../markup/pager.ts';
import { chip, emptyState, grouped } from '../../markup/parts.ts';
import { type Column, tableMarkup } from '../../markup/table.ts';
import type { Fault } from '../../refusal.ts';
import type { View, Visit } from '../../session/visit.ts';
import { keyCounts, type Use, weekOfEach } from './owner-figures.ts';
import { searchOwners } from './owner-search.ts';

const pageSize = 50;

/** Owners by id, with what they have and what their keys were used for. */
export async function ownerListView(visit: Visit, faults: readonly Fault[] = []): Promise<View> {
  const { api, query, terms } = visit;
  const text = query.get('search')?.trim() ?? '';
  const place = placeIn(query);
  const { data, next_page_token } =
    text === ''
      ? await api.owners(apiQuery({}, place, pageSize))
      : { data: await searchOwners(api, text), next_page_token: null };
  return {
    title: 'Owners',
    status: faults.length > 0 ? 400 : 200,
    main: html`${terms.owner === null ? tools(visit, text, faults) : null}
      ${data.length === 0 ? nothing(text) : table(visit, data, await figuresOf(visit, data))}
      ${pagerMarkup(['owners'], {}, place, next_page_token)}`,
  };
}

/** An admin key that is bound to an owner may not put any. */
export function mayPut({ canWrite, terms }: Visit): boolean {
  return canWrite && terms.owner === null;
}

/** A search, and a way to one that there is or is to be. */
function tools(visit: Visit, text: string, faults: readonly Fault[]): Markup {
  return html`<div class="tools">
    <ul class="chips" aria-label="Filters">
      ${text === '' ? null : html`<li>${chip(`Search: ${text}`, '/console/owners')}</li>`}
      <li>
        <form class="find" role="search" aria-label="This list" method="get" action="/console/owners">
          <label class="unseen" for="owners-find">Search by id, name, plan or label</label>
          <input id="owners-find" type="search" name="search" maxlength="256" autocomplete="off" placeholder="Search owners" />
          ${icon('search')}
        </form>
      </li>
    </ul>
    ${mayPut(visit) ? opening(visit, faults) : null}
  </div>`;
}

function opening({ token }: Visit, faults: readonly Fault[]): Markup {
  return html`<form class="opening" method="post" action="/console/owners">
    <input type="hidden" name="token" value=${token} />
    ${textField(
      { name: 'id', label: 'Owner', value: '', faults },
      { required: true, maxlength: 128, autocomplete: 'off', placeholder: 'New, or one that there is' },
    )}
    <button class="quiet">Open owner</button>
  </form>`;
}

function nothing(text: string): Markup {
  return text === ''
    ? emptyState(
        'There are no owners yet.',
        'A key may name an owner that is not here: it is active, and has no plan. Open one to give it a plan, a name or an end.',
      )
    : emptyState(
        'No owner matches.',
        'The search looks at ids, names, plans and labels (region=eu, or eu).',
        html`<a class="button" href="/console/owners">Show all owners</a>`,
      );
}

interface Figures {
  readonly keys: ReadonlyMap<string, number> | null;
  readonly use: ReadonlyMap<string, Use> | null;
}

async function figuresOf(visit: Visit, owners: readonly Owner[]): Promise<Figures> {
  const ids = owners.map(({ id }) => id);
  const [keys, use] = await Promise.all([
    visit.may('ListKeys') ? keyCounts(visit.api, ids) : null,
    visit.may('GetKeyUsage') ? weekOfEach(visit, ids) : null,
  ]);
  return { keys, use };
}

function table({ now }: Visit, owners: readonly Owner[], { keys, use }: Figures): Markup {
  const columns: Column[] = [
    { name: 'Owner', kind: 'name' },
    { name: 'State', kind: 'status' },
    { name: 'Plan', kind: 'plan' },
    ...(keys === null ? [] : [{ name: 'Keys', kind: 'count', isNumeric: true }]),
    ...(use === null
      ? []
      : [
          { name: 'Allowed, 7 days', kind: 'traffic', isNumeric: true },
          { name: 'Denied', kind: 'traffic', isNumeric: true },
        ]),
    { name: 'Active until', kind: 'until', isNumeric: true },
  ];
  return tableMarkup({
    ...{ caption: 'Owners, by id', columns, named: 0, kind: 'lines owners' },
    rows: owners.map((owner) => [
      html`<a href=${path(['owners', owner.id])} title=${owner.id}>${owner.id}</a>${owner.name === null ? null : html`<span class="beneath" title=${owner.name}>${owner.name}</span>`}`,
      stateMark(stateOf(owner)),
      owner.plan ?? 'None',
      ...(keys === null ? [] : [keysLink(owner, keys.get(owner.id) ?? 0)]),
      ...(use === null ? [] : useOf(use.get(owner.id))),
      agoMarkup(owner.active_until, now, 'No end'),
    ]),
  });
}

function keysLink({ id, keys_max: most }: Owner, count: number): Markup {
  return html`<a href=${path(['keys'], { owner: id })}>${grouped(count)}<span class="unseen"> keys of ${id}</span></a>${most === null ? '' : ` of ${grouped(most)}`}`;
}

function useOf(use: Use | undefined): readonly Markup[] {
  return use === undefined ? ['0', '0'] : [grouped(use.allowed), grouped(use.denied)];
}

export function stateOf({ suspended, active }: Owner): string {
  if (suspended) return 'suspended';
  return active ? 'active' : 'inactive';
}
