import type { Terms } from '../../../admin/terms-operations.ts';
import { html, type Markup } from '../../markup/markup.ts';

/**
 * That somebody is about to shut themselves out, and how; nothing where none of the keys is the one they came by.
 * @param count how many keys it is about, where `ids` are not all of them
 */
export function ownKeyWarning(
  ids: readonly string[],
  { actor }: Pick<Terms, 'actor'>,
  what: string,
  count = ids.length,
): Markup {
  if (!ids.includes(actor)) return null;
  const which = count === 1 ? 'This is' : 'Among them is';
  return html`<p class="warning">
    <strong>${which} the admin key that you are signed in with.</strong> ${what}
  </p>`;
}
