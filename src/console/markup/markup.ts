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
  return html`<time datetime=${iso}>${utcText(iso)}</time>`;
}

/** How long ago a time is, or how far ahead, as in "3 h ago" and "in 6 d", up to a year; the time itself is in its title. */
export function agoMarkup(iso: string | null, now: number, otherwise = 'Never'): Markup {
  if (iso === null) return otherwise;
  const ms = Date.parse(iso) - now;
  const text = Math.abs(ms) < 365 * dayMs ? agoText(ms) : dateText(iso);
  return html`<time datetime=${iso} title=${utcText(iso)} data-ago="">${text}</time>`;
}

function utcText(iso: string): string {
  return `${iso.slice(0, 19).replace('T', ' ')} UTC`;
}

function dateText(iso: string): string {
  return new Date(iso).toLocaleDateString('en-GB', { dateStyle: 'medium', timeZone: 'UTC' });
}

const dayMs = 86_400_000;
const units = [
  ['mo', 30 * dayMs],
  ['d', dayMs],
  ['h', 3_600_000],
  ['min', 60_000],
] as const;

/** Milliseconds from now (below 0 for what is past) in the largest unit that fits. */
export function agoText(ms: number): string {
  const length = Math.abs(ms);
  const [unit, size] = units.find(([, unitMs]) => length >= unitMs) ?? ['', 0];
  if (size === 0) return ms > 0 ? 'in a moment' : 'just now';
  const text = `${Math.floor(length / size)} ${unit}`;
  return ms > 0 ? `in ${text}` : `${text} ago`;
}

/** The path of a page, its parts escaped; members of the query that are null or empty are left out. */
export function path(parts: readonly string[], query: Readonly<Record<string, string | null>> = {}): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => Boolean(entry[1]));
  const search = given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
  return `/console${parts.map((part) => `/${encodeURIComponent(part)}`).join('')}${search}`;
}

/** A state as a word and a dot; `words` where they are others than the state's name. */
export function stateMark(state: string, words = state): Element {
  return html`<span class=${`state ${state}`}>${words.charAt(0).toUpperCase() + words.slice(1)}</span>`;
}
