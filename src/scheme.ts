import type { Answer, Reason } from './answer.ts';
import { crc32Base62, crc32Length, randomText, Secret } from './secret.ts';

/** Where a scheme's credential sits in a request. Header names are lower case. */
export interface Place {
  readonly header: string;
  /** The authentication scheme word before the key (`Bearer`), which matches in any case; null for none. */
  readonly word: string | null;
}

export interface Prefix {
  readonly text: string;
  readonly environment: string;
}

/** One vendor's way with keys: where they sit, how they look, what the caller is told. */
export interface Scheme {
  readonly name: string;
  readonly places: readonly Place[];
  readonly prefixes: readonly Prefix[];
  /** What follows the prefix, checksum aside. */
  readonly accept: Form;
  readonly mint: { readonly alphabet: string; readonly length: number };
  readonly checksum: 'none' | 'crc32';
  /** Whether the upstream sees the credential. */
  readonly forwardCredential: boolean;
  readonly answers: Readonly<Record<Reason, Answer>>;
}

export interface Form {
  readonly characters: ReadonlySet<string>;
  readonly lengthMin: number;
  readonly lengthMax: number;
}

/** The prefix under which `credential` is a key of this scheme, by its looks alone; null when it is none. */
export function recognise(scheme: Scheme, credential: string): Prefix | null {
  for (const prefix of scheme.prefixes) {
    if (credential.startsWith(prefix.text)) return acceptsBody(scheme, prefix, credential) ? prefix : null;
  }
  return null;
}

/** Whether the credential starts as this scheme's keys do, however it goes on. */
export function hasPrefixOf(scheme: Scheme, credential: string): boolean {
  return scheme.prefixes.some((prefix) => credential.startsWith(prefix.text));
}

/** A new secret for that environment; null when the scheme has no prefix for it. */
export function mintSecret(scheme: Scheme, environment: string): { secret: Secret; prefix: Prefix } | null {
  const prefix = scheme.prefixes.find((candidate) => candidate.environment === environment);
  if (prefix === undefined) return null;
  const text = prefix.text + randomText(scheme.mint.alphabet, scheme.mint.length);
  return { secret: new Secret(scheme.checksum === 'crc32' ? text + crc32Base62(text) : text), prefix };
}

/**
 * `WWW-Authenticate` for a 401 (RFC 9110 §11.6.1): RFC 6750's challenge where the key is a bearer token,
 * `ApiKey` where it sits in a header of its own, for which no scheme is registered.
 */
export function challenge(scheme: Scheme, reason: Reason): string {
  const word = scheme.places[0]?.word ?? 'ApiKey';
  const realm = `${word} realm="${scheme.name}"`;
  return reason === 'missing' ? realm : `${realm}, error="invalid_token"`;
}

function acceptsBody(scheme: Scheme, prefix: Prefix, credential: string): boolean {
  const { characters, lengthMin, lengthMax } = scheme.accept;
  const end = scheme.checksum === 'crc32' ? credential.length - crc32Length : credential.length;
  const length = end - prefix.text.length;
  if (length < lengthMin || length > lengthMax) return false;
  for (let at = prefix.text.length; at < end; at++) {
    if (!characters.has(credential.charAt(at))) return false;
  }
  return scheme.checksum === 'none' || credential.slice(end) === crc32Base62(credential.slice(0, end));
}
