import type { DatabaseSync } from 'node:sqlite';
import { type UnitLease, type UnitLeaseRequest, windowGraceMs } from '../../store/store.ts';

/** The table of leased units of rate limits. Throws SQLite's errors. */
export interface LimitTable {
  /** In a transaction of the caller. */
  lease(request: UnitLeaseRequest): UnitLease;
  /** Removes the windows that ended so long ago that nobody asks for them any more. */
  purge(now: number): void;
}

export function createLimitTable(database: DatabaseSync): LimitTable {
  const get = database.prepare(
    'SELECT leased FROM limits WHERE spender = :spender AND window_start = :start AND window_end = :end',
  );
  const put = database.prepare(
    `INSERT INTO limits (spender, window_start, window_end, leased) VALUES (:spender, :start, :end, :leased)
     ON CONFLICT DO UPDATE SET leased = excluded.leased`,
  );
  const purge = database.prepare('DELETE FROM limits WHERE window_end <= :before');

  return {
    lease({ spender, windowStart, windowEnd, limit, units, unitsMin }) {
      const window = { spender, start: windowStart, end: windowEnd };
      const before = Number(get.get(window)?.leased ?? 0);
      const left = limit - before;
      const granted = left < unitsMin ? 0 : Math.min(units, left);
      // One process has the file, and it leases within a transaction: nothing comes between a read and its write.
      if (granted > 0) put.run({ ...window, leased: before + granted });
      return { granted, leased: before + granted };
    },
    purge(now) {
      purge.run({ before: now - windowGraceMs });
    },
  };
}
