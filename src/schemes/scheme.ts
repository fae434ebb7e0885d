/**
 * Room `schemes/`: A vendor's way with keys. Here: where a key sits in a request, its form, its checksum, and
 * the words in which a caller is answered. Not here: how settings spell a scheme (`settings/`) and the ones
 * that ship (`presets/`).
 */

import type { Limit } from '../keys/limit.ts';
import { type Mask, mask, type Pepper, randomText, Secret } from '../keys/secret.ts';
import type { Answer, Reason } from './answer.ts';
import type { KeyForm } from './key-form.ts';

/** Where a scheme's credential sits in a request. */
export type Place =
  | {
      readonly kind: 'header';
      /** Lower case. */
      readonly name: string;
      /** The authentication scheme word before the key (`Bearer`), which matches in any case; null for none. */
      readonly word: string | null;
    }
  | { readonly kind: 'query'; readonly name: string }
  | { readonly kind: 'cookie'; readonly name: string };

/** Names a place: two places of one name are the same, and have the same credentials. */
export function placeName(place: Place): string {
  const word = place.kind === 'header' ? place.word?.toLowerCase() : null;
  return JSON.stringify([place.kind, place.name, word ?? null]);
}

export interface Prefix {
  readonly text: string;
  readonly environment: string;
}

/** Characters at the end of a secret that follow from those before. */
export interface Checksum {
  readonly length: number;
  /** Whose HMAC it is; null for a CRC, which needs none. */
  readonly keys: readonly [Pepper, ...Pepper[]] | null;
  make(text: string): string;
  matches(text: string, checksum: string): boolean;
}

/** Whether what is decided of a request holds, or is told and counted alone while the request is allowed. */
export type Mode = 'enforce' | 'observe';

/** What becomes of requests that came in clear text. */
export type Cleartext = 'allow' | 'deny' | 'revoke';

/** `x` are X-RateLimit-*, `ietf` those of draft-ietf-httpapi-ratelimit-headers. */
export const rateLimitHeaders = ['x', 'ietf', 'both', 'none'] as const;
export type RateLimitHeaders = (typeof rateLimitHeaders)[number];

/** One vendor's way with keys: where they sit, how they look, what the caller is told. */
export interface Scheme {
  readonly name: string;
  /** In the order in which they are told apart when none has a key; a key may sit in any one of them. */
  readonly places: readonly [Place, ...Place[]];
  /** A longer one before one that it starts with. */
  readonly prefixes: readonly Prefix[];
  /** Of what stands between prefix and checksum. */
  readonly form: KeyForm;
  /** Whether that has the scheme's form. */
  readonly accepts: (body: string) => boolean;
  /** The fewest characters that it takes; 1 where that is not known. */
  readonly bodyLengthMin: number;
  /** Null for keys without a prefix, which are imported and never made. */
  readonly mint: { readonly alphabet: string; readonly length: number } | null;
  readonly checksum: Checksum | null;
  /** Whether the upstream sees the credential. */
  readonly forwardCredential: boolean;
  /** Plan → its limits, none for `unlimited`; the settings' own plans come first. */
  readonly plans: ReadonlyMap<string, readonly Limit[]>;
  /** By which headers a caller is told how it stands with its limits. */
  readonly rateLimitHeaders: RateLimitHeaders;
  /** The plan of a key that has none, nor an owner with one. */
  readonly defaultPlan: string | null;
  readonly answers: Readonly<Record<Reason, Answer>>;
  /** Of requests with its keys; null where the settings' own holds. */
  readonly mode: Mode | null;
  /** Of requests with its keys in clear text; null where the settings' own holds. */
  readonly cleartext: Cleartext | null;
}

/** The prefix under which `credential` is a key of this scheme, by its looks alone; null when it is none. */
export function recognise(scheme: Scheme, credential: string): Prefix | null {
  // Not the first prefix alone: behind `k_` may stand what makes it look like one of `k_1`.
  return scheme.prefixes.find((prefix) => hasForm(scheme, prefix, credential)) ?? null;
}

/** Whether `credential` is, by its looks, a key of this scheme under this one of its prefixes. */
export function hasForm(
  { accepts, checksum }: Scheme,
  { text: prefix }: Prefix,
  credential: string,
): boolean {
  if (!credential.startsWith(prefix)) return false;
  if (checksum === null) return accepts(credential.slice(prefix.length));
  const end = credential.length - checksum.length;
  if (end < prefix.length || !accepts(credential.slice(prefix.length, end))) return false;
  return checksum.matches(credential.slice(0, end), credential.slice(end));
}

/** Whether keys of this scheme begin with nothing that tells them from others'. */
export function hasNoPrefix({ prefixes }: Scheme): boolean {
  return prefixes.some(({ text }) => text === '');
}

/** What may be shown of a secret of this scheme. */
export function maskOf({ checksum }: Scheme, secret: string, prefix: Prefix): Mask {
  return mask(secret, prefix.text, checksum?.length ?? 0);
}

/** A new secret for that environment; null when the scheme makes none for it. */
export function mintSecret(scheme: Scheme, environment: string): { secret: Secret; prefix: Prefix } | null {
  const prefix = scheme.prefixes.find((candidate) => candidate.environment === environment);
  if (prefix === undefined || scheme.mint === null) return null;
  const text = prefix.text + randomText(scheme.mint.alphabet, scheme.mint.length);
  return { secret: new Secret(text + (scheme.checksum?.make(text) ?? '')), prefix };
}

/**
 * `WWW-Authenticate` for a 401 (RFC 9110 §11.6.1): RFC 6750's challenge where the key is a bearer token,
 * `ApiKey` where it sits in a place of its own, for which no scheme is registered.
 */
export function challenge(scheme: Scheme, reason: Reason): string {
  const [place] = scheme.places;
  const word = (place.kind === 'header' ? place.word : null) ?? 'ApiKey';
  const realm = `${word} realm="${scheme.name}"`;
  return reason === 'missing' ? realm : `${realm}, error="invalid_token"`;
}
