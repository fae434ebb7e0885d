import type { Page as Answer, AuditEvent } from '../../api-answers.ts';
import { faultSummary, selectField, textField } from '../../markup/controls.ts';
import { html, path } from '../../markup/markup.ts';
import { apiQuery, filtersIn, pagerMarkup, placeIn } from '../../markup/pager.ts';
import { type Fault, faultsIn } from '../../refusal.ts';
import type { Page, View, Visit } from '../../session/visit.ts';
import { eventList } from './audit-table.ts';

const pageSize = 50;
const names = ['action', 'actor', 'target', 'outcome', 'since', 'until'];
const outcomes = [
  { value: '', text: 'Any' },
  { value: 'ok', text: 'OK' },
  { value: 'refused', text: 'Refused' },
];

/** What was done and refused, the newest first. */
export const auditPage: Page = { path: '/activity', get: listEvents };

/** The address of 0.1. */
export const formerAuditPage: Page = {
  path: '/audit',
  async get({ api, may, query }) {
    // Who may not see it is told so here.
    if (!may('ListAuditEvents')) await api.events('page_size=1');
    return { redirect: path(['activity'], Object.fromEntries(query)) };
  },
};

async function listEvents({ api, query }: Visit): Promise<View> {
  const filters = filtersIn(query, names);
  const place = placeIn(query);
  const { since, until, ...others } = filters;
  const asked = { ...others, since: utc(since), until: utc(until) };
  let faults: readonly Fault[] = [];
  const nothing: Answer<AuditEvent> = { data: [], next_page_token: null };
  const found = await api.events(apiQuery(asked, place, pageSize)).catch((error: unknown) => {
    faults = faultsIn(error);
    return nothing;
  });
  const field = (name: string, label: string) => ({ name, label, value: filters[name] ?? '', faults });
  return {
    title: 'Activity',
    status: faults.length > 0 ? 400 : 200,
    main: html`<form class="filters" role="search" aria-label="Audit entries" method="get" action="/console/activity">
        ${faultSummary(faults, names)} ${textField(field('action', 'Action'), { maxlength: 64 })}
        ${textField(field('actor', 'Actor'), { maxlength: 256 })}
        ${textField(field('target', 'Target'), { maxlength: 256 })}
        ${selectField(field('outcome', 'Outcome'), outcomes)}
        ${textField(field('since', 'Since (UTC)'), { type: 'datetime-local' })}
        ${textField(field('until', 'Until (UTC)'), { type: 'datetime-local' })}
        <div class="actions"><button>Search</button> <a href="/console/activity">Show all</a></div>
      </form>
      ${faults.length > 0 ? null : eventList(found.data)}
      ${pagerMarkup(['activity'], filters, place, found.next_page_token)}`,
  };
}

/** A time without a zone, as a browser's field has it to the minute or the second, as one of UTC. */
export function utc(local: string | null | undefined): string | null {
  if (!local) return null;
  return /T[0-9]{2}:[0-9]{2}$/.test(local) ? `${local}:00Z` : `${local}Z`;
}
