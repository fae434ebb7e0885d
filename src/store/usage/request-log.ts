import type { KeyId } from '../../keys/key.ts';
import type { Reason } from '../../schemes/answer.ts';

/** What became of requests that are alike, within one minute. Nothing in it is a secret. */
export interface RequestRow {
  /** When the first of them came, Unix milliseconds. */
  readonly at: number;
  /** 1 or more. */
  readonly count: number;
  /** Null where no key was known. */
  readonly key: KeyId | null;
  /** Whose key it was; null for nobody's, and where no key was known. */
  readonly owner: string | null;
  /** These three are null where they were not told, or where `path` is null for want of room. */
  readonly method: string | null;
  readonly host: string | null;
  readonly address: string | null;
  /** Without its query; null where a key had more in this minute than are kept apart. */
  readonly path: string | null;
  readonly decision: RequestDecision;
  /** Null for an allow. */
  readonly reason: Reason | null;
  /** The HTTP status that the caller is answered with, or would be; 200 for an allow. */
  readonly status: number;
  readonly scheme: string;
  /** The key's own, or else what the route asked for; null where that is not known. */
  readonly environment: string | null;
}

export const requestDecisions = ['allow', 'deny', 'observed'] as const;
/** `observed` is what would have been denied, and was allowed since it was observed alone. */
export type RequestDecision = (typeof requestDecisions)[number];

/** A row as it is kept, under an id that is that of all requests like it in this minute. */
export interface StoredRequest extends RequestRow {
  readonly id: string;
}

/** Where a page of requests ends. */
export type RequestPlace = Pick<StoredRequest, 'at' | 'id'>;

/** Absent members do not filter. */
export interface RequestFilter {
  readonly key?: KeyId;
  readonly owner?: string;
  readonly decision?: RequestDecision;
  readonly reason?: Reason;
  /** From this time on, Unix milliseconds. */
  readonly since?: number;
  /** Before this time. */
  readonly until?: number;
}

/** The log of requests: a part of the store's contract, which the same suite holds. */
export interface RequestStore {
  /**
   * Adds to what is known of requests; need not be durable at once. What has the same id within one minute is one row,
   * whose `at` is the earliest. Rows go once the retention that the store was made with is over.
   */
  recordRequests(rows: readonly StoredRequest[]): Promise<void>;
  /** Newest first, then by id downwards; at most `size`, behind the place when it is given. */
  listRequests(
    filter: RequestFilter,
    page: { readonly after: RequestPlace | null; readonly size: number },
  ): Promise<StoredRequest[]>;
}

export const minuteMs = 60_000;

/** How long rows are kept where the store is not told otherwise. */
export const defaultRequestRetentionMs = 7 * 86_400_000;
