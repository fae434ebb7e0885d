import type { Terms } from '../../../admin/terms-operations.ts';
import type { Key, Settlement } from '../../api-answers.ts';
import { post } from '../../markup/controls.ts';
import { html, path, timeMarkup } from '../../markup/markup.ts';
import type { Page, View, Visit } from '../../session/visit.ts';
import { masked } from '../keys/key-list.ts';
import { settledMarkup } from '../settled.ts';
import { keyOf } from './key-detail.ts';

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
      if (key.state === 'revoked') return revokedView(key);
      const { data } = await visit.api.call<{ data: NarrowedKey }>('DELETE', `api-keys/${key.id}`);
      return changedView(data, visit.terms, 'API key revoked');
    },
  },
  {
    path: '/keys/:id/disable',
    async post(visit) {
      const { id } = await keyOf(visit);
      const { data } = await visit.api.call<{ data: NarrowedKey }>('POST', `api-keys/${id}/disable`);
      return changedView(data, visit.terms, 'API key disabled');
    },
  },
  {
    path: '/keys/:id/enable',
    async post(visit) {
      const { id } = await keyOf(visit);
      await visit.api.call('POST', `api-keys/${id}/enable`);
      return { redirect: path(['keys', id]) };
    },
  },
];

async function confirmRevoke(visit: Visit): Promise<View> {
  const key = await keyOf(visit);
  if (key.state === 'revoked') return revokedView(key);
  return {
    title: `Revoke “${key.name}”?`,
    main: html`<p>
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

/** Of a key that had ended before: since when, and not since now. */
function revokedView(key: Key): View {
  return {
    title: `“${key.name}” was revoked already`,
    shownAs: path(['keys', key.id]),
    main: html`<p>
        The key <code>${masked(key)}</code> was revoked on ${timeMarkup(key.revoked_at)}. It does not work any more,
        and nothing was changed.
      </p>
      <p class="actions">
        <a class="button" href=${path(['keys', key.id])}>Go to this API key</a> <a href="/console/keys">All API keys</a>
      </p>`,
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
