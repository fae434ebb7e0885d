import type { UnitStore } from '../../src/store/units.ts';

/** What a store promises of units, in memory. */
export interface UnitLedger extends Pick<UnitStore, 'leaseUnits' | 'returnUnits'> {
  /** What was given out of the windows that hold this time, and not returned. */
  countOf(at: number): number;
  /** How often it was asked for units. */
  leases(): number;
}

interface Row {
  readonly spender: string;
  readonly start: number;
  readonly end: number;
  leased: number;
}

export function createUnitLedger(): UnitLedger {
  const rows: Row[] = [];
  let asked = 0;
  const rowOf = (spender: string, start: number, end: number) => {
    const known = rows.find((row) => row.spender === spender && row.start === start && row.end === end);
    if (known !== undefined) return known;
    const row = { spender, start, end, leased: 0 };
    rows.push(row);
    return row;
  };
  return {
    countOf: (at) =>
      rows.filter(({ start, end }) => start <= at && at < end).reduce((sum, { leased }) => sum + leased, 0),
    leases: () => asked,
    async leaseUnits({ spender, windowStart, windowEnd, limit, units, unitsMin, carriesAt }) {
      if (units > 0) asked++;
      const row = rowOf(spender, windowStart, windowEnd);
      const others = rows.filter(
        (one) =>
          carriesAt !== undefined &&
          one.spender === spender &&
          one.start < windowEnd &&
          one.end > windowStart &&
          one.start <= carriesAt &&
          carriesAt < one.end,
      );
      const before = Math.max(row.leased, ...others.map(({ leased }) => leased));
      const left = limit - before;
      const granted = left < Math.max(1, unitsMin) ? 0 : Math.min(units, left);
      row.leased = before + granted;
      return { granted, leased: before + granted };
    },
    async returnUnits(returns) {
      for (const { spender, windowStart, windowEnd, units } of returns) {
        rowOf(spender, windowStart, windowEnd).leased -= units;
      }
    },
  };
}
