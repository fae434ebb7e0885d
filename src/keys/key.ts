/**
 * Room `keys/`: What a key and an owner are. Here: the records, their states, secrets, digests and peppers,
 * the permissions of admin keys. Not here: anything that stores, changes or shows them.
 */

import { randomBytes } from 'node:crypto';
import type { Limit } from './limit.ts';
import type { Digest } from './secret.ts';

declare const keyIdBrand: unique symbol;
/** `key_` and 26 characters that sort by time of creation. */
export type KeyId = string & { readonly [keyIdBrand]: true };

/** What becomes of a key over time. `expired` is a matter of the clock, the others are recorded. */
export type KeyState = 'active' | 'disabled' | 'revoked' | 'expired';

/** A key as it is kept. It holds the digest of its secret, never the secret. Times are Unix milliseconds. */
export interface KeyRecord {
  readonly id: KeyId;
  readonly digest: Digest;
  readonly name: string;
  readonly scheme: string;
  readonly environment: string;
  /** The scheme's prefix and the first four characters after it: what a list may show. */
  readonly prefix: string;
  readonly last4: string;
  readonly owner: string | null;
  /** Its own; those of its roles come besides. */
  readonly permissions: readonly string[];
  /** Ids of roles, whether or not there are such roles. */
  readonly roles: readonly string[];
  readonly ipAllowlist: readonly string[];
  /** Callers that may use it, by their certificates: SPIFFE URIs and DNS names; empty for any. */
  readonly principals: readonly string[];
  readonly plan: string | null;
  /** Its own, which replace those of its plan; empty for none of its own. */
  readonly rateLimits: readonly Limit[];
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly lastUsedAt: number | null;
  readonly expiresAt: number | null;
  readonly disabledAt: number | null;
  readonly revokedAt: number | null;
  /** When it was last good for something again, after it was disabled or had expired; null if it never was so. */
  readonly revivedAt: number | null;
  /** The key that this one replaced; null unless a rotation made it. */
  readonly rotatedFrom: KeyId | null;
  /** The key that replaced this one, which then lives on for the grace period alone; null if none did. */
  readonly rotatedTo: KeyId | null;
  /**
   * Whose units of a rate limit it spends: its own id, or that of the first key of its line of rotations, so
   * that an old and a new key share one limit.
   */
  readonly spender: KeyId;
  /** What those who made it call it, unique among the keys of its owner that are not revoked; null for nothing. */
  readonly externalId: string | null;
  /** Who made it, as the journal names an actor; null where that is not known, as of keys of before it was kept. */
  readonly createdBy: string | null;
  /** The import that it came by, whose entry in the journal has it as its target; null for every other key. */
  readonly importId: string | null;
  /** Names the request that made the key, so that a retry of it makes no second one; null where it had no id. */
  readonly requestKey: string | null;
  /** Grows by one with every change; the etag is made of it. */
  readonly version: number;
}

/** What a Check asks of a key: all that memory holds of it. What it notes beside it is there where memory holds it. */
export type CheckedKey = Pick<
  KeyRecord,
  | 'id'
  | 'name'
  | 'scheme'
  | 'environment'
  | 'owner'
  | 'permissions'
  | 'roles'
  | 'ipAllowlist'
  | 'principals'
  | 'plan'
  | 'rateLimits'
  | 'labels'
  | 'expiresAt'
  | 'disabledAt'
  | 'revokedAt'
  | 'spender'
  | 'version'
> &
  Partial<HeldUse>;

/**
 * What memory notes beside a key that it holds, and a Check has in hand: what it was allowed for, or denied, and is not
 * written yet; where its limits are counted; its rows of the request log. A map by ids would take some reads from all
 * over the memory, and an object for each key and flush.
 */
export interface HeldUse {
  /** 0 where nothing waits; below 0 for a key that is not held any more, and whose use is counted elsewhere. */
  uses: number;
  /** Of the last use, Unix milliseconds modulo 2^32. */
  lastUse: number;
  /** What all uses that wait have in common, in the numbers of who counts them. */
  useKind: number;
  /** Where it was used from, as it came. */
  useAddress: string;
  /** Where its limits are counted, in the words of who counts them; null where they were not asked for yet. */
  account: unknown;
  /** Where the request log has the latest of its rows; below 0 where it has none. */
  requestRow: number;
  /** Who holds it, and where: the same for as long as something waits of its use. */
  readonly heldBy: HeldKeys;
  readonly place: number;
}

