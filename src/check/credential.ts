import { hasForm, type Place, type Prefix, type Scheme } from '../schemes/scheme.ts';
import { trimBlanks, valuesAt } from './places.ts';
import type { AccessRequest } from './request.ts';

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

/** Finds what a request presents to the schemes that it was made for. */
export type FindCredential = (request: AccessRequest) => Presented;

/**
 * Finds the one credential in the places where these schemes look, and the scheme whose form it has.
 * Values that came twice are more than one, empty ones counted; headers may arrive apart or joined by a comma.
 * One empty value is none.
 *
 * When no scheme matches, the one that speaks is the one with the credential's prefix, else the first that
 * looks where the request had something, else the first.
 *
 * Costs a look at each place; of schemes that look at the same place, only those with the credential's prefix
 * are looked at.
 */
export function createFindCredential(schemes: readonly [Scheme, ...Scheme[]]): FindCredential {
  const sites = sitesOf(schemes);
  return (request) => {
    let seenAt: Site | null = null;
    let seen = '';
    for (const site of sites) {
      const values = valuesAt(site.place, request);
      if (values.length === 0) continue;
      const isHeader = site.place.kind === 'header';
      const value = isHeader ? trimBlanks(values[0] as string) : (values[0] as string);
      const isSeveral = values.length > 1 || (isHeader && value.includes(','));
      if (value === '' && !isSeveral) continue;
      // Sites are in the order of the schemes that look there.
      if (seenAt !== null || isSeveral) return { kind: 'ambiguous', speaker: (seenAt ?? site).speaker };
      seenAt = site;
      seen = value;
    }
    return seenAt === null ? { kind: 'missing', speaker: schemes[0] } : recogniseAt(seenAt, seen);
  };
}

/**
 * The credential in a header's value, around which no blanks stand any more; null when the scheme word is another.
 * Several spaces are legal (RFC 9110 §11.4).
 */
export function credentialIn(value: string, word: string | null): string | null {
  if (word === null) return value;
  if (value.length <= word.length || value.charAt(word.length) !== ' ') return null;
  const given = value.slice(0, word.length);
  if (given !== word && given.toLowerCase() !== word.toLowerCase()) return null;
  let start = word.length;
  while (value.charAt(start) === ' ') start++;
  return value.slice(start);
}

/** Where some schemes look, and which keys they know there. */
interface Site {
  readonly place: Place;
  /** The first scheme that looks here. */
  readonly speaker: Scheme;
  readonly words: Word[];
}

/** Those who take what stands behind the same word. */
interface Word {
  readonly word: string | null;
  readonly prefixes: PrefixNode;
}

/** The first characters of keys, as a tree of which each level is one character. */
interface PrefixNode {
  /** Those whose prefix ends here. */
  readonly candidates: Candidate[];
  /** Which characters go on, and to what, in the same order: few, so that to look through them is faster than a map. */
  readonly codes: number[];
  readonly next: PrefixNode[];
}

interface Candidate {
  /** The order of schemes, then places, then prefixes: of those that match, the first holds. Infinity without a prefix. */
  readonly rank: number;
  readonly scheme: Scheme;
  readonly place: Place;
  readonly prefix: Prefix;
}

function sitesOf(schemes: readonly Scheme[]): Site[] {
  const sites = new Map<string, Site>();
  let rank = 0;
  for (const scheme of schemes) {
    for (const place of scheme.places) {
      const location = `${place.kind}:${place.name}`;
      const site: Site = sites.get(location) ?? { place, speaker: scheme, words: [] };
      sites.set(location, site);
      const { prefixes } = wordOf(site, place.kind === 'header' ? place.word : null);
      // What has a prefix goes first, wherever its scheme stands.
      for (const prefix of scheme.prefixes)
        nodeOf(prefixes, prefix.text).candidates.push({
          rank: prefix.text === '' ? Number.POSITIVE_INFINITY : rank++,
          ...{ scheme, place, prefix },
        });
    }
  }
  return [...sites.values()];
}

function wordOf({ words }: Site, word: string | null): Word {
  const known = words.find((other) => other.word?.toLowerCase() === word?.toLowerCase());
  if (known !== undefined) return known;
  const added: Word = { word, prefixes: emptyNode() };
  words.push(added);
  return added;
}

function nodeOf(root: PrefixNode, prefix: string): PrefixNode {
  let node = root;
  for (let at = 0; at < prefix.length; at++) {
    const code = prefix.charCodeAt(at);
    node = after(node, code) ?? grow(node, code);
  }
  return node;
}

function emptyNode(): PrefixNode {
  return { candidates: [], codes: [], next: [] };
}

function grow({ codes, next }: PrefixNode, code: number): PrefixNode {
  const grown = emptyNode();
  codes.push(code);
  next.push(grown);
  return grown;
}

function after({ codes, next }: PrefixNode, code: number): PrefixNode | undefined {
  for (let at = 0; at < codes.length; at++) if (codes[at] === code) return next[at];
  return undefined;
}

function recogniseAt({ speaker, words }: Site, value: string): Presented {
  let found: Candidate | null = null;
  let foundText = '';
  /** With the value's prefix, whatever its form. */
  let nearest: Candidate | null = null;
  for (const { word, prefixes } of words) {
    const text = credentialIn(value, word);
    let node = text === null ? undefined : prefixes;
    for (let at = 0; node !== undefined && text !== null; at++) {
      for (const candidate of node.candidates) {
        if (candidate.rank < (nearest?.rank ?? Number.POSITIVE_INFINITY)) nearest = candidate;
        if (text.length > credentialLengthMax || (found !== null && found.rank < candidate.rank)) continue;
        if (!hasForm(candidate.scheme, candidate.prefix, text)) continue;
        found = candidate;
        foundText = text;
      }
      node = at < text.length ? after(node, text.charCodeAt(at)) : undefined;
    }
  }
  if (found === null) return { kind: 'malformed', speaker: nearest?.scheme ?? speaker };
  return { kind: 'key', scheme: found.scheme, place: found.place, prefix: found.prefix, text: foundText };
}
