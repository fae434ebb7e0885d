import { createHash } from 'node:crypto';
import { base62 } from '../../src/keys/secret.ts';
import { crc32Checksum } from '../../src/schemes/checksum.ts';
import type { Kind } from './kinds.ts';
import { createRandom } from './random.ts';

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

/** Sets of keys with nothing in common, by what is added to the seed. */
const sets = {
  active: 0,
  strangers: 1,
  revoked: 2,
  disabled: 3,
  expired: 4,
  owner: 5,
  limit: 6,
  window: 7,
  leaving: 8,
};
export type KeySet = keyof typeof sets;

export function keySet(set: KeySet, count: number, seed: number): string[] {
  return benchKeys(count, seed + sets[set]);
}

/** Within what Postern remembers of keys that nobody made, at its defaults. */
const strangersMax = 10_000;

/** The keys that are in the service besides, and revoked. */
export function revokedKeys(count: number, seed: number): string[] {
  return keySet('revoked', Math.min(count, strangersMax), seed);
}

const setOfKind: Readonly<Record<Kind, KeySet>> = {
  ...{ hit: 'active', permission: 'active', environment: 'active', address: 'active', missing: 'active' },
  ...{ miss: 'strangers', malformed: 'strangers', ambiguous: 'strangers', revoked: 'revoked' },
  ...{ disabled: 'disabled', expired: 'expired', owner: 'owner', limit: 'limit', window: 'window' },
};

/**
 * The keys that a kind of Check presents where the service has `count`. Of those that nobody has, and of revoked ones,
 * no more than memory holds, unless each is presented `once`.
 */
export function presentedKeys(
  kind: Kind,
  { count, seed, once }: { readonly count: number; readonly seed: number; readonly once: boolean },
): string[] {
  const set = setOfKind[kind];
  const isBounded = !once && (set === 'strangers' || set === 'revoked');
  const keys = keySet(set, isBounded ? Math.min(count, strangersMax) : count, seed);
  return kind === 'malformed' ? keys.map(breakChecksum) : keys;
}

/** SHA-256 in hex, as the Go peer reads them. */
export function hexDigests(keys: readonly string[]): string {
  return keys.map((key) => `${createHash('sha256').update(key).digest('hex')}\n`).join('');
}

function breakChecksum(key: string): string {
  const last = base62.indexOf(key.slice(-1));
  return key.slice(0, -1) + base62.charAt((last + 1) % 62);
}
