import type { KeyId } from '../keys/key.ts';
import type { Reason } from '../schemes/answer.ts';

/** What became of one key's requests within one hour. */
export interface UsageTally {
  readonly key: KeyId;
  /** The start of the hour, Unix milliseconds. */
  readonly hour: number;
  readonly allowed: number;
  readonly denied: Readonly<Partial<Record<Reason, number>>>;
  /** What would have been denied and was allowed, since it was observed alone. */
  readonly observed: Readonly<Partial<Record<Reason, number>>>;
  /** The last time that the key was allowed, Unix milliseconds; null when it never was. */
  readonly lastUsedAt: number | null;
  /** Where requests came from, a bounded sample. */
  readonly addresses: readonly string[];
}

/** Addresses of one key that are kept in an hour. */
export const addressesMax = 50;
