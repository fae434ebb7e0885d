import type { DatabaseSync } from 'node:sqlite';
import type { KeyId } from '../../keys/key.ts';
import type { Reason } from '../../schemes/answer.ts';
import { addressesMax, type UsageTally } from '../../store/usage/usage-tally.ts';

/** Rows of what keys were used for, and how they are read and written. */
export type UsageRow = Readonly<Record<string, unknown>>;

export function prepareStatements(database: DatabaseSync) {
  return {
    add: database.prepare(
      `UPDATE usage_hours SET allowed = allowed + ?, last_used_at = max(last_used_at, ?)
       WHERE hour = ? AND key = ? AND last_used_at IS NOT NULL AND instr(addresses, ?) > 0`,
    ),
    addDenied: database.prepare(
      `UPDATE usage_hours SET denied = json_set(denied, ?, coalesce(denied ->> ?, 0) + ?)
       WHERE hour = ? AND key = ? AND instr(addresses, ?) > 0`,
    ),
    find: database.prepare('SELECT * FROM usage_hours WHERE hour = ? AND key = ?'),
    begin: database.prepare(
      `INSERT INTO usage_hours (hour, key, allowed, last_used_at, denied, addresses, observed)
       VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    ),
    put: database.prepare(
      `INSERT INTO usage_hours (hour, key, allowed, last_used_at, denied, addresses, observed)
       VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET allowed = excluded.allowed, last_used_at = excluded.last_used_at,
         denied = excluded.denied, addresses = excluded.addresses, observed = excluded.observed`,
    ),
    touch: database.prepare(
      'UPDATE keys SET last_used_at = ? WHERE id = ? AND (last_used_at IS NULL OR last_used_at < ?)',
    ),
    nextHour: database.prepare('SELECT min(hour) AS hour FROM usage_hours WHERE hour > ?'),
    oldest: database.prepare(
      'SELECT hour, key, last_used_at FROM usage_hours WHERE hour < ? ORDER BY hour, key LIMIT ?',
    ),
    removeTo: database.prepare('DELETE FROM usage_hours WHERE (hour, key) <= (?, ?)'),
    // What was written before there was the other table.
    listFormer: database.prepare(
      'SELECT hour, tally, last_used_at FROM usage WHERE key = ? AND hour >= ? ORDER BY hour',
    ),
    findFormer: database.prepare('SELECT hour, tally, last_used_at FROM usage WHERE key = ? AND hour = ?'),
    removeFormer: database.prepare(
      'DELETE FROM usage WHERE (key, hour) IN (SELECT key, hour FROM usage WHERE hour < ? LIMIT ?)',
    ),
  };
}

export function columnsOf({ hour, key, allowed, lastUsedAt, denied, addresses, observed }: UsageTally) {
  const texts = [JSON.stringify(denied), JSON.stringify(addresses), JSON.stringify(observed)] as const;
  return [hour, key, allowed, lastUsedAt, ...texts] as const;
}

export function byHour(tally: UsageTally): [number, UsageTally] {
  return [tally.hour, tally];
}

export function fromRow(key: KeyId, row: UsageRow): UsageTally {
  return {
    ...{ key, hour: Number(row.hour), allowed: Number(row.allowed) },
    denied: JSON.parse(String(row.denied)),
    observed: JSON.parse(String(row.observed)),
    lastUsedAt: row.last_used_at as number | null,
    addresses: JSON.parse(String(row.addresses)),
  };
}

export function fromFormerRow(key: KeyId, row: UsageRow): UsageTally {
  const counts = JSON.parse(String(row.tally)) as Pick<UsageTally, 'allowed' | 'denied' | 'addresses'>;
  return {
    key,
    hour: Number(row.hour),
    observed: {},
    ...counts,
    lastUsedAt: row.last_used_at as number | null,
  };
}

export function sum(before: UsageTally, more: UsageTally): UsageTally {
  const denied = sumByReason(before.denied, more.denied);
  const observed = sumByReason(before.observed, more.observed);
  const addresses = [...new Set([...before.addresses, ...more.addresses])].slice(0, addressesMax);
  const lastUsedAt = latest(before.lastUsedAt, more.lastUsedAt);
  return { ...before, allowed: before.allowed + more.allowed, denied, observed, lastUsedAt, addresses };
}

function sumByReason(before: UsageTally['denied'], more: UsageTally['denied']): UsageTally['denied'] {
  const sums = { ...before };
  for (const [reason, count] of Object.entries(more) as [Reason, number][]) {
    sums[reason] = (sums[reason] ?? 0) + count;
  }
  return sums;
}

function latest(one: number | null, other: number | null): number | null {
  return one === null ? other : other === null ? one : Math.max(one, other);
}
