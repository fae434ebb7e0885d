import type { AccessRequest } from './request.ts';
import { hasPrefixOf, type Place, type Prefix, recognise, type Scheme } from './scheme.ts';

/** Characters of a credential, past which it is malformed without a look. */
const credentialLengthMax = 1024;

/** What a request presents, by its looks alone. `speaker` is the scheme whose answers the caller reads. */
export type Presented =
  | { readonly kind: 'missing' | 'ambiguous' | 'malformed'; readonly speaker: Scheme }
  | { readonly kind: 'key'; readonly scheme: Scheme; readonly place: Place; readonly prefix: Prefix; readonly text: string };

/**
 * Finds the one credential in the places where these schemes look, and the scheme whose form it has.
 * Headers that came twice may arrive apart or joined by a comma; either way they are more than one.
 *
 * When no scheme matches, the one that speaks is the one with the credential's prefix, else the first that
 * looks where the request had something, else the first.
 */
export function findCredential(request: AccessRequest, schemes: readonly [Scheme, ...Scheme[]]): Presented {
  const seen = new Map<string, string>();
  let count = 0;
  for (const header of headersOf(schemes)) {
    for (const value of request.header(header)) {
      if (value === '') continue;
      count += value.includes(',') ? 2 : 1;
      seen.set(header, value);
    }
  }
  const looksThere = (scheme: Scheme) => scheme.places.some((place) => seen.has(place.header));
  const speaker = schemes.find(looksThere) ?? schemes[0];
  if (count === 0) return { kind: 'missing', speaker };
  if (count > 1) return { kind: 'ambiguous', speaker };
  for (const scheme of schemes) {
    const match = matchScheme(scheme, seen);
    if (match !== null) return { kind: 'key', scheme, ...match };
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

function matchScheme(
  scheme: Scheme,
  seen: ReadonlyMap<string, string>,
): { place: Place; prefix: Prefix; text: string } | null {
  for (const place of scheme.places) {
    const text = credentialAt(place, seen);
    if (text === null || text.length > credentialLengthMax) continue;
    const prefix = recognise(scheme, text);
    if (prefix !== null) return { place, prefix, text };
  }
  return null;
}

function hasItsPrefix(scheme: Scheme, seen: ReadonlyMap<string, string>): boolean {
  return scheme.places.some((place) => {
    const text = credentialAt(place, seen);
    return text !== null && hasPrefixOf(scheme, text);
  });
}

function credentialAt(place: Place, seen: ReadonlyMap<string, string>): string | null {
  const value = seen.get(place.header);
  return value === undefined ? null : credentialIn(value, place.word);
}

function headersOf(schemes: readonly Scheme[]): Set<string> {
  return new Set(schemes.flatMap((scheme) => scheme.places.map((place) => place.header)));
}
