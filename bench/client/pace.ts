/** Says when Checks are to be sent. Times are in milliseconds of one monotonic clock. */
export interface Pace {
  /** Takes the next Check that is due and answers from when its latency counts; undefined when none is due yet. */
  take(nowMs: number): number | undefined;
  /** Checks that were due by then and have not been taken. */
  owed(nowMs: number): number;
}

/** A Check is due whenever there is room for one: the load is closed, and as large as the server lets it be. */
export function closedPace(): Pace {
  return { take: (nowMs) => nowMs, owed: () => 0 };
}

/**
 * A Check is due every 1 / `perSecond` s from `startMs` on, whatever became of those before it. One that is taken
 * late counts from when it was due, so that a stall shows in the latency of every Check that it held up, and not
 * in that of the few which were in the air (Gil Tene's "coordinated omission").
 */
export function constantPace(perSecond: number, startMs: number): Pace {
  let taken = 0;
  return {
    take(nowMs) {
      const dueMs = startMs + (taken * 1000) / perSecond;
      if (dueMs > nowMs) return undefined;
      taken += 1;
      return dueMs;
    },
    owed(nowMs) {
      const due = Math.floor(((nowMs - startMs) * perSecond) / 1000) + 1;
      return Math.max(0, due - taken);
    },
  };
}
