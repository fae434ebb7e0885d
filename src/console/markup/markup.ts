import { createRequire } from 'node:module';

/** An element, as Preact has it. */
export interface Element {
  readonly type: unknown;
  readonly props: unknown;
}

/** What may stand in an element. Text is escaped when it is rendered. */
export type Markup = Element | string | number | null | readonly Markup[];

// Imported, their types would bring those of a browser's page into the whole service.
const require = createRequire(import.meta.url);
const preact = require('preact') as { readonly h: (type: unknown, props: unknown) => Element };
const htm = require('htm') as { bind(h: typeof preact.h): typeof html };
const rendering = require('preact-render-to-string') as { readonly render: (element: Element) => string };

/** Markup of elements and values. No value of it can become markup. */
export const html: (strings: TemplateStringsArray, ...values: unknown[]) => Element = htm.bind(preact.h);

/** The text of an element. */
export const render = rendering.render;

/** A time as UTC; the script of the page writes it in the reader's zone. */
export function timeMarkup(iso: string | null, otherwise = 'Never'): Markup {
  if (iso === null) return otherwise;
  return html`<time datetime=${iso}>${iso.slice(0, 19).replace('T', ' ')} UTC</time>`;
}

/** The path of a page, its parts escaped; members of the query that are null or empty are left out. */
export function path(parts: readonly string[], query: Readonly<Record<string, string | null>> = {}): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => Boolean(entry[1]));
  const search = given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
  return `/console${parts.map((part) => `/${encodeURIComponent(part)}`).join('')}${search}`;
}

/** A state as a word in a coloured frame. */
export function badge(word: string): Element {
  return html`<span class=${`badge ${word}`}>${word.charAt(0).toUpperCase() + word.slice(1)}</span>`;
}
