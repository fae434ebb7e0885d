import { hash } from 'node:crypto';
import {
  minuteMs,
  type RequestRow,
  type RequestStore,
  type StoredRequest,
} from '../../store/usage/request-log.ts';
import { createRequestQuota, withoutPath } from './request-quota.ts';

/** Takes rows of all Check workers of this replica, and writes them. */
export interface RequestSink {
  /** Rejects as the store does. */
  record(rows: readonly RequestRow[]): Promise<void>;
  /** A Check worker has left so many requests out. */
  leaveOut(requests: number): void;
}

export interface RequestSinkDependencies {
  readonly store: Pick<RequestStore, 'recordRequests'>;
  /** So many requests are not in the log: it had no room for them, or too many came at once that are all different. */
  readonly onLeftOut: (requests: number) => void;
}

/** Minutes of which workers may still hand on rows. */
const minutesMax = 3;

/** @param rowsMax of a minute, of all workers together; past it requests unlike those are not in the log */
export function createRequestSink(
  { store, onLeftOut }: RequestSinkDependencies,
  rowsMax = 20_000,
): RequestSink {
  const quota = createRequestQuota(minutesMax);
  const minutes = new Map<number, { readonly ids: Set<string>; dropped: number }>();

  function ofMinute(start: number) {
    const known = minutes.get(start) ?? { ids: new Set<string>(), dropped: 0 };
    if (minutes.has(start)) return known;
    minutes.set(start, known);
    for (const [oldest, { dropped }] of minutes) {
      if (minutes.size <= minutesMax) break;
      minutes.delete(oldest);
      if (dropped > 0) onLeftOut(dropped);
    }
    return known;
  }

  function keep(row: RequestRow): StoredRequest[] {
    const start = row.at - (row.at % minuteMs);
    const own = withId(row);
    const stored = quota.take(start, own.id, row) ? own : withId(withoutPath(row));
    const minute = ofMinute(start);
    if (minute.ids.size < rowsMax || minute.ids.has(stored.id)) {
      minute.ids.add(stored.id);
      return [stored];
    }
    minute.dropped += row.count;
    return [];
  }

  return { record: async (rows) => store.recordRequests(rows.flatMap(keep)), leaveOut: onLeftOut };
}

/** The same for all that is alike, on every replica. */
function withId(row: RequestRow): StoredRequest {
  const { key, owner, method, host, path, address, decision, reason, status, scheme, environment } = row;
  const parts = [key, owner, method, host, path, address, decision, reason, status, scheme, environment];
  return { ...row, id: hash('sha256', JSON.stringify(parts), 'base64url').slice(0, 16) };
}
