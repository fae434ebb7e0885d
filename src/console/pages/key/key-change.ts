import type { Terms } from '../../../admin/terms-operations.ts';
import type { Key, Settlement } from '../../api-answers.ts';
import { post } from '../../markup/controls.ts';
import { html, path, timeMarkup } from '../../markup/markup.ts';
import type { Page, Redirect, View, Visit } from '../../session/visit.ts';
import { masked } from '../keys/key-shown.ts';
import { settledMarkup } from '../settled.ts';
import { revokedView } from './ended-view.ts';
import { keyOf } from './key-of.ts';
import { ownKeyWarning } from './own-key.ts';

type NarrowedKey = Key & Settlement;

/** Ending a key for good, behind a confirmation, and for a while. */
export const keyChangePages: readonly Page[] = [
  {
    path: '/keys/:id/revoke',
    isForWriters: true,
    get: confirmRevoke,
    async post(visit) {
      const key = await keyOf(visit);
      // A form that was open when somebody else revoked it.
      const over = revokedView(key);
      if (over !== null) return over;
      const { data } = await visit.api.call<{ data: NarrowedKey }>('DELETE', `api-keys/${key.id}`);
      return changedView(data, visit.terms, 'API key revoked');
    },
  },
  { path: '/keys/:id/disable', isForWriters: true, get: confirmDisable, post: disable },
  { path: '/keys/:id/enable', post: enable },
];

async function disable(visit: Visit): Promise<View | Redirect> {
  const key = await keyOf(visit);
  const over = revokedView(key);
  if (over !== null) return over;
  const { data } = await visit.api.call<{ data: NarrowedKey }>('POST', `api-keys/${key.id}/disable`);
  const undo = { action: path(['keys', key.id, 'enable']), label: 'Undo: enable it again' };
  return {
    redirect: path(['keys', key.id]),
    flash: { text: `“${key.name}” is disabled.`, settled: settledIn(data), undo },
  };
}

async function enable(visit: Visit): Promise<View | Redirect> {
  const key = await keyOf(visit);
  const over = revokedView(key);
  if (over !== null) return over;
  await visit.api.call('POST', `api-keys/${key.id}/enable`);
  const undo = { action: path(['keys', key.id, 'disable']), label: 'Undo: disable it again' };
  return { redirect: path(['keys', key.id]), flash: { text: `“${key.name}” is enabled.`, undo } };
}

/** When an answer says from when on it holds. */
export function settledIn({ effective_at, unconfirmed_replicas }: Settlement): Settlement {
  return { effective_at, unconfirmed_replicas };
}

async function confirmDisable(visit: Visit): Promise<View> {
  const key = await keyOf(visit);
  const over = revokedView(key);
  if (over !== null) return over;
  if (key.state === 'disabled') {
    const main = html`<p>It does not work until it is enabled again, and nothing was changed.</p>
      <p class="actions"><a class="button" href=${path(['keys', key.id])}>Go to this API key</a></p>`;
    return { title: `“${key.name}” is disabled already`, main };
  }
  return {
    title: `Disable “${key.name}”?`,
    main: html`${ownKeyWarning([key.id], visit.terms, 'You are signed out at once, and somebody else has to enable it again.')}
      <p>
        The key <code>${masked(key)}</code> stops working at once, until it is enabled again. Requests that use it will
        fail. It was last used: ${timeMarkup(key.last_used_at, 'never')}.
      </p>
      ${post(
        path(['keys', key.id, 'disable']),
        visit.token,
        html`<div class="actions">
          <button class="danger">Disable API key</button> <a href=${path(['keys', key.id])}>Cancel</a>
        </div>`,
        'Disabling, and waiting for every replica to know…',
      )}`,
  };
}

async function confirmRevoke(visit: Visit): Promise<View> {
  const key = await keyOf(visit);
  const over = revokedView(key);
  if (over !== null) return over;
  return {
    title: `Revoke “${key.name}”?`,
    main: html`${ownKeyWarning([key.id], visit.terms, 'Once it is revoked you are signed out, and cannot sign in with it again.')}
      <p>
        The key <code>${masked(key)}</code> stops working at once, for good. Requests that use it will fail. It was last
        used: ${timeMarkup(key.last_used_at, 'never')}.
      </p>
      ${post(
        path(['keys', key.id, 'revoke']),
        visit.token,
        html`<div class="actions">
          <button class="danger">Revoke API key</button> <a href=${path(['keys', key.id])}>Cancel</a>
        </div>`,
        'Revoking, and waiting for every replica to know…',
      )}`,
  };
}

/** What a change took away from a key, and from when on. */
export function changedView(key: NarrowedKey, terms: Terms, title: string): View {
  return {
    title,
    shownAs: path(['keys', key.id]),
    main: html`<p>“${key.name}”, <code>${masked(key)}</code></p>
      ${settledMarkup(key, terms)}
      <p class="actions">
        <a class="button" href=${path(['keys', key.id])}>Go to this API key</a> <a href="/console/keys">All API keys</a>
      </p>`,
  };
}
