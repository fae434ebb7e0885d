import type { UsageSum } from '../store/usage/usage-sums.ts';
import { formatTime } from '../time/time.ts';

/** A row of use over all as the contract shows it; times are RFC 3339 to the second. */
export function usageRowJson({ group, start, allowed, denied, observed }: UsageSum) {
  return { group, start: start === null ? null : formatTime(start), allowed, denied, observed };
}
