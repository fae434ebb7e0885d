import { isKeyId } from '../../../keys/key.ts';
import type { Api } from '../../api.ts';
import type { Page as Answer, AuditEvent, Key, LoggedRequest, Usage } from '../../api-answers.ts';
import { post } from '../../markup/controls.ts';
import { html, type Markup, path, timeMarkup } from '../../markup/markup.ts';
import { Refusal } from '../../refusal.ts';
import type { Page, View, Visit } from '../../session/visit.ts';
import { eventList } from '../activity/audit-table.ts';
import { labelsText } from '../keys/key-fields.ts';
import { masked, stateMarkup } from '../keys/key-list.ts';
import { limitsText } from '../keys/limit-fields.ts';
import { requestTable } from '../requests/request-table.ts';
import { limitsSection } from './limit-bars.ts';
import { usagePlot } from './usage-plot.ts';

const hourMs = 3_600_000;
const spans = [
  ['24', '24 hours'],
  ['168', '7 days'],
  ['720', '30 days'],
] as const;
const eventsShown = 10;
const requestsShown = 20;
const addressesShown = 100;

/** One key: what it is, what it is used for, what was done with it. */
export const keyDetailPage: Page = { path: '/keys/:id', get: showKey };

async function showKey(visit: Visit): Promise<View> {
  const { api, query, now, may } = visit;
  const key = isUseAlone(visit) ? null : await keyOf(visit);
  const id = key?.id ?? knownId(visit.id);
  const hours = Number(spans.find(([span]) => span === query.get('hours'))?.[0] ?? spans[0][0]);
  const since = new Date((Math.floor(now / hourMs) - hours + 1) * hourMs).toISOString();
  const ofKey = new URLSearchParams({ target: id, page_size: String(eventsShown) }).toString();
  const [usage, limits, requests, events] = await Promise.all([
    may('GetKeyUsage') ? api.usage(id, since) : null,
    may('GetKeyLimits') ? api.limits(id) : null,
    may('ListKeyRequests') ? api.requests(id, `page_size=${requestsShown}`) : null,
    may('ListAuditEvents') ? api.events(ofKey) : null,
  ]);
  return {
    title: key?.name ?? id,
    main: html`${key && visit.canWrite ? actions(key, visit.token) : null} ${key && details(key, visit)}
      ${limits && limitsSection(limits)} ${usage && usageSection(id, usage, hours, now)}
      ${may('ListKeyRequests') ? requestsSection(requests) : null}
      ${events && auditSection(id, events.data)}`,
  };
}

/** The key that a page is about. Throws a {@link Refusal} where there is none that the caller may see. */
export async function keyOf({ api, id }: { readonly api: Api; readonly id: string }): Promise<Key> {
  return api.key(knownId(id));
}

function knownId(id: string): string {
  if (!isKeyId(id)) throw new Refusal(404, 'KEY_NOT_FOUND', 'There is no key with this id.');
  return id;
}

/** Whether somebody may see what a key is used for, and nothing else of it. */
function isUseAlone({ may }: Visit): boolean {
  return may('GetKeyUsage') && !may('GetKey');
}

function actions({ id, state }: Key, token: string): Markup {
  if (state === 'revoked') return null;
  return html`<div class="actions">
    <a class="button" href=${path(['keys', id, 'edit'])}>Edit</a>
    ${state === 'active' ? html`<a class="button" href=${path(['keys', id, 'rotate'])}>Rotate</a>` : null}
    ${
      state === 'disabled'
        ? post(path(['keys', id, 'enable']), token, html`<button>Enable</button>`, 'Enabling…')
        : html`<a class="button" href=${path(['keys', id, 'disable'])}>Disable</a>`
    }
    <a class="button danger" href=${path(['keys', id, 'revoke'])}>Revoke</a>
  </div>`;
}

/** Whose pages are for admin keys without an owner. */
function rolesMarkup({ roles }: Key): Markup {
  return html`${roles.map((role, at) => html`${at > 0 ? ', ' : ''}<a href=${path(['roles', role])}>${role}</a>`)}`;
}

