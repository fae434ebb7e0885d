import type { UsageSum } from '../../../store/usage/usage-sums.ts';
import type { GetUsageRequest, UsageRow } from '../../gen/postern/admin/v1/key_admin.ts';
import { seconds, timeText } from './time-message.ts';

/** A row of use over all as KeyAdmin shows it; times are whole seconds. */
export function usageRowMessage({ group, start, allowed, denied, observed }: UsageSum): UsageRow {
  return {
    ...{ group: group ?? undefined, start: seconds(start), allowed },
    ...{ denied: { ...denied }, observed: { ...observed } },
  };
}

/** The request in the contract's JSON shape; what a protobuf caller left unset, or empty, is left out. */
export function getUsageInputOf(request: GetUsageRequest): Record<string, unknown> {
  const { group_by, interval, since, until, owner, order_by, page_size, page_token } = request;
  return {
    page_size,
    ...(group_by && { group_by }),
    ...(interval && { interval }),
    ...(since !== undefined && { since: timeText(since) }),
    ...(until !== undefined && { until: timeText(until) }),
    ...(owner !== undefined && { owner }),
    ...(order_by && { order_by }),
    ...(page_token !== '' && { page_token }),
  };
}
