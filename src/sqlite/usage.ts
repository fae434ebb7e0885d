import type { DatabaseSync } from 'node:sqlite';
import type { Reason } from '../answer.ts';
import type { KeyId } from '../key.ts';
import { addressesMax, type UsageTally } from '../usage-tally.ts';
import { inTransaction } from './transaction.ts';

/** The table of what keys were used for, a row an hour and key. Throws SQLite's errors. */
export interface UsageTable {
  record(tallies: readonly UsageTally[]): void;
  get(key: KeyId, since: number): UsageTally[];
  /** Removes the hours before that time. */
  purge(before: number): void;
}

type Counts = Pick<UsageTally, 'allowed' | 'denied' | 'addresses'>;

export function createUsageTable(database: DatabaseSync): UsageTable {
  const get = database.prepare('SELECT tally, last_used_at FROM usage WHERE key = :key AND hour = :hour');
  const put = database.prepare(
    `INSERT INTO usage (key, hour, tally, last_used_at) VALUES (:key, :hour, :tally, :last_used_at)
     ON CONFLICT DO UPDATE SET tally = excluded.tally, last_used_at = excluded.last_used_at`,
  );
  const touch = database.prepare(
    `UPDATE keys SET last_used_at = :at WHERE id = :key AND (last_used_at IS NULL OR last_used_at < :at)`,
  );
  const list = database.prepare(
    'SELECT key, hour, tally, last_used_at FROM usage WHERE key = :key AND hour >= :since ORDER BY hour',
  );
  const purge = database.prepare('DELETE FROM usage WHERE hour < :before');

  return {
    record: (tallies) =>
      inTransaction(database, () => {
        for (const tally of tallies) {
          const { key, hour } = tally;
          const row = get.get({ key, hour });
          const before = row === undefined ? null : (JSON.parse(String(row.tally)) as Counts);
          const lastUsedAt = latest(row?.last_used_at as number | null | undefined, tally.lastUsedAt);
          put.run({ key, hour, tally: JSON.stringify(sum(before, tally)), last_used_at: lastUsedAt });
          if (tally.lastUsedAt !== null) touch.run({ key, at: tally.lastUsedAt });
        }
      }),
    get: (key, since) =>
      list.all({ key, since: since - (since % 3_600_000) }).map((row) => ({
        key,
        hour: Number(row.hour),
        ...(JSON.parse(String(row.tally)) as Counts),
        lastUsedAt: row.last_used_at as number | null,
      })),
    purge(before) {
      purge.run({ before });
    },
  };
}

function sum(before: Counts | null, more: Counts): Counts {
  if (before === null) return { allowed: more.allowed, denied: more.denied, addresses: more.addresses };
  const denied = { ...before.denied };
  for (const [reason, count] of Object.entries(more.denied) as [Reason, number][]) {
    denied[reason] = (denied[reason] ?? 0) + count;
  }
  const addresses = [...new Set([...before.addresses, ...more.addresses])].slice(0, addressesMax);
  return { allowed: before.allowed + more.allowed, denied, addresses };
}

function latest(one: number | null | undefined, other: number | null): number | null {
  return one == null ? other : other === null ? one : Math.max(one, other);
}