/** Keys in memory, at places where something waits of their use. */
export interface HeldKeys {
  idAt(place: number): KeyId;
  /** What waited there, which is counted anew from now on; it holds until the next is taken. */
  takeUse(place: number): TakenUse;
}

/** What waited of the use of a key, and what the key was. */
export type TakenUse = Pick<HeldUse, 'uses' | 'lastUse' | 'useKind' | 'useAddress'> &
  Pick<KeyRecord, 'owner' | 'scheme' | 'environment'>;

/** Whether both are one version of one key; null for none. */
export function isUnchanged(one: CheckedKey, other: CheckedKey | null): boolean {
  return other !== null && one.id === other.id && one.version === other.version;
}

/** Why a Check denies a key though its own state is `active`. */
export type Blocked = 'owner_inactive';

/** A key as it is shown to those who ask: its record, and what stands in its way beside that. */
export interface ShownKey extends KeyRecord {
  readonly blocked: Blocked | null;
}

/** A key as it is shown at that time, with what is known of its owner. */
export function shownKey(key: KeyRecord, isOwnerActive: boolean, now: number): ShownKey {
  return { ...key, blocked: isOwnerActive || keyState(key, now) !== 'active' ? null : 'owner_inactive' };
}

/** The first that holds wins, in the order in which a Check looks: revoked, disabled, expired. */
export function keyState(
  key: Pick<KeyRecord, 'revokedAt' | 'disabledAt' | 'expiresAt'>,
  now: number,
): KeyState {
  if (key.revokedAt !== null) return 'revoked';
  if (key.disabledAt !== null) return 'disabled';
  if (key.expiresAt !== null && now >= key.expiresAt) return 'expired';
  return 'active';
}

/**
 * When the record may be removed for good: its end and the retention after it, so that "expired" and
 * "revoked" can be told from "unknown" for that long. Null for a key that has no end yet.
 */
export function purgeAt(key: KeyRecord, retentionMs: number): number | null {
  const ends = [key.revokedAt, key.expiresAt].filter((end) => end !== null);
  return ends.length === 0 ? null : Math.min(...ends) + retentionMs;
}

/** The digits of ids, in the order of what they are worth. */
export const crockford = '0123456789abcdefghjkmnpqrstvwxyz';

/**
 * Makes ids that sort by creation: 48 bits of milliseconds, then 80 random bits that count up within one
 * millisecond, in Crockford's base32 (the ULID layout, https://github.com/ulid/spec).
 */
export function createKeyIds(now: () => number): () => KeyId {
  let lastMs = -1;
  let random = 0n;
  return () => {
    const ms = now();
    if (ms > lastMs) {
      lastMs = ms;
      // The top bit stays clear, so that counting up cannot overflow into the time.
      random = BigInt(`0x${randomBytes(10).toString('hex')}`) >> 1n;
    } else {
      random += 1n;
    }
    return `key_${base32(BigInt(lastMs), 10)}${base32(random, 16)}` as KeyId;
  };
}

/** Before every id that is made at that time (Unix milliseconds) or later, and after all that were made before it. */
export function firstIdAt(ms: number): KeyId {
  const time = BigInt(Math.min(Math.max(0, Math.floor(ms)), 2 ** 48 - 1));
  return `key_${base32(time, 10)}${'0'.repeat(16)}` as KeyId;
}

const values = new Uint8Array(128);
for (const digit of crockford.slice(1))
  for (let code = digit.charCodeAt(0); code < values.length; code++) values[code] = (values[code] ?? 0) + 1;

/** The bits of the digits of an id from `start` on, five each, six of them at the most; the prefix has none. */
export function idBits(id: string, start: number, end: number): number {
  let bits = 0;
  for (let at = start; at < end; at++) bits = (bits << 5) | (values[id.charCodeAt(at) & 127] as number);
  return bits;
}

/** Whether a string could be a key's id; says nothing of whether the key exists. */
export function isKeyId(text: string): text is KeyId {
  return /^key_[0-9a-z]{26}$/.test(text);
}

function base32(value: bigint, length: number): string {
  let text = '';
  let rest = value;
  for (let place = 0; place < length; place++) {
    text = crockford.charAt(Number(rest & 31n)) + text;
    rest >>= 5n;
  }
  return text;
}

/** Names one version of a record, so that a caller can say which one it means to change. Opaque to callers. */
export function etagOf(record: { readonly version: number }): string {
  return `v${record.version}`;
}
