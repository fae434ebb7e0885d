import type { CheckedKey, KeyId } from '../../keys/key.ts';
import type { Digest } from '../../keys/secret.ts';

/** Some of all keys, the newest first. */
export interface KeyPage {
  readonly keys: readonly StoredKey[];
  /** Digests of keys whose records cannot be read. */
  readonly unreadable: readonly Digest[];
  /** Behind which the next page is; null where this was the last. */
  readonly next: KeyId | null;
}

/** A key, and what it is stored under. */
export interface StoredKey {
  readonly digest: Digest;
  readonly key: CheckedKey;
}
