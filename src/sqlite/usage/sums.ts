import type { DatabaseSync } from 'node:sqlite';
import type { KeyId } from '../../keys/key.ts';
import { addReasons } from '../../store/usage/usage-ranking.ts';
import {
  nextStart,
  type SumLevel,
  startOf,
  sumRetentionMs,
  type UsageUnit,
  usageUnits,
} from '../../store/usage/usage-sums.ts';
import { aboutPlaces, type UsageAbout, type UsageTally } from '../../store/usage/usage-tally.ts';
import { withoutSync } from '../transaction.ts';
import { addCounts } from './sum-migration.ts';

/** The table of what keys were used for, by what they were. Throws SQLite's errors. */
export interface UsageSumTable {
  /**
   * Of each key by itself, those of hours that are closed: of others the hour is read until it is. In a transaction.
   */
  addLate(tallies: readonly UsageTally[]): void;
  /**
   * Adds up to `size` rows of hours before that time to the days and months of their keys, which is cheap in the order of
   * the keys, as they share pages; says how many it did. None while a reader is at work.
   */
  close(before: number, size: number): number;
  /** The last row of `usage_hours` that days and months have. */
  closed(): ClosedRow;
  /** Nothing is closed while the work goes on. */
  reading<T>(work: () => Promise<T>): Promise<T>;
  isRead(): boolean;
  /** What a key is. */
  aboutOf(key: KeyId): UsageAbout;
  /** Of owners and of all, in which many tallies are few sums. In a transaction. */
  addToOwners(tallies: readonly UsageTally[]): void;
  /** Removes at most `size` of the sums that are past their retention then, and says how many it did. */
  purge(now: number, size: number): number;
}

export interface ClosedRow {
  readonly hour: number;
  readonly key: string;
}

const levels: readonly SumLevel[] = ['key', 'owner', 'all'];

/** Keys whose owner is known to be in the table of it; past it they are put there anew, in vain. */
const notedMax = 200_000;

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
  const note = database.prepare('INSERT OR IGNORE INTO usage_keys (owner, key) VALUES (?, ?)');
  const noted = new Set<KeyId>();
  const remove = database.prepare(
    `DELETE FROM usage_sums WHERE (kind, start, owner, item) IN
       (SELECT kind, start, owner, item FROM usage_sums WHERE kind = ? AND start < ? LIMIT ?)`,
  );

  const openHours = database.prepare(
    `SELECT hour, key, allowed, denied, observed FROM usage_hours WHERE (hour, key) > (?, ?) AND hour < ?
     ORDER BY hour, key LIMIT ?`,
  );
  const putClosed = database.prepare('UPDATE usage_closed SET hour = ?, key = ?');
  let closed = closedRow(database.prepare('SELECT hour, key FROM usage_closed').get());
  let readers = 0;

  function addToKeys(tallies: readonly Sum[]): void {
    // Unit by unit: what is written one after another then stands on one page.
    for (const unit of ['day', 'month'] as const) for (const tally of tallies) addTo('key', [unit], tally);
  }

  function aboutOf(key: KeyId): UsageAbout {
    return (findAbout.get(key) as UsageAbout | undefined) ?? nothing;
  }

  function noteOwner(owner: string | null, key: KeyId): void {
    if (owner === null || noted.has(key)) return;
    if (noted.size >= notedMax) noted.clear();
    noted.add(key);
    note.run(owner, key);
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
    addLate(tallies) {
      const late = tallies.filter(
        ({ hour, key }) => hour < closed.hour || (hour === closed.hour && key <= closed.key),
      );
      addToKeys(late.map((tally) => ({ ...tally, owner: '', item: tally.key })));
    },
    close(before, size) {
      if (readers > 0) return 0;
      const rows = openHours.all(closed.hour, closed.key, before, size);
      if (rows.length === 0) return 0;
      const through = closedRow(rows.at(-1));
      withoutSync(database, () => {
        addToKeys(rows.map(sumOfHour));
        putClosed.run(through.hour, through.key);
      });
      closed = through;
      return rows.length;
    },
    closed: () => closed,
    aboutOf,
    isRead: () => readers > 0,
    async reading(work) {
      readers++;
      try {
        return await work();
      } finally {
        readers--;
      }
    },
    addToOwners(tallies) {
      // What was the same within one hour is added up first.
      const sums = { owner: new Map<string, Sum>(), all: new Map<string, Sum>() };
      const abouts: UsageAbout[] = [];
      const placeOf = aboutPlaces((about) => abouts.push(about ?? nothing) - 1);
      for (const tally of tallies) {
        const about = tally.about ?? aboutOf(tally.key);
        noteOwner(about.owner, tally.key);
        const item = itemOf(about);
        const owner = about.owner ?? '';
        addSum(sums.owner, `${tally.hour} ${placeOf(about)}`, { ...tally, owner, item });
        addSum(sums.all, `${tally.hour} ${item}`, { ...tally, owner: '', item });
      }
      for (const level of ['owner', 'all'] as const) {
        const ordered = [...sums[level].values()].sort((one, other) => (one.owner < other.owner ? -1 : 1));
        for (const unit of usageUnits) for (const sum of ordered) addTo(level, [unit], sum);
      }
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

function closedRow(row: Readonly<Record<string, unknown>> | undefined): ClosedRow {
  return { hour: Number(row?.hour ?? 0), key: String(row?.key ?? '') };
}

function sumOfHour(row: Readonly<Record<string, unknown>>): Sum {
  const { hour, key, allowed, denied, observed } = row;
  return {
    ...{ owner: '', item: String(key), hour: Number(hour), allowed: Number(allowed) },
    ...{ denied: JSON.parse(String(denied)), observed: JSON.parse(String(observed)) },
  };
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