function auditSection(id: string, events: readonly AuditEvent[]): Markup {
  return html`<section aria-labelledby="audit">
    <h2 id="audit">Audit</h2>
    ${eventList(events)}
    <p><a href=${path(['activity'], { target: id })}>All entries about this key</a></p>
  </section>`;
}

/** An id, which leads to its page for who may see that. */
function linked(id: string, href: string, isSeen: boolean): Markup {
  return isSeen ? html`<a href=${href}>${id}</a>` : id;
}

function details(key: Key, { may }: Pick<Visit, 'may'>): Markup {
  const { rate_limits: limits, owner, rotated_from: from, replaced_by: successor } = key;
  const rows: [string, Markup][] = [
    ['State', stateMarkup(key, may('GetOwner'))],
    ['Key', html`<code>${masked(key)}</code>`],
    ['Id', html`<code>${key.id}</code>`],
    ['Scheme', key.scheme],
    ['Environment', key.environment],
    ['Owner', owner === null ? 'Nobody' : linked(owner, path(['owners', owner]), may('GetOwner'))],
    ['Permissions', key.permissions.join(', ') || 'None'],
    ...(key.roles.length === 0
      ? []
      : [['Roles', may('GetRole') ? rolesMarkup(key) : key.roles.join(', ')] as [string, Markup]]),
    ['Allowed addresses', key.ip_allowlist.join(', ') || 'All'],
    ...(key.principals.length === 0
      ? []
      : [['Allowed callers', key.principals.join(', ')] as [string, Markup]]),
    ['Plan', key.plan ?? 'None of its own'],
    ...(limits.length === 0 ? [] : [['Limits of its own', limitsText(limits)] as [string, Markup]]),
    ...(key.external_id === null ? [] : [['Your id', key.external_id] as [string, Markup]]),
    ['Labels', labelsText(key.labels, ', ') || 'None'],
    ['Created', html`${timeMarkup(key.created_at)}${may('ListAuditEvents') ? madeBy(key) : ''}`],
    ['Last used', timeMarkup(key.last_used_at)],
    ['Expires', timeMarkup(key.expires_at)],
    ...(key.revoked_at === null ? [] : [['Revoked', timeMarkup(key.revoked_at)] as [string, Markup]]),
    ...(from === null
      ? []
      : [['Replaces', html`<a href=${path(['keys', from])}>${from}</a>`] as [string, Markup]]),
    ...(successor === null
      ? []
      : [['Replaced by', html`<a href=${path(['keys', successor])}>${successor}</a>`] as [string, Markup]]),
  ];
  return html`<dl>
    ${rows.map(([term, value]) => html`<div><dt>${term}</dt><dd>${value}</dd></div>`)}
  </dl>`;
}

function madeBy({ created_by: by }: Key): Markup {
  if (by === null) return '';
  return isKeyId(by) ? html` by <a href=${path(['keys', by])}>${by}</a>` : ` by ${by}`;
}

/** Nothing where requests are not logged. */
function requestsSection(requests: Answer<LoggedRequest> | null): Markup {
  if (requests === null) return null;
  return html`<section aria-labelledby="requests">
    <h2 id="requests">Last requests</h2>
    ${requestTable(requests.data, false)}
  </section>`;
}

function usageSection(id: string, { buckets, addresses }: Usage, hours: number, now: number): Markup {
  return html`<section aria-labelledby="usage">
    <h2 id="usage">Usage</h2>
    <ul class="choices" aria-label="Time shown">
      ${spans.map(
        ([span, text]) => html`<li>
          <a href=${path(['keys', id], { hours: span })} aria-current=${Number(span) === hours ? 'true' : undefined}
            >${text}</a
          >
        </li>`,
      )}
    </ul>
    ${usagePlot(buckets, hours, now)}
    <h3>Addresses seen</h3>
    ${
      addresses.length === 0
        ? html`<p>None in this time.</p>`
        : html`<ul class="columns">
            ${addresses.slice(0, addressesShown).map((address) => html`<li><code>${address}</code></li>`)}
          </ul>`
    }
    ${addresses.length > addressesShown ? html`<p>And ${addresses.length - addressesShown} more.</p>` : null}
  </section>`;
}
