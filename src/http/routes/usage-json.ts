import { formatTime } from '../../time/time.ts';
import type { KeyUsage } from '../../usage/usage-report.ts';

/** What a key was used for as the contract shows it; times are RFC 3339 to the second. */
export function usageJson({ buckets, lastUsedAt, addresses }: KeyUsage) {
  return {
    buckets: buckets.map(({ hour, allowed, denied, observed }) => ({
      start: formatTime(hour),
      ...{ allowed, denied, observed },
    })),
    last_used_at: lastUsedAt === null ? null : formatTime(lastUsedAt),
    addresses,
  };
}
