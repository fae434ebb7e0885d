import { hash, randomBytes } from 'node:crypto';
import { createHmacSha256 } from './hmac.ts';

declare const digestBrand: unique symbol;
/**
 * What is kept of a secret: base64url of its SHA-256, or `ID:` and base64url of its HMAC-SHA-256 under the
 * pepper of that id. Safe to index and to compare; not to log, since it names a key.
 */
export type Digest = string & { readonly [digestBrand]: true };

const inspect = Symbol.for('nodejs.util.inspect.custom');

/** A key's secret. It does not print, log or serialise; {@link Secret.reveal} is the one way to its text. */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The text itself, for hashing and for the one answer that hands it out. */
  reveal(): string {
    return this.#text;
  }

  toString(): never {
    throw new TypeError('a secret has no string form');
  }

  toJSON(): never {
    throw new TypeError('a secret has no JSON form');
  }

  [inspect](): string {
    return '[secret]';
  }
}

export interface Pepper {
  readonly id: string;
  readonly key: Uint8Array;
}

/** Digests secrets under the configured peppers: the first signs, all verify, and so does none at all. */
export interface Digester {
  /** The digest that a new key is stored under, and that memory is searched by. */
  sign(secret: string): Digest;
  /** Every digest that this secret may be stored under, the signing one first. */
  candidates(secret: string): Digest[];
  /** The peppers, the signing one first; none at all is not among them. */
  readonly pepperIds: readonly string[];
}

export function createDigester(peppers: readonly Pepper[]): Digester {
  const peppered = peppers.map(signWith);
  return {
    sign: peppered[0] ?? sha256,
    candidates: (secret) => [...peppered.map((sign) => sign(secret)), sha256(secret)],
    pepperIds: peppers.map(({ id }) => id),
  };
}

function sha256(secret: string): Digest {
  return hash('sha256', secret, 'base64url') as Digest;
}

function signWith({ id, key }: Pepper): (secret: string) => Digest {
  const hmac = createHmacSha256(key);
  return (secret) => `${id}:${hmac(secret)}` as Digest;
}

/**
 * The digest, under no pepper, of a secret of which only the SHA-256 is known: 64 hexadecimal digits in any case, or
 * base64 or base64url of the 32 bytes, with or without padding. Null for anything else.
 */
export function digestOfSha256(text: string): Digest | null {
  const isHex = /^[0-9A-Fa-f]{64}$/.test(text);
  if (!isHex && !/^(?:[0-9A-Za-z+/]{43}|[0-9A-Za-z_-]{43})=?$/.test(text)) return null;
  const digest = Buffer.from(text, isHex ? 'hex' : 'base64').toString('base64url');
  // The last of 43 characters has two bits to spare, which a digest leaves at zero.
  return isHex || text.replaceAll('+', '-').replaceAll('/', '_').startsWith(digest)
    ? (digest as Digest)
    : null;
}

/** The id of the pepper that a digest was made with; empty for none. */
export function pepperOf(digest: Digest): string {
  return digest.slice(0, Math.max(0, digest.indexOf(':')));
}

export const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** `length` characters of `alphabet`, each equally likely, from the system's generator. */
export function randomText(alphabet: string, length: number): string {
  // Bytes past the last whole multiple of the alphabet would favour its first characters.
  const fair = 256 - (256 % alphabet.length);
  let text = '';
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < fair && text.length < length) text += alphabet.charAt(byte % alphabet.length);
    }
  }
  return text;
}

/** What is shown of a secret. */
export interface Mask {
  readonly prefix: string;
  readonly last4: string;
}

/** The most characters of a secret that are shown, and at either end. */
const shownMax = 8;

/**
 * What may be shown of a secret: its prefix with the first four characters after it, and its last four; fewer where
 * that would be more than a third of what stands between prefix and checksum.
 */
export function mask(secret: string, prefix: string, checksumLength = 0): Mask {
  const body = secret.slice(prefix.length);
  const shown = { prefix: prefix + body.slice(0, shownMax / 2), last4: body.slice(-shownMax / 2) };
  return narrowMask(shown, prefix, body.length - checksumLength);
}

/** As much of a mask as may be shown of a secret that has so many characters behind its prefix. */
export function narrowMask({ prefix: shown, last4 }: Mask, prefix: string, length: number): Mask {
  const most = Math.min(shownMax, Math.max(0, Math.floor(length / 3)));
  const first = Math.min(shown.length - prefix.length, Math.max(Math.ceil(most / 2), most - last4.length));
  const last = Math.min(last4.length, most - first);
  return { prefix: shown.slice(0, prefix.length + first), last4: last4.slice(last4.length - last) };
}
