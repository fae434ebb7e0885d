/** Holds the request log to so many rows in all, by removing the oldest. */
export interface RequestCap {
  /**
   * To be called with each write; looks now and then whether there are too many, and removes those, or as many as come
   * in a minute. Never rejects: what was written would be written again.
   */
  wrote(rows: number): Promise<void>;
}

/** A store's rows of the request log. */
export interface CappedRows {
  /** How many there are; may be a little off where it is not to be `exact`. */
  count(isExact: boolean): number | Promise<number>;
  /** Removes as many of the oldest, by the minute, and says how many it did; 0 where there are none. */
  removeOldest(rows: number): number | Promise<number>;
}

/** What a store is told of the bounds of its request log. */
export interface RequestCapOptions {
  /** How long the request log is kept. Default 7 days. */
  readonly requestRetentionMs?: number;
  /** Default {@link defaultRequestRowsMax}. */
  readonly requestRowsMax?: number;
  /** So many of the oldest rows were removed since this was told last, at most once a minute. */
  readonly onRequestsRemoved?: (rows: number) => void;
  readonly onBackgroundError?: (error: unknown) => void;
}

/** A third of a gigabyte, on SQLite. */
export const defaultRequestRowsMax = 1_000_000;

/** Rows that this process writes, and milliseconds, after which it looks again. */
const looksAfter = { rows: 10_000, ms: 60_000 };
/** Rows that are removed before others have their turn, and each time that it looks. */
const removedAtOnce = 500;
const removedMax = 20_000;

export function createRequestCap(
  rows: CappedRows,
  now: () => number,
  options: RequestCapOptions,
): RequestCap {
  const { requestRowsMax: rowsMax = defaultRequestRowsMax, onRequestsRemoved, onBackgroundError } = options;
  const rowsBetween = Math.min(looksAfter.rows, Math.ceil(rowsMax / 50));
  let written = 0;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let isLooking = false;
  let removed = 0;
  let toldAt = Number.NEGATIVE_INFINITY;

  return {
    async wrote(count) {
      written += count;
      const isDue = written >= rowsBetween || Math.abs(now() - lookedAt) >= looksAfter.ms;
      if (isLooking || !isDue) return;
      isLooking = true;
      written = 0;
      lookedAt = now();
      try {
        await look();
      } catch (error) {
        onBackgroundError?.(error);
      } finally {
        isLooking = false;
      }
    },
  };

  async function look(): Promise<void> {
    if ((await rows.count(false)) <= rowsMax) return;
    for (let turns = removedMax / removedAtOnce; turns > 0; turns--) {
      const over = (await rows.count(true)) - rowsMax;
      const gone = over > 0 ? await rows.removeOldest(Math.min(over, removedAtOnce)) : 0;
      removed += gone;
      if (gone === 0) break;
    }
    if (removed === 0 || Math.abs(now() - toldAt) < looksAfter.ms) return;
    onRequestsRemoved?.(removed);
    removed = 0;
    toldAt = now();
  }
}
