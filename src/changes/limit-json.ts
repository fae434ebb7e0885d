import { neverMs } from '../limits/period.ts';
import type { UsedLimit } from '../limits/standings.ts';
import { formatTime } from '../time/time.ts';

/** How a key stands with a limit, as the contract shows it; `resets_at` is null for one that never does. */
export function usedLimitJson({ limit, used, remaining, end }: UsedLimit) {
  return {
    ...{ name: limit.name, limit: limit.limit, used, remaining },
    resets_at: end === neverMs ? null : formatTime(Math.ceil(end / 1_000) * 1_000),
    shared_by: limit.sharedBy,
  };
}
