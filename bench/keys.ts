import { createHash } from 'node:crypto';
import { base62 } from '../src/keys/secret.ts';
import { crc32Checksum } from '../src/schemes/checksum.ts';
import { createRandom } from './random.ts';

/**
 * What is asked: a key that exists; one that is well formed and does not; one that was revoked; one that lacks a
 * permission that the route asks for; one whose checksum is wrong.
 */
export const kinds = ['hit', 'miss', 'revoked', 'permission', 'malformed'] as const;
export type Kind = (typeof kinds)[number];

/** Characters of every key below. */
export const keyLength = 'pst_live_'.length + 43 + 6;

/**
 * `count` keys of Postern's own form, always the same ones for a seed: the service is loaded with them and
 * the load generator presents them, with no list passed between the two. Not secrets.
 */
export function benchKeys(count: number, seed: number): string[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => {
    let key = 'pst_live_';
    for (let place = 0; place < 43; place++) key += base62.charAt(random.below(62));
    return key + crc32Checksum.make(key);
  });
}

/** Within what Postern remembers of keys that nobody made, at its defaults. */
const strangersMax = 10_000;

/** The keys that are in the service besides, and revoked. */
export function revokedKeys(count: number, seed: number): string[] {
  return benchKeys(Math.min(count, strangersMax), seed + 2);
}

/** The keys that a kind of Check presents where the service has `count`. */
export function presentedKeys(kind: Kind, count: number, seed: number): string[] {
  if (kind === 'hit' || kind === 'permission') return benchKeys(count, seed);
  if (kind === 'revoked') return revokedKeys(count, seed);
  const strangers = benchKeys(Math.min(count, strangersMax), seed + 1);
  return kind === 'miss' ? strangers : strangers.map(breakChecksum);
}

/** SHA-256 in hex, as the Go peer reads them. */
export function hexDigests(keys: readonly string[]): string {
  return keys.map((key) => `${createHash('sha256').update(key).digest('hex')}\n`).join('');
}

function breakChecksum(key: string): string {
  const last = base62.indexOf(key.slice(-1));
  return key.slice(0, -1) + base62.charAt((last + 1) % 62);
}
