import type { KeyId } from '../../keys/key.ts';
import type { UsageSumStore } from './usage-sums.ts';
import type { UsageTally } from './usage-tally.ts';

/** All requests with a key within one hour, whatever became of them. */
export interface CountedUse {
  readonly key: KeyId;
  /** The start of the hour, Unix milliseconds. */
  readonly hour: number;
  readonly requests: number;
}

/** What keys are used for: a part of the store's contract, which the same suite holds. */
export interface UsageStore extends UsageSumStore {
  /**
   * Adds to what is known of the use of keys, and moves their `lastUsedAt` on; need not be durable at once, and may be
   * known some seconds later.
   */
  recordUsage(tallies: readonly UsageTally[]): Promise<void>;
  /** What became of a key's requests, from the hour that holds `since` (Unix milliseconds) on, oldest first. */
  getUsage(key: KeyId, since: number): Promise<UsageTally[]>;
  /** Of these keys, {@link countedKeysMax} at most, in these hours; an hour in which nothing happened is left out. */
  countUse(keys: readonly KeyId[], hours: readonly number[]): Promise<CountedUse[]>;
  /**
   * From now on the listener is told of all use that was recorded, as it becomes known, in one of the processes that
   * share the store; of some of it again after a process ended in the midst of it. It must not throw.
   */
  watchUse(listener: UseListener): void;
}

export type UseListener = (tallies: readonly UsageTally[]) => void;

export const countedKeysMax = 500;

/** All requests of a tally. */
export function requestsOf({
  allowed,
  denied,
  observed,
}: Pick<UsageTally, 'allowed' | 'denied' | 'observed'>) {
  let sum = allowed;
  for (const counts of [denied, observed]) for (const reason in counts) sum += counts[reason as never] ?? 0;
  return sum;
}
