import { faultSummary, type Option, selectField, textField } from '../../markup/controls.ts';
import { type Element, html, type Markup, path } from '../../markup/markup.ts';
import { filtersIn, pagerMarkup, placeIn } from '../../markup/pager.ts';
import { type Fault, faultsIn } from '../../refusal.ts';
import type { Page, View, Visit } from '../../session/visit.ts';
import { type About, actionMeant, acts, titleOf } from './acts.ts';
import { eventList } from './event-list.ts';
import { type EventsFound, readEvents } from './read-events.ts';
import { sinceMeant, untilMeant } from './time-range.ts';
import { idsMeant } from './who.ts';

const pageSize = 50;
const names = ['action', 'actor', 'target', 'outcome', 'since', 'until', 'notices'];
const outcomes = [
  { value: '', text: 'Done or refused' },
  { value: 'ok', text: 'Done' },
  { value: 'refused', text: 'Refused' },
];

/** The journal: what was done and refused, by whom, the newest first. */
export const activityPage: Page = { path: '/activity', get: showActivity };

/** The address of 0.1. */
export const formerAuditPage: Page = {
  path: '/audit',
  async get({ api, may, query }) {
    // Who may not see it is told so here.
    if (!may('ListAuditEvents')) await api.events('page_size=1');
    return { redirect: path(['activity'], Object.fromEntries(query)) };
  },
};

async function showActivity({ api, query }: Visit): Promise<View> {
  const filters = filtersIn(query, names);
  const place = placeIn(query);
  let faults: readonly Fault[] = [];
  const nothing: EventsFound = { events: [], next: null };
  const found = await readAsMeant(api, filters, place.token).catch((error: unknown) => {
    faults = faultsIn(error).map((fault) =>
      fault.field === 'after' ? { ...fault, field: 'page_token' } : fault,
    );
    return nothing;
  });
  return {
    title: 'Activity',
    status: faults.length > 0 ? 400 : 200,
    main: html`${filterForm(filters, faults)}
      ${faults.length > 0 ? null : listMarkup(found, filters)} ${pagerMarkup(['activity'], filters, place, found.next)}`,
  };
}

type Filters = Readonly<Record<string, string | null>>;

/** Names are read as those whom they mean, a day as all of it, words as the action that they are for. */
async function readAsMeant(api: Visit['api'], filters: Filters, after: string): Promise<EventsFound> {
  const { actor = null, target = null, action = null, since = null, until = null, outcome = null } = filters;
  const [actors, targets] = await Promise.all([
    actor === null ? [] : idsMeant(api, actor, 'actor'),
    target === null ? [] : idsMeant(api, target, 'target'),
  ]);
  const meant = action === null ? null : (actionMeant(action) ?? action);
  const isNotice =
    meant !== null && Object.hasOwn(acts, meant) && acts[meant as keyof typeof acts].about === 'notice';
  return readEvents(api, {
    ...{ actors, targets, after, size: pageSize },
    filters: {
      ...{ action: meant, outcome, since: sinceMeant(since), until: untilMeant(until) },
      notices: filters.notices !== null || isNotice ? 'true' : null,
    },
  });
}

function listMarkup({ events }: EventsFound, filters: Filters): Markup {
  if (events.length > 0) return eventList(events);
  const isFiltered = Object.values(filters).some((value) => value !== null);
  return html`<div class="empty">
    <p>${isFiltered ? 'No entry matches these filters.' : 'Nothing was done yet.'}</p>
    ${isFiltered ? html`<p><a href="/console/activity">Show all</a></p>` : null}
  </div>`;
}

const groups: Readonly<Record<About, string>> = {
  key: 'Keys',
  owner: 'Owners',
  role: 'Roles',
  session: 'Portal sessions',
  service: 'The service',
  notice: 'Notices',
};

function filterForm(filters: Filters, faults: readonly Fault[]): Element {
  const field = (name: string, label: string) => {
    // What is at fault may be a key that was put into the wrong field: it is not shown again.
    const isKept = !faults.some((fault) => fault.field === name) || name === 'since' || name === 'until';
    return { name, label, value: isKept ? (filters[name] ?? '') : '', faults };
  };
  const isFiltered = Object.values(filters).some((value) => value !== null);
  const asked = field('action', 'Action');
  const action = actionMeant(asked.value) ?? asked.value;
  const isMore = ['outcome', 'since', 'until', 'notices'].some((name) => filters[name]) || faults.length > 0;
  return html`<form class="filters wide" role="search" aria-label="Activity" method="get" action="/console/activity">
    ${faultSummary(faults, names)}
    ${textField(field('actor', 'Done by'), { maxlength: 256, placeholder: 'Name, e-mail or id', autocomplete: 'off' })}
    ${textField(field('target', 'About'), { maxlength: 256, placeholder: 'Name or id', autocomplete: 'off' })}
    ${selectField({ ...asked, value: action }, actionOptions(action))}
    <div class="actions">
      <button>Search</button>
      ${isFiltered ? html`<a href=${path(['activity'])}>Show all</a>` : null}
    </div>
    <details class="more" open=${isMore}>
      <summary>More filters</summary>
      <div class="filters wide">
        ${textField(field('since', 'From (UTC)'), { type: typeOf(filters.since) })}
        ${textField(field('until', 'To (UTC)'), { type: typeOf(filters.until) })}
        ${selectField(field('outcome', 'Outcome'), outcomes)}
        <label class="check">
          <input type="checkbox" name="notices" value="true" checked=${Boolean(filters.notices)} /> With notices
        </label>
      </div>
    </details>
  </form>`;
}

/** A field for days; one for a moment where the address has one, or what is none. */
function typeOf(text: string | null | undefined): string {
  if (!text || /^\d{4}-\d\d-\d\d$/.test(text)) return 'date';
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?$/.test(text) ? 'datetime-local' : 'text';
}

/** The actions in words; one that only another release knows stands there as it was asked for. */
function actionOptions(asked: string): readonly Option[] {
  const known = Object.entries(acts).map(([value, { about }]) => ({
    ...{ value, text: titleOf(value), group: groups[about] },
  }));
  const isUnknown = asked !== '' && !Object.hasOwn(acts, asked);
  return [{ value: '', text: 'Any' }, ...(isUnknown ? [{ value: asked, text: asked }] : []), ...known];
}
