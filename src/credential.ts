import type { AccessRequest } from './request.ts';
import { type Place, type Prefix, prefixOf, recognise, type Scheme } from './scheme.ts';

/** Characters of a credential, past which it is malformed without a look. */
const credentialLengthMax = 1024;

/** A credential that has the form of a scheme's keys. */
export interface PresentedKey {
  readonly kind: 'key';
  readonly scheme: Scheme;
  readonly place: Place;
  readonly prefix: Prefix;
  readonly text: string;
}

/** What a request presents, by its looks alone. `speaker` is the scheme whose answers the caller reads. */
export type Presented =
  | PresentedKey
  | { readonly kind: 'missing' | 'ambiguous' | 'malformed'; readonly speaker: Scheme };

/**
 * Finds the one credential in the places where these schemes look, and the scheme whose form it has.
 * Headers that came twice may arrive apart or joined by a comma; either way they are more than one.
 *
 * When no scheme matches, the one that speaks is the one with the credential's prefix, else the first that
 * looks where the request had something, else the first.
 */
export function findCredential(request: AccessRequest, schemes: readonly [Scheme, ...Scheme[]]): Presented {
  const seen = new Map<string, string>();
  const looked = new Set<string>();
  let count = 0;
  for (const { places } of schemes) {
    for (const place of places) {
      const location = locationOf(place);
      if (looked.has(location)) continue;
      looked.add(location);
      for (const value of valuesAt(place, request)) {
        count += place.kind === 'header' && value.includes(',') ? 2 : 1;
        seen.set(location, value);
      }
    }
  }
  const looksThere = (scheme: Scheme) => scheme.places.some((place) => seen.has(locationOf(place)));
  const speaker = schemes.find(looksThere) ?? schemes[0];
  if (count === 0) return { kind: 'missing', speaker };
  if (count > 1) return { kind: 'ambiguous', speaker };
  for (const scheme of schemes) {
    const match = matchScheme(scheme, seen);
    if (match !== null) return match;
  }
  return { kind: 'malformed', speaker: schemes.find((scheme) => hasItsPrefix(scheme, seen)) ?? speaker };
}

/** The credential in a header's value; null when the scheme word is another. Several spaces are legal (RFC 9110 §11.4). */
export function credentialIn(value: string, word: string | null): string | null {
  if (word === null) return value;
  if (value.length <= word.length || value.charAt(word.length) !== ' ') return null;
  if (value.slice(0, word.length).toLowerCase() !== word.toLowerCase()) return null;
  let start = word.length;
  while (value.charAt(start) === ' ') start++;
  return value.slice(start);
}

/** The cookies of a request as they were sent, `name=value` each (RFC 6265 §4.2). */
export function cookiesOf(request: AccessRequest): string[] {
  return request
    .header('cookie')
    .flatMap((header) => header.split(';'))
    .map((cookie) => cookie.trim())
    .filter((cookie) => cookie !== '');
}

function valuesAt(place: Place, request: AccessRequest): readonly string[] {
  const values =
    place.kind === 'header'
      ? request.header(place.name)
      : place.kind === 'cookie'
        ? named(cookiesOf(request), place.name)
        : queryValues(request.path, place.name);
  return values.filter((value) => value !== '');
}

/**
 * A parameter whose name is escaped counts as one more than it is: Envoy would not take it out, so that the
 * upstream would see it.
 */
function queryValues(path: string, name: string): string[] {
  const query = /\?([^#]*)/.exec(path)?.[1] ?? '';
  const pairs = query.split('&');
  const escaped = pairs.filter((pair) => nameOf(pair) !== name && unescapeText(nameOf(pair)) === name);
  return [...named(pairs, name).map(unescapeText), ...escaped.flatMap(() => ['escaped', 'escaped'])];
}

function named(pairs: readonly string[], name: string): string[] {
  return pairs.filter((pair) => nameOf(pair) === name).map((pair) => pair.slice(name.length + 1));
}

function nameOf(pair: string): string {
  const end = pair.indexOf('=');
  return end === -1 ? pair : pair.slice(0, end);
}

function unescapeText(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function matchScheme(scheme: Scheme, seen: ReadonlyMap<string, string>): PresentedKey | null {
  for (const place of scheme.places) {
    const text = credentialAt(place, seen);
    if (text === null || text.length > credentialLengthMax) continue;
    const prefix = recognise(scheme, text);
    if (prefix !== null) return { kind: 'key', scheme, place, prefix, text };
  }
  return null;
}

function hasItsPrefix(scheme: Scheme, seen: ReadonlyMap<string, string>): boolean {
  return scheme.places.some((place) => {
    const text = credentialAt(place, seen);
    return text !== null && prefixOf(scheme, text) !== null;
  });
}

function credentialAt(place: Place, seen: ReadonlyMap<string, string>): string | null {
  const value = seen.get(locationOf(place));
  if (value === undefined) return null;
  return place.kind === 'header' ? credentialIn(value, place.word) : value;
}

function locationOf(place: Place): string {
  return `${place.kind}:${place.name}`;
}
