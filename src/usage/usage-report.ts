import type { KeyRecord } from '../keys/key.ts';
import type { UsageTally } from '../store/usage/usage-tally.ts';

/** What a key was used for, as an admin is told. */
export interface KeyUsage {
  /** Hours in which something happened, oldest first. */
  readonly buckets: readonly Pick<UsageTally, 'hour' | 'allowed' | 'denied' | 'observed'>[];
  /** Unix milliseconds; null when the key was never allowed. */
  readonly lastUsedAt: number | null;
  /** Where requests came from in these hours, each once, a bounded sample, the latest hours' first. */
  readonly addresses: readonly string[];
}

const addressesShownMax = 1_000;

export function reportUsage(key: KeyRecord, tallies: readonly UsageTally[]): KeyUsage {
  const addresses = new Set(tallies.toReversed().flatMap((tally) => tally.addresses));
  return {
    buckets: tallies,
    lastUsedAt: key.lastUsedAt,
    addresses: [...addresses].slice(0, addressesShownMax),
  };
}
