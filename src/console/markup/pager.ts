import { html, type Markup, path } from './markup.ts';

const trailMax = 50;

/** Where in a list somebody is: the token of this page, and those of the pages before it. */
export interface Place {
  readonly token: string;
  readonly trail: readonly string[];
}

/** The place that a query names: the trail in `back`, parted by dots, as no token holds any. */
export function placeIn(query: URLSearchParams): Place {
  const back = query.get('back') ?? '';
  return {
    token: query.get('page_token') ?? '',
    trail: back === '' ? [] : back.split('.').slice(-trailMax),
  };
}

/** Links to the pages before and after, none where there is but one. */
export function pagerMarkup(
  parts: readonly string[],
  filters: Readonly<Record<string, string | null>>,
  { token, trail }: Place,
  nextToken: string | null,
): Markup {
  if (token === '' && nextToken === null) return null;
  // A trail holds `-` for the first page, which has no token.
  const previous = trail.at(-1);
  const back = {
    page_token: previous === undefined || previous === '-' ? null : previous,
    back: trail.slice(0, -1).join('.'),
  };
  const onward = { page_token: nextToken, back: [...trail, token || '-'].slice(-trailMax).join('.') };
  return html`<nav class="pager" aria-label="Pages">
    ${token === '' ? null : html`<a rel="prev" href=${path(parts, { ...filters, ...back })}>Previous page</a>`}
    ${nextToken === null ? null : html`<a rel="next" href=${path(parts, { ...filters, ...onward })}>Next page</a>`}
  </nav>`;
}

/** Of these names, what a query says; null for what it does not. */
export function filtersIn(query: URLSearchParams, names: readonly string[]): Record<string, string | null> {
  return Object.fromEntries(names.map((name) => [name, query.get(name)?.trim() || null]));
}

/** The query of the REST API for these filters and this place. */
export function apiQuery(
  filters: Readonly<Record<string, string | null>>,
  { token }: Place,
  size: number,
): string {
  const given = Object.entries(filters).filter((entry): entry is [string, string] => entry[1] !== null);
  const query = new URLSearchParams([...given, ['page_size', String(size)]]);
  if (token !== '') query.set('page_token', token);
  return query.toString();
}
