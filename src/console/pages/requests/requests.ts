import type { Page as Answer, LoggedRequest } from '../../api-answers.ts';
import { faultSummary, selectField, textField } from '../../markup/controls.ts';
import { html } from '../../markup/markup.ts';
import { apiQuery, filtersIn, pagerMarkup, placeIn } from '../../markup/pager.ts';
import { type Fault, faultsIn } from '../../refusal.ts';
import type { Page, View, Visit } from '../../session/visit.ts';
import { utc } from '../activity/time-range.ts';
import { requestTable } from './request-table.ts';

const pageSize = 50;
const names = ['decision', 'reason', 'owner', 'since', 'until'];
const decisions = [
  { value: '', text: 'Any' },
  { value: 'allow', text: 'Allowed' },
  { value: 'deny', text: 'Denied' },
  { value: 'observed', text: 'Observed' },
];

/** What became of requests, of all keys and of none, the newest first. */
export const requestsPage: Page = { path: '/requests', get: listRequests };

async function listRequests({ api, query, terms }: Visit): Promise<View> {
  const filters = filtersIn(query, names);
  const place = placeIn(query);
  const { since, until, ...others } = filters;
  let faults: readonly Fault[] = [];
  const nothing: Answer<LoggedRequest> = { data: [], next_page_token: null };
  const asked = apiQuery({ ...others, since: utc(since), until: utc(until) }, place, pageSize);
  const found = await api.requests(null, asked).catch((error: unknown) => {
    faults = faultsIn(error);
    return nothing;
  });
  if (found === null) return { title: 'Requests', main: html`<p>Requests are not logged here.</p>` };
  const field = (name: string, label: string) => ({ name, label, value: filters[name] ?? '', faults });
  return {
    title: 'Requests',
    status: faults.length > 0 ? 400 : 200,
    main: html`<form class="filters" role="search" aria-label="Requests" method="get" action="/console/requests">
        ${faultSummary(faults, names)} ${selectField(field('decision', 'Result'), decisions)}
        ${textField(field('reason', 'Reason'), { maxlength: 64 })}
        ${terms.owner === null ? textField(field('owner', 'Owner'), { maxlength: 128 }) : null}
        ${textField(field('since', 'Since (UTC)'), { type: 'datetime-local' })}
        ${textField(field('until', 'Until (UTC)'), { type: 'datetime-local' })}
        <div class="actions"><button>Search</button> <a href="/console/requests">Show all</a></div>
      </form>
      ${faults.length > 0 ? null : requestTable(found.data, true)}
      ${pagerMarkup(['requests'], filters, place, found.next_page_token)}`,
  };
}
