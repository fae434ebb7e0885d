import type { Settlement } from './api-answers.ts';
import { html, type Markup, timeMarkup } from './markup.ts';

/** From when on a change holds, and on how many replicas that is not confirmed yet, as far as the API says it. */
export function settledMarkup({ effective_at, unconfirmed_replicas: others }: Settlement): Markup {
  const time = timeMarkup(effective_at);
  if (others.length === 0) {
    return html`<p class="note" role="status">In effect on every replica since ${time}.</p>`;
  }
  return html`<div class="warning" role="status">
    <p>
      ${others.length} ${others.length === 1 ? 'replica has' : 'replicas have'} not confirmed it yet. At
      ${' '}${time}, at the latest, it is in effect on every replica.
    </p>
    <p>Not confirmed: ${others.join(', ')}</p>
  </div>`;
}
