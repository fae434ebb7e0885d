import type { DatabaseSync } from 'node:sqlite';
import type { KeyId } from '../../keys/key.ts';
import { addReasons } from '../../store/usage-ranking.ts';
import {
  nextStart,
  type SumLevel,
  startOf,
  sumRetentionMs,
  type UsageUnit,
  usageUnits,
} from '../../store/usage-sums.ts';
import { aboutPlaces, type UsageAbout, type UsageTally } from '../../store/usage-tally.ts';
import { withoutSync } from '../transaction.ts';
import { addCounts } from '../usage-sum-migration.ts';

/** The table of what keys were used for, by what they were. Throws SQLite's errors. */
export interface UsageSumTable {
  /** In the transaction of whoever writes the hours. */
  add(tallies: readonly UsageTally[]): void;
  /** Removes at most `size` of the sums that are past their retention then, and says how many it did. */
  purge(now: number, size: number): number;
}

const levels: readonly SumLevel[] = ['key', 'owner', 'all'];

/** How the table names what a row is the sum of. */
export function kindOf(level: SumLevel, unit: UsageUnit): number {
  return levels.indexOf(level) * usageUnits.length + usageUnits.indexOf(unit);
}

/** How the table names what keys were, but for their owner. */
export function itemOf({ plan, scheme, environment }: UsageAbout): string {
  return JSON.stringify([plan, scheme, environment]);
}

const nothing: UsageAbout = { owner: null, plan: null, scheme: null, environment: null };

export function createUsageSumTable(database: DatabaseSync): UsageSumTable {
  database.function('add_counts', { deterministic: true }, (one, other) =>
    addCounts(String(one), String(other)),
  );
  const put = database.prepare(
    `INSERT INTO usage_sums (kind, start, owner, item, allowed, denials, denied, observed)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET allowed = allowed + excluded.allowed, denials = denials + excluded.denials,
       denied = CASE WHEN excluded.denied = '{}' THEN denied ELSE add_counts(denied, excluded.denied) END,
       observed = CASE WHEN excluded.observed = '{}' THEN observed ELSE add_counts(observed, excluded.observed) END`,
  );
  const findAbout = database.prepare(
    `SELECT keys.owner AS owner, keys.scheme AS scheme, keys.environment AS environment,
       coalesce(CASE WHEN json_valid(keys.record) THEN keys.record ->> '$.plan' END, owners.plan) AS plan
     FROM keys LEFT JOIN owners ON owners.id = keys.owner WHERE keys.id = ?`,
  );
  const remove = database.prepare(
    `DELETE FROM usage_sums WHERE (kind, start, owner, item) IN
       (SELECT kind, start, owner, item FROM usage_sums WHERE kind = ? AND start < ? LIMIT ?)`,
  );

  function aboutOf(key: KeyId): UsageAbout {
    return (findAbout.get(key) as UsageAbout | undefined) ?? nothing;
  }

  function addTo(level: SumLevel, units: readonly UsageUnit[], sum: Sum): void {
    const { hour, owner, item, allowed, denied, observed } = sum;
    const texts = [JSON.stringify(denied), JSON.stringify(observed)];
    let denials = 0;
    for (const count of Object.values(denied)) denials += count;
    for (const unit of units) {
      put.run(kindOf(level, unit), startOf(unit, hour), owner, item, allowed, denials, ...texts);
    }
  }

  return {
    add(tallies) {
      // What was the same within one hour is added up first.
      const sums = { owner: new Map<string, Sum>(), all: new Map<string, Sum>() };
      const abouts: UsageAbout[] = [];
      const placeOf = aboutPlaces((about) => abouts.push(about ?? nothing) - 1);
      for (const tally of tallies) {
        const about = tally.about ?? aboutOf(tally.key);
        const owner = about.owner ?? '';
        addTo('key', ['day', 'month'], { ...tally, owner, item: tally.key });
        const item = itemOf(about);
        addSum(sums.owner, `${tally.hour} ${placeOf(about)}`, { ...tally, owner, item });
        addSum(sums.all, `${tally.hour} ${item}`, { ...tally, owner: '', item });
      }
      for (const level of ['owner', 'all'] as const)
        for (const sum of sums[level].values()) addTo(level, usageUnits, sum);
    },
    purge: (now, size) =>
      withoutSync(database, () => {
        let removed = 0;
        for (const level of levels) {
          for (const unit of usageUnits) {
            const before = startOf(unit, now - sumRetentionMs[unit]);
            removed += Number(remove.run(kindOf(level, unit), before, size - removed).changes);
          }
        }
        return removed;
      }),
  };
}

interface Sum extends Pick<UsageTally, 'hour' | 'allowed' | 'denied' | 'observed'> {
  readonly owner: string;
  readonly item: string;
}

function addSum(sums: Map<string, Sum>, name: string, sum: Sum): void {
  const known = sums.get(name);
  sums.set(name, known === undefined ? sum : { ...known, ...sumOf(known, sum) });
}

function sumOf(one: Sum, other: Sum) {
  return {
    allowed: one.allowed + other.allowed,
    denied: addReasons(one.denied, other.denied),
    observed: addReasons(one.observed, other.observed),
  };
}

/** All starts of a unit from one time on and before another. */
export function* startsOf(unit: UsageUnit, from: number, to: number): Generator<number, void> {
  for (let start = startOf(unit, from); start < to; start = nextStart(unit, start)) yield start;
}
