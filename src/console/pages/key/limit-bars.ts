import type { KeyLimit } from '../../api-answers.ts';
import { html, type Markup, timeMarkup } from '../../markup/markup.ts';

/** How a key stands with its limits, a bar for each; nothing for a key without one. */
export function limitsSection(limits: readonly KeyLimit[]): Markup {
  if (limits.length === 0) return null;
  return html`<section aria-labelledby="limits">
    <h2 id="limits">Limits</h2>
    <dl>
      ${limits.map(
        (limit) => html`<div>
          <dt id=${`limit-${limit.name}`}>${limit.name}</dt>
          <dd>
            <meter
              aria-labelledby=${`limit-${limit.name}`}
              min="0"
              max=${limit.limit}
              high=${limit.limit * nearlySpentPart}
              optimum="0"
              value=${Math.min(limit.limit, Math.max(0, limit.used))}
            ></meter>
            ${limit.used} of ${limit.limit}, ${limit.remaining} left${
              limit.shared_by === 'owner' ? ', for all keys of the owner' : ''
            };
            ${limit.resets_at === null ? 'never resets' : html`resets ${timeMarkup(limit.resets_at)}`}
          </dd>
        </div>`,
      )}
    </dl>
  </section>`;
}

/** From which part on a bar warns, as the event `limit.nearly_spent` does. */
const nearlySpentPart = 0.8;
