import type { Api } from '../../api.ts';
import type { Key, Owner, Usage } from '../../api-answers.ts';
import { post } from '../../markup/controls.ts';
import { html, type Markup, path } from '../../markup/markup.ts';
import { Refusal } from '../../refusal.ts';
import type { Page, View, Visit } from '../../session/visit.ts';
import { addressTable, recentRequests, seenAddresses } from './addresses.ts';
import { factList } from './key-facts.ts';
import { entryOf, historyOf, historySection, lineOf } from './key-line.ts';
import { keyOf, knownId } from './key-of.ts';
import { requestsSection } from './key-requests.ts';
import { limitsSection } from './limit-bars.ts';
import { beginningOf, type Span, spans } from './plot-scale.ts';
import { standingMarkup, standingOf } from './standing.ts';
import { usePlot } from './use-plot.ts';

const dayMs = 86_400_000;

/** One key: whether it works, what it is, what it is used for, what was done with it. */
export const keyDetailPage: Page = { path: '/keys/:id', get: showKey };

async function showKey(visit: Visit): Promise<View> {
  const { api, query, now, may } = visit;
  const key = isUseAlone(visit) ? null : await keyOf(visit);
  const id = key?.id ?? knownId(visit.id);
  const span = spans.find((one) => one.id === query.get('hours')) ?? (spans[0] as Span);
  const [usage, limits, log, about] = await Promise.all([
    may('GetKeyUsage') ? usageIn(api, id, beginningOf(span, now), now) : null,
    may('GetKeyLimits') ? api.limits(id) : [],
    may('ListKeyRequests') ? recentRequests(api, id) : null,
    key === null ? null : aboutKey(visit, key),
  ]);
  const known = about && key && { ...about, key, limits, now };
  const seen = usage && seenAddresses(usage.addresses, log?.data ?? []);
  return {
    title: key?.name ?? id,
    ...(key !== null && { trail: { href: '/console/keys', name: 'API Keys' } }),
    actions: key !== null && visit.canWrite ? actions(key, visit.token) : null,
    main: html`${known && standingMarkup(standingOf(known))}
      <div class="key">
        <div class="aside">${key && factList(key, visit, namesIn(about))} ${limitsSection(limits)}</div>
        <div class="uses">
          ${usage && usageSection(id, usage, span, now)}
          ${seen && addressSection(seen, key, log)}
          ${may('ListKeyRequests') ? requestsSection(id, log) : null}
          ${about?.history && key ? historySection(key, about.line, about.history) : null}
        </div>
      </div>`,
  };
}

/** The use since then; of the two days that are compared, if they begin before it, the figures but no address. */
async function usageIn(api: Api, id: string, begin: number, now: number): Promise<Usage> {
  const since = (time: number) => api.usage(id, new Date(time).toISOString());
  const compared = now - 2 * dayMs;
  if (begin <= compared) return since(begin);
  const [usage, longer] = await Promise.all([since(begin), since(compared)]);
  return { ...usage, buckets: longer.buckets };
}

type About = Awaited<ReturnType<typeof aboutKey>>;

/** What is around a key: its owner, its rotations, what the journal has of it. */
async function aboutKey({ api, may }: Visit, key: Key) {
  const isJournalSeen = may('ListAuditEvents');
  const endings = { revoked: ['RevokeKey', 'RevokeKeys'], disabled: ['DisableKey', 'DisableKeys'] } as const;
  const ended = key.state === 'revoked' || key.state === 'disabled' ? endings[key.state] : [];
  const [owner, line, leak, ending, history] = await Promise.all([
    key.blocked !== null && key.owner !== null && may('GetOwner') ? ownerOrNull(api, key.owner) : null,
    lineOf(api, key),
    isJournalSeen && key.state === 'revoked' ? entryOf(api, key, ['ReportLeakedKeys'], 'oldest') : null,
    isJournalSeen ? entryOf(api, key, ended) : null,
    isJournalSeen ? historyOf(api, key) : null,
  ]);
  const successor = line.find(({ id }) => id === key.replaced_by) ?? null;
  return { owner, line, leak, ending, successor, history };
}

async function ownerOrNull(api: Api, id: string): Promise<Owner | null> {
  try {
    return (await api.call<{ data: Owner }>('GET', `owners/${encodeURIComponent(id)}`)).data;
  } catch (error) {
    if (error instanceof Refusal && error.status < 500) return null;
    throw error;
  }
}

function namesIn(about: About | null): Readonly<Record<string, string>> {
  const actors = (about?.history?.events ?? []).flatMap(({ actor, actor_name: name }) =>
    actor !== null && name != null ? [[actor, name]] : [],
  );
  const keys = (about?.line ?? []).map(({ id, name }) => [id, name]);
  return Object.fromEntries([...actors, ...keys]);
}

/** Whether somebody may see what a key is used for, and nothing else of it. */
function isUseAlone({ may }: Visit): boolean {
  return may('GetKeyUsage') && !may('GetKey');
}

function actions({ id, state }: Key, token: string): Markup {
  if (state === 'revoked') return null;
  return html`<a class="button" href=${path(['keys', id, 'edit'])}>Edit</a>
    ${state === 'active' ? html`<a class="button" href=${path(['keys', id, 'rotate'])}>Rotate</a>` : null}
    ${
      state === 'disabled'
        ? post(path(['keys', id, 'enable']), token, html`<button>Enable</button>`, 'Enabling…')
        : html`<a class="button" href=${path(['keys', id, 'disable'])}>Disable</a>`
    }
    <a class="button danger" href=${path(['keys', id, 'revoke'])}>Revoke</a>`;
}

function usageSection(id: string, { buckets }: Usage, span: Span, now: number): Markup {
  return html`<section aria-labelledby="usage">
    <div class="titled">
      <h2 id="usage">Usage</h2>
      <ul class="choices" aria-label="Time shown">
        ${spans.map(
          (one) => html`<li>
            <a href=${path(['keys', id], { hours: one.id })} aria-current=${one === span ? 'true' : undefined}>${one.name}</a>
          </li>`,
        )}
      </ul>
    </div>
    ${usePlot(buckets, span, now)}
  </section>`;
}

function addressSection(
  seen: ReturnType<typeof seenAddresses>,
  key: Key | null,
  log: Awaited<ReturnType<typeof recentRequests>>,
): Markup {
  return html`<section aria-labelledby="addresses">
    <h2 id="addresses">Addresses</h2>
    ${addressTable(seen, { ip_allowlist: key?.ip_allowlist ?? [] }, log)}
  </section>`;
}
