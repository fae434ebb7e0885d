import { hash } from 'node:crypto';
import { minuteMs, type RequestRow, type RequestStore, type StoredRequest } from '../../store/request-log.ts';
import { createRequestQuota, withoutPath } from './request-quota.ts';

/** Takes rows of all Check workers of this replica, and writes them. */
export interface RequestSink {
  /** Rejects as the store does. */
  record(rows: readonly RequestRow[]): Promise<void>;
}

/** Minutes of which workers may still hand on rows. */
const minutesMax = 3;

export function createRequestSink(store: Pick<RequestStore, 'recordRequests'>): RequestSink {
  const quota = createRequestQuota(minutesMax);
  return {
    record: (rows) =>
      store.recordRequests(
        rows.map((row) => {
          const stored = withId(row);
          if (quota.take(row.at - (row.at % minuteMs), stored.id, row)) return stored;
          return withId(withoutPath(row));
        }),
      ),
  };
}

/** The same for all that is alike, on every replica. */
function withId(row: RequestRow): StoredRequest {
  const { key, owner, method, host, path, address, decision, reason, status, scheme, environment } = row;
  const parts = [key, owner, method, host, path, address, decision, reason, status, scheme, environment];
  return { ...row, id: hash('sha256', JSON.stringify(parts), 'base64url').slice(0, 16) };
}
