import type { KeyId, KeyRecord, KeyState } from '../../keys/key.ts';
import type { KeySearch } from '../../keys/key-search.ts';
import type { Digest } from '../../keys/secret.ts';

/** Absent members do not filter. */
export interface KeyFilter {
  readonly owner?: string;
  readonly scheme?: string;
  readonly environment?: string;
  readonly state?: KeyState;
  /** Keys that have exactly this permission. */
  readonly permission?: string;
  /** Keys whose name holds this text, in any case and any Unicode form (`foldText`). */
  readonly nameContains?: string;
  readonly search?: KeySearch;
  readonly externalId?: string;
  /** Keys that name exactly this role. */
  readonly role?: string;
  /** Keys last used before this time (Unix milliseconds), or never and made before it. */
  readonly unusedSince?: number;
  /** Keys whose end is before this time, Unix milliseconds. */
  readonly expiresBefore?: number;
  /** The time by which `state` is judged, Unix milliseconds. */
  readonly now: number;
}

/** What those who made a key call it, among the keys of one owner, or those of nobody. */
export type OwnedExternalId = Pick<KeyRecord, 'owner'> & { readonly externalId: string };

/** A key's digest under one pepper, and that of the same secret under another. */
export interface DigestChange {
  readonly id: KeyId;
  readonly from: Digest;
  readonly to: Digest;
}

/** Keys of an owner that are not revoked, have not ended and were not replaced, disabled ones too. */
export interface OwnedKeys {
  readonly owner: string;
  readonly scheme?: string;
  readonly environment?: string;
  /** Unix milliseconds. */
  readonly now: number;
}
