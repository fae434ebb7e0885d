import type { KeyLimit } from '../../api-answers.ts';
import { html, type Markup, timeMarkup } from '../../markup/markup.ts';
import { grouped, meter } from '../../markup/parts.ts';

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
            ${meter(limit.used, limit.limit, `limit-${limit.name}`)}
            ${grouped(limit.used)} of ${grouped(limit.limit)}, ${grouped(limit.remaining)} left${
              limit.shared_by === 'owner' ? ', for all keys of the owner' : ''
            };
            ${limit.resets_at === null ? 'never resets' : html`resets ${timeMarkup(limit.resets_at)}`}
          </dd>
        </div>`,
      )}
    </dl>
  </section>`;
}
