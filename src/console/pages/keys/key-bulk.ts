import { isKeyId } from '../../../keys/key.ts';
import type { EndedKeys, Key } from '../../api-answers.ts';
import { post } from '../../markup/controls.ts';
import { html, type Markup, path } from '../../markup/markup.ts';
import { grouped } from '../../markup/parts.ts';
import { Refusal } from '../../refusal.ts';
import type { Page, Redirect, View, Visit } from '../../session/visit.ts';
import { ownKeyWarning } from '../key/own-key.ts';
import { apiFilters, type Filters, isFiltered, queryOf } from './key-query.ts';
import { masked } from './key-shown.ts';

/** What is done with many keys, in the words of its pages. */
interface Act {
  readonly name: 'revoke' | 'disable';
  readonly verb: string;
  readonly done: string;
  readonly what: string;
  readonly progress: string;
}

const acts: readonly Act[] = [
  {
    ...{ name: 'revoke', verb: 'Revoke', done: 'revoked', progress: 'Revoking' },
    what: 'They stop working at once, for good. Requests that use them will fail.',
  },
  {
    ...{ name: 'disable', verb: 'Disable', done: 'disabled', progress: 'Disabling' },
    what: 'Requests that use them will fail until somebody enables them again.',
  },
];
const shownMax = 20;

/** Ending many keys, behind a question that says how many a dry run would change. */
export const keyBulkPages: readonly Page[] = acts.map((act) => ({
  path: `/keys/${act.name}`,
  isForWriters: true,
  get: (visit) => askToEnd(visit, act, visit.query),
  post: (visit) => endKeys(visit, act),
}));

/** Which keys: those of the boxes, or all of a list. */
interface Chosen {
  readonly ids: readonly string[];
  readonly filters: Filters;
  readonly body: object;
}

function chosenBy(query: URLSearchParams, now: number): Chosen {
  const ids = [...new Set([...query.getAll('id'), ...(query.get('ids') ?? '').split(',')])].filter(isKeyId);
  const filters = queryOf(query);
  if (ids.length > 0) return { ids, filters: {}, body: { ids } };
  if (!isFiltered(filters)) throw new Refusal(400, 'NOTHING_CHOSEN', 'No API key was chosen.');
  const { filter, faults } = apiFilters(filters, filters.at ?? new Date(now).toISOString());
  const [fault] = faults;
  if (fault !== undefined) throw new Refusal(400, 'INVALID_FIELD', `${fault.field} ${fault.description}.`);
  return { ids, filters, body: { filter } };
}

async function askToEnd(visit: Visit, act: Act, query: URLSearchParams, note: Markup = null): Promise<View> {
  const chosen = chosenBy(query, visit.now);
  const [{ matched, changed }, keys, own] = await Promise.all([
    ended(visit, act, { ...chosen.body, dry_run: true }),
    someOf(visit, chosen),
    ownOf(visit, act, chosen),
  ]);
  const title = changed === 1 ? `${act.verb} this API key?` : `${act.verb} ${grouped(changed)} API keys?`;
  const rest = matched - changed;
  return {
    title,
    trail: { href: '/console/keys', name: 'API Keys' },
    main: html`${note} ${ownKeyWarning(own, visit.terms, 'You are signed out at once.', matched)}
      ${changed === 0 ? html`<p>None of the ${grouped(matched)} would change: they are ${act.done} already, or have ended.</p>` : html`<p>${act.what}</p>`}
      ${changed > 0 && rest > 0 ? html`<p>${grouped(rest)} more that you chose would not change.</p>` : null}
      ${list(keys, matched)}
      ${changed === 0 ? html`<p class="actions"><a class="button" href="/console/keys">Go to API Keys</a></p>` : form(visit, act, query, changed)}`,
  };
}

/** The id of the admin key that somebody is signed in with, where it is one of those that would change. */
async function ownOf(visit: Visit, act: Act, { ids, body }: Chosen): Promise<readonly string[]> {
  const { actor } = visit.terms;
  if (!isKeyId(actor) || (ids.length > 0 && !ids.includes(actor))) return [];
  const { changed } = await ended(visit, act, { ...body, ids: [actor], dry_run: true });
  return changed === 0 ? [] : [actor];
}

function list(keys: readonly Key[], matched: number): Markup {
  const more = matched - keys.length;
  return html`<ul class="named">
      ${keys.map((key) => html`<li><a href=${path(['keys', key.id])}>${key.name}</a> <code>${masked(key)}</code>${key.owner === null ? '' : html` <span class="muted">${key.owner}</span>`}</li>`)}
    </ul>
    ${more > 0 ? html`<p class="muted">And ${grouped(more)} more.</p>` : null}`;
}

/** As many of them as are shown by name. */
async function someOf({ api }: Visit, { ids, body }: Chosen): Promise<readonly Key[]> {
  if (ids.length > 0) {
    const known = await Promise.all(ids.slice(0, shownMax).map((id) => api.key(id).catch(unseen)));
    return known.filter((key) => key !== null);
  }
  const { filter } = body as { readonly filter: Filters };
  const given = Object.entries(filter).filter((entry): entry is [string, string] => entry[1] !== null);
  return (await api.keys(new URLSearchParams([...given, ['page_size', String(shownMax)]]).toString())).data;
}

function unseen(error: unknown): null {
  if (error instanceof Refusal && error.status === 404) return null;
  throw error;
}

function form({ token }: Visit, act: Act, query: URLSearchParams, changed: number): Markup {
  const words = changed === 1 ? 'API key' : `${grouped(changed)} API keys`;
  return post(
    path(['keys', act.name]),
    token,
    html`<input type="hidden" name="chosen" value=${query.toString()} />
      <input type="hidden" name="changed" value=${changed} />
      <div class="actions">
        <button class="danger">${act.verb} ${words}</button> <a href="/console/keys">Cancel</a>
      </div>`,
    `${act.progress}, and waiting for every replica to know…`,
  );
}

/** No more than the question said: where there are more by now, it is asked again. */
async function endKeys(visit: Visit, act: Act): Promise<View | Redirect> {
  const { form, now } = visit;
  const query = new URLSearchParams(form.text('chosen'));
  const { body } = chosenBy(query, now);
  const due = await ended(visit, act, { ...body, dry_run: true });
  if (due.changed > Number(form.text('changed'))) {
    const note = html`<p class="warning" role="alert">There are more of them by now, and nothing was changed. Look again.</p>`;
    return askToEnd(visit, act, query, note);
  }
  const { changed, effective_at, unconfirmed_replicas } = await ended(visit, act, body);
  const words = changed === 1 ? '1 API key' : `${grouped(changed)} API keys`;
  const settled = effective_at === null ? {} : { settled: { effective_at, unconfirmed_replicas } };
  return { redirect: path(['keys']), flash: { text: `${words} ${act.done}.`, ...settled } };
}

async function ended({ api }: Visit, { name }: Act, body: object): Promise<EndedKeys> {
  return (await api.call<{ data: EndedKeys }>('POST', `api-keys:${name}`, body)).data;
}
