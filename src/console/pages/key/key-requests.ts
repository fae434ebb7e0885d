import type { Page as Answer, LoggedRequest } from '../../api-answers.ts';
import { html, type Markup, path } from '../../markup/markup.ts';
import { apiQuery, filtersIn, pagerMarkup, placeIn } from '../../markup/pager.ts';
import type { Page, View, Visit } from '../../session/visit.ts';
import { requestTable } from '../requests/request-table.ts';
import { keyOf, knownId } from './key-of.ts';

const pageSize = 50;
const shownBeside = 20;
const choices = [
  [null, 'All'],
  ['allow', 'Allowed'],
  ['deny', 'Denied'],
  ['observed', 'Observed'],
] as const;

/** What became of the requests of one key, the newest first. */
export const keyRequestsPage: Page = { path: '/keys/:id/requests', get: listRequests };

async function listRequests(visit: Visit): Promise<View> {
  const { api, query, may } = visit;
  const key = may('GetKey') ? await keyOf(visit) : null;
  const id = key?.id ?? knownId(visit.id);
  const asked = filtersIn(query, ['decision']);
  const decision = choices.find(([value]) => value === asked.decision)?.[0] ?? null;
  const place = placeIn(query);
  const found = await api.requests(id, apiQuery({ decision }, place, pageSize));
  const parts = ['keys', id, 'requests'];
  return {
    title: `Requests of ${key?.name ?? id}`,
    trail: { href: path(['keys', id]), name: key?.name ?? id },
    main:
      found === null
        ? html`<p class="empty">Requests are not logged here.</p>`
        : html`<ul class="choices" aria-label="Results shown">
            ${choices.map(
              ([value, name]) => html`<li>
                <a href=${path(parts, { decision: value })} aria-current=${value === decision ? 'true' : undefined}>${name}</a>
              </li>`,
            )}
          </ul>
          ${place.token === '' ? following(path(parts, { decision }), found.data) : requestTable(found.data, false)}
          ${pagerMarkup(parts, { decision }, place, found.next_page_token)}`,
  };
}

/** The newest of them on the page of the key. Nothing where requests are not logged. */
export function requestsSection(id: string, requests: Answer<LoggedRequest> | null): Markup {
  if (requests === null) return null;
  const all = path(['keys', id, 'requests']);
  return html`<section aria-labelledby="requests">
    <h2 id="requests">Last requests</h2>
    ${following(all, requests.data.slice(0, shownBeside), shownBeside)}
    ${requests.data.length > shownBeside ? html`<p><a href=${all}>All requests</a></p>` : null}
  </section>`;
}

/** A log that follows while somebody looks at it, by the script of the page; without it a link asks for what is newer. */
function following(page: string, requests: readonly LoggedRequest[], rows?: number): Markup {
  return html`<div class="log" data-follow=${page} data-rows=${rows}>
    <p class="following">
      <a href=${page}>Newer requests</a>
      <button class="quiet small" type="button" hidden>Pause</button>
    </p>
    <div data-log="">${requestTable(requests, false)}</div>
  </div>`;
}
