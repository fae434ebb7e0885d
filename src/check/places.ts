import type { Place } from '../schemes/scheme.ts';
import type { AccessRequest } from './request.ts';

/** What stands at a place of a request, each value by itself, empty ones too. */
export function valuesAt(place: Place, request: AccessRequest): readonly string[] {
  if (place.kind === 'header') return request.header(place.name);
  if (place.kind === 'cookie') return named(cookiesOf(request), place.name);
  return queryValues(request.path, place.name);
}

/** The cookies of a request as they were sent, `name=value` each (RFC 6265 §4.2). */
export function cookiesOf(request: AccessRequest): string[] {
  return request
    .header('cookie')
    .flatMap((header) => header.split(';'))
    .map(trimBlanks)
    .filter((cookie) => cookie !== '');
}

/** A path, and the pairs of its query as they were sent; no pairs where it has none. */
export function splitQuery(path: string): { readonly bare: string; readonly pairs: readonly string[] } {
  const at = path.indexOf('?');
  return at === -1
    ? { bare: path, pairs: [] }
    : { bare: path.slice(0, at), pairs: path.slice(at + 1).split('&') };
}

/** Without the blanks and tabs around it, which are no part of a field's value (RFC 9110 §5.5). */
export function trimBlanks(text: string): string {
  let [from, to] = [0, text.length];
  while (from < to && isBlank(text.charCodeAt(from))) from++;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
  return to - from === text.length ? text : text.slice(from, to);
}

export function nameOf(pair: string): string {
  const end = pair.indexOf('=');
  return end === -1 ? pair : pair.slice(0, end);
}

export function textOf(pair: string): string {
  const end = pair.indexOf('=');
  return end === -1 ? '' : pair.slice(end + 1);
}

/** What a part of a query means; what is no escape stands for itself. */
export function unescapeText(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A parameter whose name is escaped counts as one more than it is: upstreams may take it for another or for none. */
function queryValues(path: string, name: string): string[] {
  const { pairs } = splitQuery(path.replace(/#.*$/s, ''));
  const escaped = pairs.filter((pair) => nameOf(pair) !== name && unescapeText(nameOf(pair)) === name);
  return [...named(pairs, name).map(unescapeText), ...escaped.flatMap(() => ['escaped', 'escaped'])];
}

function named(pairs: readonly string[], name: string): string[] {
  return pairs.filter((pair) => nameOf(pair) === name).map(textOf);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
