import type { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import type { KeyId } from '../../keys/key.ts';
import type { Reason } from '../../schemes/answer.ts';
import { type CountedUse, requestsOf, type UsageStore } from '../../store/usage/usage-store.ts';
import { addressesMax, type UsageTally } from '../../store/usage/usage-tally.ts';
import { withoutSync } from '../transaction.ts';
import type { UsageSumTable } from './sums.ts';

/** The table of what keys were used for, a row an hour and key. Throws SQLite's errors. */
export interface UsageTable {
  /** Cheap for tallies of one hour in the order of their keys, which share pages. */
  record(tallies: readonly UsageTally[]): Promise<void>;
  get(key: KeyId, since: number): Promise<UsageTally[]>;
  count: UsageStore['countUse'];
  /** Removes at most `size` of the hours before that time, and says how many it did. */
  purge(before: number, size: number): number;
}

type Row = Readonly<Record<string, unknown>>;

const hourMs = 3_600_000;
/** Tallies that are written before others have the thread: a millisecond or two. */
const talliesAtOnce = 250;
/** Hours in which a key is looked for before others have the thread: a millisecond. */
const hoursAtOnce = 100;
/** Keys whose hours are counted before others have the thread: a millisecond. */
const countedAtOnce = 50;

/**
 * Rows are in the order of their hours, so that those that are written are few pages, whatever is kept of the hours
 * before. The row of a key in `keys` is written once an hour: its `last_used_at` names the hour that has the latest
 * use (see `recordColumns`).
 */
export function createUsageTable(
  database: DatabaseSync,
  sums: Pick<UsageSumTable, 'addLate' | 'addToOwners'>,
): UsageTable {
  const statements = prepareStatements(database);
  const { add, addDenied, find, begin, put, touch } = statements;

  /**
   * All that most tallies take: one address, which is known of the hour, and either nothing denied or nothing but one
   * reason. False where it takes more.
   */
  function addMore(tally: UsageTally): boolean {
    const { key, hour, allowed, denied, observed, lastUsedAt, addresses } = tally;
    const [address, another] = addresses;
    if (another !== undefined) return false;
    for (const _ in observed) return false;
    const known = address === undefined ? '' : JSON.stringify(address);
    let reason: string | null = null;
    for (const each in denied) {
      if (reason !== null) return false;
      reason = each;
    }
    if (reason === null) {
      return lastUsedAt !== null && add.run(allowed, lastUsedAt, hour, key, known).changes === 1;
    }
    if (allowed !== 0 || lastUsedAt !== null) return false;
    const path = `$.${reason}`;
    const count = denied[reason as Reason] ?? 0;
    return addDenied.run(path, path, count, hour, key, known).changes === 1;
  }

  /** False where there is a row of that hour. */
  function addFirst(tally: UsageTally): boolean {
    const { key, lastUsedAt } = tally;
    if (begin.run(...columnsOf(tally)).changes === 0) return false;
    if (lastUsedAt !== null) touch.run(lastUsedAt, key, lastUsedAt);
    return true;
  }

  function addAny(tally: UsageTally): void {
    const { key, hour } = tally;
    const before = fromRow(key, find.get(hour, key) as Row);
    const after = sum(before, tally);
    put.run(...columnsOf(after));
    const { lastUsedAt } = after;
    if (lastUsedAt !== null && before.lastUsedAt === null) touch.run(lastUsedAt, key, lastUsedAt);
  }

  return {
    async record(tallies) {
      for (let start = 0; start < tallies.length; start += talliesAtOnce) {
        if (start > 0) await setImmediate();
        withoutSync(database, () => {
          const some = tallies.slice(start, start + talliesAtOnce);
          for (const tally of some) if (!addMore(tally) && !addFirst(tally)) addAny(tally);
          sums.addLate(some);
          if (start + talliesAtOnce >= tallies.length) sums.addToOwners(tallies);
        });
      }
    },
    async get(key, since) {
      const from = since - (since % hourMs);
      const found = new Map(
        statements.listFormer.all(key, from).map((row) => byHour(fromFormerRow(key, row))),
      );
      let hour = statements.nextHour.get(from - 1)?.hour;
      for (let looked = 1; hour != null; looked++) {
        const row = find.get(Number(hour), key);
        const former = found.get(Number(hour));
        if (row !== undefined) {
          const tally = fromRow(key, row);
          found.set(tally.hour, former === undefined ? tally : sum(former, tally));
        }
        hour = statements.nextHour.get(Number(hour))?.hour;
        if (looked % hoursAtOnce === 0) await setImmediate();
      }
      return [...found.values()].sort((one, other) => one.hour - other.hour);
    },
    async count(keys, hours) {
      const found: CountedUse[] = [];
      for (const [at, key] of keys.entries()) {
        if (at > 0 && at % countedAtOnce === 0) await setImmediate();
        for (const hour of new Set(hours)) {
          const row = find.get(hour, key);
          const former = statements.findFormer.get(key, hour);
          const requests =
            (row === undefined ? 0 : requestsOf(fromRow(key, row))) +
            (former === undefined ? 0 : requestsOf(fromFormerRow(key, former)));
          if (requests > 0) found.push({ key, hour, requests });
        }
      }
      return found;
    },
    purge: (before, size) =>
      withoutSync(database, () => {
        const rows = statements.oldest.all(before, size);
        for (const { key, last_used_at: at } of rows) {
          if (at !== null) touch.run(Number(at), String(key), Number(at));
        }
        const last = rows.at(-1);
        if (last !== undefined) statements.removeTo.run(Number(last.hour), String(last.key));
        return Math.max(rows.length, Number(statements.removeFormer.run(before, size).changes));
      }),
  };
}

function prepareStatements(database: DatabaseSync) {
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

function columnsOf({ hour, key, allowed, lastUsedAt, denied, addresses, observed }: UsageTally) {
  const texts = [JSON.stringify(denied), JSON.stringify(addresses), JSON.stringify(observed)] as const;
  return [hour, key, allowed, lastUsedAt, ...texts] as const;
}

function byHour(tally: UsageTally): [number, UsageTally] {
  return [tally.hour, tally];
}

function fromRow(key: KeyId, row: Row): UsageTally {
  return {
    ...{ key, hour: Number(row.hour), allowed: Number(row.allowed) },
    denied: JSON.parse(String(row.denied)),
    observed: JSON.parse(String(row.observed)),
    lastUsedAt: row.last_used_at as number | null,
    addresses: JSON.parse(String(row.addresses)),
  };
}

function fromFormerRow(key: KeyId, row: Row): UsageTally {
  const counts = JSON.parse(String(row.tally)) as Pick<UsageTally, 'allowed' | 'denied' | 'addresses'>;
  return {
    key,
    hour: Number(row.hour),
    observed: {},
    ...counts,
    lastUsedAt: row.last_used_at as number | null,
  };
}

function sum(before: UsageTally, more: UsageTally): UsageTally {
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
