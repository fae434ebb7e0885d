import type { DatabaseSync } from 'node:sqlite';
import {
  type ChargeOnce,
  chargeRetentionMs,
  countAfter,
  OtherCharge,
  type UnitCharge,
  type UnitCount,
  type UnitLease,
  type UnitLeaseRequest,
  type UnitReturn,
  type UnitWindow,
  windowGraceMs,
} from '../../store/units.ts';

/** The table of leased units of rate limits. Throws SQLite's errors. */
export interface LimitTable {
  /** In a transaction of the caller, like the two that follow. */
  lease(request: UnitLeaseRequest): UnitLease;
  giveBack(returned: UnitReturn): void;
  charge(charges: readonly UnitCharge[], once: ChargeOnce | null): UnitCount[];
  count(window: UnitWindow): number;
  /** Removes the windows that ended so long ago that nobody asks for them any more, and charges' ids. */
  purge(now: number): void;
}

export function createLimitTable(database: DatabaseSync): LimitTable {
  const statements = prepareStatements(database);

  function standing(window: UnitWindow): { readonly leased: number; readonly isCharged: boolean } {
    const { spender, windowStart, windowEnd } = window;
    const row = statements.get.get(spender, windowStart, windowEnd);
    const leased = Number(row?.leased ?? 0);
    const isCharged = Number(row?.charged ?? 0) !== 0;
    if (window.carriesAt === undefined) return { leased, isCharged };
    const others = { ...nameOf(window), at: window.carriesAt };
    return { leased: Math.max(leased, Number(statements.carried.get(others)?.leased ?? leased)), isCharged };
  }

  function countOne(charge: UnitCharge): UnitCount {
    const { leased: before } = standing(charge);
    const after = countAfter(before, charge);
    statements.charge.run({ ...nameOf(charge), leased: after });
    return { before, after };
  }

  return {
    lease(request) {
      const { limit, units, unitsMin, spender, windowStart, windowEnd } = request;
      const { leased: before, isCharged } = standing(request);
      const left = limit - before;
      const granted = left < Math.max(1, unitsMin) ? 0 : Math.min(units, left);
      // One process has the file, and it leases within a transaction: nothing comes between a read and its write.
      // What is carried is carried once and for all.
      if (granted > 0 || request.carriesAt !== undefined)
        statements.put.run(spender, windowStart, windowEnd, before + granted);
      return { granted, leased: before + granted, ...(isCharged && { isCharged }) };
    },
    giveBack({ units, ...window }) {
      statements.giveBack.run({ ...nameOf(window), units });
    },
    charge(charges, once) {
      if (once === null) return charges.map(countOne);
      const known = statements.getCharge.get({ id: once.id });
      if (known !== undefined) {
        if (known.body !== once.body) throw new OtherCharge();
        return charges.map((charge) => {
          const { leased } = standing(charge);
          return { before: leased, after: leased };
        });
      }
      statements.putCharge.run({ id: once.id, body: once.body, purge_at: once.at + chargeRetentionMs });
      return charges.map(countOne);
    },
    count: (window) => standing(window).leased,
    purge(now) {
      statements.purge.run({ before: now - shortGraceMs, long_before: now - longGraceMs });
      statements.purgeCharges.run({ now });
    },
  };
}

function nameOf({ spender, windowStart, windowEnd }: UnitWindow) {
  return { spender, start: windowStart, end: windowEnd };
}

const shortGraceMs = windowGraceMs({ spender: '', windowStart: 0, windowEnd: 1 });
const longGraceMs = windowGraceMs({ spender: '', windowStart: 0, windowEnd: Number.MAX_SAFE_INTEGER });

function prepareStatements(database: DatabaseSync) {
  const window = 'spender = :spender AND window_start = :start AND window_end = :end';
  return {
    // These two are what a lease takes: places cost it less than names do.
    get: database.prepare(
      'SELECT leased, charged FROM limits WHERE spender = ? AND window_start = ? AND window_end = ?',
    ),
    carried: database.prepare(
      `SELECT max(leased) AS leased FROM limits
       WHERE spender = :spender AND window_start < :end AND window_end > :start
         AND window_start <= :at AND window_end > :at`,
    ),
    put: database.prepare(
      `INSERT INTO limits (spender, window_start, window_end, leased) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET leased = excluded.leased`,
    ),
    charge: database.prepare(
      `INSERT INTO limits (spender, window_start, window_end, leased, charged)
         VALUES (:spender, :start, :end, :leased, 1)
       ON CONFLICT DO UPDATE SET leased = excluded.leased, charged = 1`,
    ),
    giveBack: database.prepare(`UPDATE limits SET leased = leased - :units WHERE ${window}`),
    getCharge: database.prepare('SELECT body FROM charges WHERE id = :id'),
    putCharge: database.prepare('INSERT INTO charges (id, body, purge_at) VALUES (:id, :body, :purge_at)'),
    purge: database.prepare(
      `DELETE FROM limits WHERE window_end <= :before
         AND (window_end <= :long_before OR window_end - window_start < 43200000)`,
    ),
    purgeCharges: database.prepare('DELETE FROM charges WHERE purge_at <= :now'),
  };
}
