import type { Api } from '../../api.ts';
import type { AuditEvent, Key, Settlement } from '../../api-answers.ts';
import { areaField, faultSummary, post, textField } from '../../markup/controls.ts';
import { type Element, html, type Markup, path, timeMarkup } from '../../markup/markup.ts';
import { pagerMarkup, placeIn } from '../../markup/pager.ts';
import { grouped } from '../../markup/parts.ts';
import { tableMarkup } from '../../markup/table.ts';
import { type Fault, faultsIn, Refusal } from '../../refusal.ts';
import type { Page, View, Visit } from '../../session/visit.ts';
import { actorMarkup } from '../activity/names.ts';
import { readEvents } from '../activity/read-events.ts';
import { foundBy } from '../activity/sentence.ts';
import { placeOf } from '../key/standing.ts';
import { masked } from '../keys/key-shown.ts';
import { settledMarkup } from '../settled.ts';
import { isFault, type ReportedKey, readReport } from './leak-report.ts';

const pageSize = 50;
const shownFields = ['keys', 'url', 'source'];
/** Keys that are looked up at once. */
const findsMax = 8;

/** Keys that were found where they should not be: a form to report them, and what became of those that were. */
export const leaksPage: Page = {
  path: '/leaks',
  isFormSecret: true,
  get: (visit) => leaksView(visit, []),
  post: async (visit) => ({ ...(await report(visit)), shownAs: '/console/leaks' }),
};

async function leaksView(visit: Visit, faults: readonly Fault[], before: Markup = null): Promise<View> {
  const { api, query, canWrite, may } = visit;
  const place = placeIn(query);
  const filters = { action: 'ReportLeakedKeys', outcome: 'ok' };
  const { events, next } = may('ListAuditEvents')
    ? await readEvents(api, { actors: [], targets: [], filters, after: place.token, size: pageSize })
    : { events: [], next: null };
  return {
    title: 'Leaks',
    status: faults.length > 0 ? 400 : 200,
    main: html`${before} ${canWrite ? reportForm(visit, faults) : null}
      <section aria-labelledby="reported">
        <h2 id="reported">Reported so far</h2>
        ${leakTable(events, place.token !== '')} ${pagerMarkup(['leaks'], {}, place, next)}
      </section>`,
  };
}

/** What may be keys is not shown again. */
function reportForm({ token, form }: Visit, faults: readonly Fault[]): Element {
  const field = (name: string, label: string, hint: string) => ({
    ...{ name, label, hint, faults },
    value: name === 'keys' ? '' : form.text(name),
  });
  const keys = field('keys', 'Leaked keys', 'One on each line, or what a secret scanner sent, as JSON.');
  return html`<section class="report" aria-labelledby="report">
    <h2 id="report">Report leaked keys</h2>
    <p>Those that are keys here stop working at once, for good.</p>
    ${post(
      '/console/leaks',
      token,
      html`${faultSummary(faults, shownFields)}
        ${areaField(keys, { required: true, autocomplete: 'off', spellcheck: 'false', 'data-secret': '' })}
        <div class="together">
          ${textField(field('url', 'Where they were found', 'An address, if there is one.'), { maxlength: 2_048, autocomplete: 'off' })}
          ${textField(field('source', 'Who found them', 'As in: a customer, a scan.'), { maxlength: 128, autocomplete: 'off' })}
        </div>
        <div class="actions"><button class="danger">Revoke what is found</button></div>`,
      'Revoking, and waiting for every replica to know…',
    )}
  </section>`;
}

function leakTable(events: readonly AuditEvent[], isBehind: boolean): Markup {
  if (events.length === 0) {
    return html`<p class="empty">${isBehind ? 'There are no more.' : 'No key was reported as leaked.'}</p>`;
  }
  return tableMarkup({
    caption: 'Keys that were reported as leaked, the newest first',
    columns: ['Key', 'Reported', 'Found by', 'Found at', 'Reported by', 'What was done'],
    named: 0,
    rows: events.map((event) => {
      const { source, url } = placeOf(event);
      const { state, revoked_at: revokedAt } = Object(event.before) as Partial<Key>;
      return [
        keyMarkup(event),
        timeMarkup(event.at),
        source === null ? '–' : foundBy(source),
        url === null ? '–' : html`<code>${url}</code>`,
        actorMarkup(event),
        state === 'revoked'
          ? html`Nothing: it was revoked on ${timeMarkup(revokedAt ?? null, 'before')}`
          : 'Revoked',
      ];
    }),
  });
}

function keyMarkup({ target, target_name: name = null, after }: AuditEvent): Markup {
  if (target === null) return '–';
  const { owner = null } = Object(after) as Partial<Key>;
  return html`<a href=${path(['keys', target])}>${name ?? target}</a>${owner === null ? '' : html`<br /><small>${owner}</small>`}`;
}

async function report(visit: Visit): Promise<View> {
  const { api, form } = visit;
  const read = readReport(form.text('keys'), { url: form.text('url'), source: form.text('source') });
  if (isFault(read)) return leaksView(visit, [read]);
  // As they are before: a key that was revoked long ago is told apart from one that this report ended.
  const found = await findAll(api, read);
  try {
    const { data } = await api.call<{ data: Settlement }>('POST', 'leaked-keys', { keys: read });
    return leaksView({ ...visit, form: emptied(form) }, [], outcome(visit, read.length, found, data));
  } catch (error) {
    return leaksView(visit, faultsIn(error));
  }
}

function emptied(form: Visit['form']): Visit['form'] {
  return { ...form, text: () => '' };
}

/** The keys among them, each once. */
async function findAll(api: Api, reported: readonly ReportedKey[]): Promise<readonly Key[]> {
  const waiting = [...new Set(reported.map(({ key }) => key))];
  const found = new Map<string, Key>();
  const work = async () => {
    for (let key = waiting.shift(); key !== undefined; key = waiting.shift()) {
      const one = await find(api, key);
      if (one !== null) found.set(one.id, one);
    }
  };
  await Promise.all(Array.from({ length: findsMax }, work));
  return [...found.values()];
}

async function find(api: Api, key: string): Promise<Key | null> {
  try {
    return (await api.call<{ data: Key }>('POST', 'api-keys:find', { key })).data;
  } catch (error) {
    if (error instanceof Refusal && (error.status === 404 || error.status === 400)) return null;
    throw error;
  }
}

/** What was found, and what was done. */
function outcome({ terms }: Visit, received: number, found: readonly Key[], settled: Settlement): Markup {
  const others = received - found.length;
  return html`<section class="outcome" aria-labelledby="outcome">
    <h2 id="outcome">${found.length === 0 ? 'None of them is a key here' : `${grouped(found.length)} of ${grouped(received)} found`}</h2>
    ${
      found.length === 0
        ? html`<p role="status">Nothing was changed.</p>`
        : html`<ul class="found">
              ${found.map(
                (key) => html`<li>
                  <a href=${path(['keys', key.id])}>${key.name}</a> <code>${masked(key)}</code>${key.owner === null ? '' : ` of ${key.owner}`}: ${key.state === 'revoked' ? html`was revoked before, on ${timeMarkup(key.revoked_at)}` : html`<strong>revoked now</strong>`}
                </li>`,
              )}
            </ul>
            ${settledMarkup(settled, terms)}`
    }
    ${found.length > 0 && others > 0 ? html`<p>${grouped(others)} ${others === 1 ? 'is' : 'are'} not known here, or came twice.</p>` : null}
  </section>`;
}
