import type { Key } from '../../api-answers.ts';
import { html, type Markup, path, stateMark } from '../../markup/markup.ts';

/** The state of a key; that no request of it passes goes before that it is active. */
export function stateMarkup(
  { state, blocked, owner }: Pick<Key, 'state' | 'blocked' | 'owner'>,
  isOwnerSeen: boolean,
): Markup {
  if (blocked === null || owner === null) return stateMark(state);
  const why = 'its owner is inactive';
  return html`${stateMark('blocked')} ${isOwnerSeen ? html`<a href=${path(['owners', owner])}>${why}</a>` : why}`;
}

/** What may be shown of a key, to tell it from others. */
export function masked({ prefix, last4 }: Pick<Key, 'prefix' | 'last4'>): string {
  return `${prefix}…${last4}`;
}
