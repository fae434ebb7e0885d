import type { Terms } from '../../admin/terms-operations.ts';
import { settledMarkup } from '../pages/settled.ts';
import type { Flash } from '../session/flash.ts';
import { post } from './controls.ts';
import { type Element, html } from './markup.ts';

/** What was done, from when on it holds, and a button that undoes it where something does. */
export function flashMarkup({ text, settled, undo }: Flash, terms: Terms, token: string): Element {
  return html`<div class="flash" role="status">
    <p>${text}</p>
    ${settled === undefined ? null : settledMarkup(settled, terms)}
    ${undo === undefined ? null : post(undo.action, token, html`<button>${undo.label}</button>`, 'Undoing…')}
  </div>`;
}
