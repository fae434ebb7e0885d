import type { Terms } from '../../admin/terms-operations.ts';
import type { Settlement } from '../api-answers.ts';
import { html, type Markup, timeMarkup } from '../markup/markup.ts';

/**
 * From when on a change holds, and on how many replicas, or on how many that is not confirmed yet; `replicas` is what
 * the API says that there are, null where it does not know. `unnamed` have not confirmed it either.
 */
export function settledMarkup(
  { effective_at, unconfirmed_replicas: others, unnamed = 0 }: Settlement & { readonly unnamed?: number },
  { replicas }: Pick<Terms, 'replicas'>,
): Markup {
  const time = timeMarkup(effective_at);
  const everywhere = replicas === null ? 'all replicas' : `all replicas (${replicas})`;
  if (others.length === 0) {
    return html`<p class="note" role="status">In effect on ${everywhere} since ${time}.</p>`;
  }
  return html`<div class="warning" role="status">
    <p>
      ${others.length + unnamed} ${others.length + unnamed === 1 ? 'replica has' : 'replicas have'} not confirmed it yet. At
      ${' '}${time}, at the latest, it is in effect on ${everywhere}.
    </p>
    <p>Not confirmed: ${others.join(', ')}${unnamed === 0 ? '' : ` and ${unnamed} more`}</p>
  </div>`;
}
