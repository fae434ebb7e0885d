import type { RequestRow } from '../../../store/usage/request-log.ts';
import type { ListKeyRequestsRequest, LoggedRequest } from '../../gen/postern/admin/v1/key_admin.ts';
import { seconds, timeText } from './time-message.ts';

/** A row of the request log as KeyAdmin shows it; times are whole seconds. */
export function requestMessage(row: RequestRow): LoggedRequest {
  return {
    ...{ at: seconds(row.at), count: row.count, key_id: row.key ?? undefined },
    ...{ method: row.method ?? undefined, host: row.host ?? undefined, path: row.path ?? undefined },
    ...{ address: row.address ?? undefined, decision: row.decision, reason: row.reason ?? undefined },
    ...{ status: row.status, scheme: row.scheme, environment: row.environment ?? undefined },
  };
}

/** The request in the contract's JSON shape, without its id; what a protobuf caller left unset is left out. */
export function listKeyRequestsInputOf(request: ListKeyRequestsRequest): Record<string, unknown> {
  const { since, until, decision, page_size, page_token, owner, reason } = request;
  return {
    page_size,
    ...(page_token !== '' && { page_token }),
    ...(since !== undefined && { since: timeText(since) }),
    ...(until !== undefined && { until: timeText(until) }),
    ...(decision !== undefined && { decision }),
    ...(owner !== undefined && { owner }),
    ...(reason !== undefined && { reason }),
  };
}
