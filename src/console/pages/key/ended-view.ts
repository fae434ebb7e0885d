import type { Key } from '../../api-answers.ts';
import { html, type Markup, path, timeMarkup } from '../../markup/markup.ts';
import type { View } from '../../session/visit.ts';
import { masked } from '../keys/key-shown.ts';

/** Of a key that cannot be changed any more: since when, and not since now. Null where it can. */
export function revokedView(key: Key): View | null {
  if (key.state !== 'revoked') return null;
  const since = html`was revoked on ${timeMarkup(key.revoked_at)}. It does not work any more`;
  return endedView(key, `“${key.name}” was revoked already`, since);
}

/** Of one that cannot be rotated. */
export function unrotatableView(key: Key): View | null {
  const { state, expires_at: end, replaced_by: successor } = key;
  if (state === 'revoked') return revokedView(key);
  if (successor !== null) {
    const until = html`${state === 'expired' ? 'worked' : 'works'} until ${timeMarkup(end)}`;
    const which = html`was replaced by <a href=${path(['keys', successor])}>the key that its rotation made</a>, and ${until}`;
    return endedView(key, `“${key.name}” was rotated already`, which);
  }
  if (state === 'expired') {
    return endedView(key, `“${key.name}” has expired`, html`expired on ${timeMarkup(end)}. Create a new one`);
  }
  if (state === 'disabled') {
    return endedView(key, `“${key.name}” is disabled`, 'is disabled. Enable it before you rotate it');
  }
  return null;
}

function endedView(key: Key, title: string, why: Markup): View {
  return {
    title,
    shownAs: path(['keys', key.id]),
    main: html`<p>The key <code>${masked(key)}</code> ${why}, and nothing was changed.</p>
      <p class="actions">
        <a class="button" href=${path(['keys', key.id])}>Go to this API key</a> <a href="/console/keys">All API keys</a>
      </p>`,
  };
}
