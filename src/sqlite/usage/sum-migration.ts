import type { DatabaseSync } from 'node:sqlite';
import type { Migration } from '../migration.ts';

/** What keys were used for, by what they were: see `usage/sums.ts`. */
export const usageSumsStep: Migration = {
  // Older versions count on by hours and keys alone: what they write is in no sum.
  readerMin: 2,
  statements: `
  CREATE TABLE usage_sums (
    kind         INTEGER NOT NULL,
    start        INTEGER NOT NULL,
    owner        TEXT NOT NULL,
    item         TEXT NOT NULL,
    allowed      INTEGER NOT NULL,
    denials      INTEGER NOT NULL,
    denied       TEXT NOT NULL,
    observed     TEXT NOT NULL,
    PRIMARY KEY (kind, start, owner, item)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE usage_keys (
    owner        TEXT NOT NULL,
    key          TEXT NOT NULL,
    PRIMARY KEY (owner, key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE usage_closed (
    one          INTEGER PRIMARY KEY CHECK (one = 1),
    hour         INTEGER NOT NULL,
    key          TEXT NOT NULL
  ) STRICT;
  `,
  complete: addWhatIsThere,
};

const owner = "coalesce(keys.owner, '')";
const item = `json_array(coalesce(CASE WHEN json_valid(keys.record) THEN keys.record ->> '$.plan' END, owners.plan),
  keys.scheme, keys.environment)`;
const starts = [
  'hours.hour',
  'hours.hour - hours.hour % 86400000',
  "unixepoch(strftime('%Y-%m-01', hours.hour / 1000, 'unixepoch')) * 1000",
];
const levels = [
  ["''", 'hours.key'],
  [owner, item],
  ["''", item],
];

/** The use of before there were sums is that of what its keys are now; of keys that are gone nothing more is known. */
function addWhatIsThere(database: DatabaseSync): void {
  database.function('add_counts', { deterministic: true }, (one, other) =>
    addCounts(String(one), String(other)),
  );
  database.exec(`INSERT INTO usage_keys (owner, key) SELECT owner, id FROM keys
    WHERE owner IS NOT NULL AND id IN (SELECT key FROM usage_hours UNION SELECT key FROM usage)`);
  for (const [level, [owner, item]] of levels.entries()) {
    for (const [unit, start] of starts.entries()) {
      // Hours of keys have a table of their own.
      if (level === 0 && unit === 0) continue;
      database.exec(`
        INSERT INTO usage_sums (kind, start, owner, item, allowed, denials, denied, observed)
        SELECT ${level * 3 + unit}, ${start}, ${owner}, ${item}, hours.allowed,
          (SELECT coalesce(sum(value), 0) FROM json_each(hours.denied)), hours.denied, hours.observed
        FROM (
          SELECT hour, key, allowed, denied, observed FROM usage_hours
          UNION ALL
          SELECT hour, key, tally ->> '$.allowed', tally -> '$.denied', '{}' FROM usage WHERE json_valid(tally)
        ) AS hours LEFT JOIN keys ON keys.id = hours.key LEFT JOIN owners ON owners.id = keys.owner
        WHERE true
        ON CONFLICT DO UPDATE SET allowed = allowed + excluded.allowed, denials = denials + excluded.denials,
          denied = add_counts(denied, excluded.denied), observed = add_counts(observed, excluded.observed)`);
    }
  }
  // No id of a key comes after a tilde.
  database.exec(`INSERT INTO usage_closed (one, hour, key)
    SELECT 1, coalesce(max(hour), 0), '~' FROM (SELECT hour FROM usage_hours UNION ALL SELECT hour FROM usage)`);
}

/** Both are objects of numbers, as JSON. */
export function addCounts(one: string, other: string): string {
  if (other === '{}') return one;
  if (one === '{}') return other;
  const sums: Record<string, number> = JSON.parse(one);
  for (const [name, count] of Object.entries<number>(JSON.parse(other))) {
    sums[name] = (sums[name] ?? 0) + count;
  }
  return JSON.stringify(sums);
}
