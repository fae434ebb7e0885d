import type { Place, Scheme } from '../schemes/scheme.ts';
import type { PresentedKey } from './credential.ts';
import { cookiesOf, nameOf, splitQuery, textOf, unescapeText } from './places.ts';
import type { AccessRequest } from './request.ts';

/** What of the credential that was used is to be kept from the upstream. */
export interface Withheld {
  /** Headers that go whole. */
  readonly headers: readonly string[];
  /** Headers that are this and no more; `:path` among them. */
  readonly changed: readonly ChangedHeader[];
  /** Parameters that go, where the path cannot be written as the client sent it. */
  readonly parameters: readonly string[];
}

export interface ChangedHeader {
  readonly name: string;
  readonly value: string;
}

/** Works out what the upstream must not see of a request that this key allows. */
export type Withhold = (request: AccessRequest, presented: PresentedKey) => Withheld;

const nothing: Withheld = { headers: [], changed: [], parameters: [] };
const noNames: ReadonlySet<string> = new Set();

/** Where else a copy may stand when the credential came in one place, and what goes when there is none. */
interface Elsewhere {
  readonly withheld: Withheld;
  readonly headers: readonly string[];
  readonly cookies: ReadonlySet<string>;
  readonly parameters: ReadonlySet<string>;
}

/**
 * The credential goes from the place where it was found, and copies of it go from every other place where any of
 * `schemes` looks, whichever of them the route asks for. All else that stands there stays as it was sent. Costs a
 * look at each other header that a scheme names, and more only where the request has something there.
 */
export function createWithhold(schemes: readonly Scheme[]): Withhold {
  const places = schemes.flatMap((scheme) => scheme.places);
  const known = new WeakMap<Place, Elsewhere>();

  return (request, { scheme, place, text }) => {
    if (scheme.forwardCredential) return nothing;
    let elsewhere = known.get(place);
    if (elsewhere === undefined) {
      elsewhere = elsewhereOf(place, places);
      known.set(place, elsewhere);
    }
    const { withheld, headers, cookies, parameters } = elsewhere;
    let changes: Withheld[] | null = null;
    for (const name of headers) {
      const values = request.header(name);
      if (values.length > 0) changes = also(changes, withoutCopies(name, values, text));
    }
    if (cookies.size > 0) changes = also(changes, withoutCookies(request, place, cookies, text));
    if (parameters.size > 0) changes = also(changes, withoutParameters(request, place, parameters, text));
    return changes === null ? withheld : joined([withheld, ...changes]);
  };
}

function elsewhereOf(place: Place, places: readonly Place[]): Elsewhere {
  const named = (kind: Place['kind']) =>
    new Set([place, ...places].filter((one) => one.kind === kind).map(({ name }) => name));
  const headers = named('header');
  if (place.kind === 'header') headers.delete(place.name);
  const isHeader = place.kind === 'header';
  return {
    withheld: isHeader ? { ...nothing, headers: [place.name] } : nothing,
    headers: [...headers].filter((name) => name !== 'cookie' || place.kind !== 'cookie'),
    cookies: isHeader && place.name === 'cookie' ? noNames : named('cookie'),
    parameters: named('query'),
  };
}

function also(changes: Withheld[] | null, change: Withheld | null): Withheld[] | null {
  if (change === null) return changes;
  return changes === null ? [change] : [...changes, change];
}

function joined(all: readonly Withheld[]): Withheld {
  return {
    headers: all.flatMap(({ headers }) => headers),
    changed: all.flatMap(({ changed }) => changed),
    parameters: all.flatMap(({ parameters }) => parameters),
  };
}

/** Of values that were joined by a comma, too, only those that hold a copy go. */
function withoutCopies(name: string, values: readonly string[], credential: string): Withheld | null {
  if (!values.some((value) => holds(value, credential))) return null;
  const kept = values.flatMap((value) => {
    if (!holds(value, credential)) return [value];
    const rest = value.split(',').filter((part) => !holds(part, credential));
    return rest.length === 0 ? [] : [rest.join(',').trim()];
  });
  return changedTo(name, kept);
}

function withoutCookies(
  request: AccessRequest,
  place: Place,
  names: ReadonlySet<string>,
  credential: string,
): Withheld | null {
  const cookies = cookiesOf(request);
  const kept = cookies.filter((cookie) => {
    const name = nameOf(cookie);
    if (place.kind === 'cookie' && name === place.name) return false;
    return !names.has(name) || !holds(unescapeText(textOf(cookie)), credential);
  });
  if (kept.length === cookies.length) return null;
  return changedTo('cookie', kept.length === 0 ? [] : [kept.join('; ')]);
}

/** What is left of a query is byte for byte as it was, which a proxy that takes parameters out by name does not hold. */
function withoutParameters(
  request: AccessRequest,
  place: Place,
  names: ReadonlySet<string>,
  credential: string,
): Withheld | null {
  const { path } = request;
  const { bare, pairs } = splitQuery(path);
  const isKept = (pair: string) => {
    const name = unescapeText(nameOf(pair));
    if (place.kind === 'query' && name === place.name) return false;
    return !names.has(name) || !holds(unescapeText(textOf(pair)), credential);
  };
  const kept = pairs.filter(isKept);
  if (kept.length === pairs.length) return null;
  if (!isAsSent(request, path)) {
    const gone = new Set(pairs.filter((pair) => !isKept(pair)).map(nameOf));
    return { ...nothing, parameters: [...gone] };
  }
  return changedTo(':path', [kept.length === 0 ? bare : `${bare}?${kept.join('&')}`]);
}

/** Envoy tells a path that is no UTF-8 with other characters in their place; only the raw header has it as it is. */
function isAsSent(request: AccessRequest, path: string): boolean {
  const raw = request.header(':path');
  return /^[\x21-\x7e]*$/.test(path) && (raw.length === 0 || (raw.length === 1 && raw[0] === path));
}

function changedTo(name: string, values: readonly string[]): Withheld {
  if (values.length === 0) return { ...nothing, headers: [name] };
  // Envoy would join them as well, and so may any recipient (RFC 9110 §5.3).
  return { ...nothing, changed: [{ name, value: values.map(asText).join(',') }] };
}

/** Whether the credential stands there as a whole, and not as a part of another token. */
function holds(text: string, credential: string): boolean {
  for (let at = text.indexOf(credential); at !== -1; at = text.indexOf(credential, at + 1)) {
    const [before, after] = [text.charAt(at - 1), text.charAt(at + credential.length)];
    if (/^[\s,;:="'<([{]?$/.test(before) && /^[\s,;:"'>)\]}]?$/.test(after)) return true;
  }
  return false;
}

/** Bytes that were read as Latin-1 and are UTF-8 become the text that is written as the same bytes. */
function asText(value: string): string {
  if (!/[\x80-\xff]/.test(value) || /[^\0-\xff]/.test(value)) return value;
  const text = Buffer.from(value, 'latin1').toString();
  return text.includes('\ufffd') ? value : text;
}
