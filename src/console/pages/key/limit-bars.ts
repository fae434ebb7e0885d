import type { KeyLimit } from '../../api-answers.ts';
import { html, type Markup, timeMarkup } from '../../markup/markup.ts';
import { grouped, meter } from '../../markup/parts.ts';

/** How a key stands with its limits, a bar for each; nothing for a key without one. */
export function limitsSection(limits: readonly KeyLimit[]): Markup {
  if (limits.length === 0) return null;
  return html`<section aria-labelledby="limits">
    <h2 id="limits">Limits</h2>
    <ul class="limits">
      ${limits.map(
        ({ name, limit, used, remaining, shared_by: shared, resets_at: resets }) => html`<li>
          <p>
            <strong id=${`limit-${name}`}>${name}</strong>
            <span class="number">${grouped(used)} of ${grouped(limit)}, ${grouped(remaining)} left</span>
          </p>
          ${meter(used, limit, `limit-${name}`)}
          <p class="muted">
            ${resets === null ? 'Never resets' : html`Resets ${timeMarkup(resets)}`}${shared === 'owner' ? ', for all keys of the owner' : ''}
          </p>
        </li>`,
      )}
    </ul>
  </section>`;
}
