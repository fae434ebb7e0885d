import type { KeyUsage } from '../../../usage/usage-report.ts';
import type { GetKeyUsageRequest, GetKeyUsageResponse } from '../../gen/postern/admin/v1/key_admin.ts';
import { seconds, timeText } from './time-message.ts';

/** What a key was used for as KeyAdmin shows it; times are whole seconds. */
export function usageMessage({ buckets, lastUsedAt, addresses }: KeyUsage): GetKeyUsageResponse {
  return {
    buckets: buckets.map(({ hour, allowed, denied, observed }) => ({
      start: seconds(hour),
      allowed,
      denied: { ...denied },
      observed: { ...observed },
    })),
    last_used_at: seconds(lastUsedAt),
    addresses: [...addresses],
  };
}

/** The request in the contract's JSON shape; what a protobuf caller left unset is left out. */
export function usageInputOf({ since }: GetKeyUsageRequest): Record<string, unknown> {
  return since === undefined ? {} : { since: timeText(since) };
}
