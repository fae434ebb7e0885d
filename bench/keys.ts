import { createHash } from 'node:crypto';
import { crc32Checksum } from '../src/checksum.ts';
import { base62 } from '../src/secret.ts';
import { createRandom } from './random.ts';

/** What is asked: a key that exists, one that is well formed and does not, one whose checksum is wrong. */
export type Kind = 'hit' | 'miss' | 'malformed';

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

/** The keys that a kind of Check presents; those of `miss` and `hit` differ in every run of the seed. */
export function presentedKeys(kind: Kind, count: number, seed: number): string[] {
  if (kind === 'hit') return benchKeys(count, seed);
  const strangers = benchKeys(count, seed + 1);
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
