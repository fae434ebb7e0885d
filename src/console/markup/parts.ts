import { icon } from './icons.ts';
import { type Element, html, type Markup } from './markup.ts';

/** What a list shows in place of rows: what there is not, what to do next, and a link or button for it. */
export function emptyState(title: string, next: Markup, action: Markup = null): Element {
  return html`<div class="empty">
    <p>${title}</p>
    <p>${next}</p>
    ${action === null ? null : html`<div class="actions">${action}</div>`}
  </div>`;
}

/** A filter that is set, in words, with a link that takes it away. */
export function chip(words: string, without: string): Element {
  return html`<span class="chip set">${words}<a href=${without} aria-label=${`Remove the filter ${words}`}>${icon('close')}</a></span>`;
}

/** A menu that opens without script. `label` says to who does not see it whose menu it is. */
export function menu(label: string, items: readonly Markup[]): Element {
  return html`<details class="menu" name="menu">
    <summary aria-label=${label}>${icon('more')}</summary>
    <ul>
      ${items.filter((item) => item !== null).map((item) => html`<li>${item}</li>`)}
    </ul>
  </details>`;
}

/** From which part on a bar warns, as the event `limit.nearly_spent` does. */
const nearlySpentPart = 0.8;

/** How much of a whole is used; `labelledby` is the id of what names it. */
export function meter(value: number, most: number, labelledby: string): Element {
  return html`<meter
    aria-labelledby=${labelledby}
    min="0"
    max=${most}
    high=${most * nearlySpentPart}
    optimum="0"
    value=${Math.min(most, Math.max(0, value))}
  ></meter>`;
}

/** A number with its digits in groups, as in 12,345. */
export function grouped(value: number | bigint): string {
  return value.toLocaleString('en-US');
}

/** Short texts beside each other, such as permissions; null for none. */
export function tags(texts: readonly string[]): Markup {
  if (texts.length === 0) return null;
  return html`<ul class="tags">${texts.map((text) => html`<li><code>${text}</code></li>`)}</ul>`;
}
