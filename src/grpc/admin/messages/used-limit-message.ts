import { neverMs } from '../../../limits/period.ts';
import type { UsedLimit } from '../../../limits/standings.ts';
import type { KeyLimit } from '../../gen/postern/admin/v1/key_admin.ts';
import { seconds } from './time-message.ts';

/** How a key stands with one of its limits, as GetKeyLimits says. */
export function usedLimitMessage({ limit, used, remaining, end }: UsedLimit): KeyLimit {
  return {
    ...{ name: limit.name, limit: limit.limit, used, remaining },
    resets_at: end === neverMs ? undefined : seconds(Math.ceil(end / 1_000) * 1_000),
    shared_by: limit.sharedBy,
  };
}
