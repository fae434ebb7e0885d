import type { Terms } from '../../../admin/terms-operations.ts';
import { html } from '../../markup/markup.ts';
import { sectionsFor } from '../../sections.ts';
import type { Redirect, View } from '../../session/visit.ts';

/** Where they go who have signed in and see no overview. */
export function homeOf(terms: Terms): View | Redirect {
  const first = sectionsFor(terms).find(({ href }) => href !== '/console');
  if (first !== undefined) return { redirect: first.href };
  return { title: 'Welcome', main: html`<p>There is no page that this session is for.</p>` };
}
