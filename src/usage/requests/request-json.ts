import type { RequestRow } from '../../store/usage/request-log.ts';
import { formatTime } from '../../time/time.ts';

/** A row of the request log as the contract shows it; the time is RFC 3339 to the second. */
export function requestJson(row: RequestRow) {
  const { at, count, key, method, host, path, address, decision, reason, status, scheme, environment } = row;
  return {
    ...{ at: formatTime(at), count, key_id: key, method, host, path, address },
    ...{ decision, reason, status, scheme, environment },
  };
}
