import type { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import type { KeyId } from '../../keys/key.ts';
import type { Reason } from '../../schemes/answer.ts';
import { createRequestCap, type RequestCapOptions } from '../../store/usage/request-cap.ts';
import {
  minuteMs,
  type RequestDecision,
  type RequestFilter,
  type RequestPlace,
  type RequestStore,
  type StoredRequest,
} from '../../store/usage/request-log.ts';
import type { Parameters, Query, Row } from '../statements.ts';
import { withoutSync } from '../transaction.ts';

/** The table of the request log. Throws SQLite's errors. */
export interface RequestTable {
  record: RequestStore['recordRequests'];
  list: RequestStore['listRequests'];
  /** Removes at most `size` of the rows of minutes before that time, and says how many it did. */
  purge(before: number, size: number): number;
}

/** Rows that are written, or looked through for a filter, before others have the thread: some milliseconds. */
const rowsAtOnce = 250;
const scannedAtOnce = 5_000;

export function createRequestTable(
  database: DatabaseSync,
  now: () => number,
  options: RequestCapOptions,
): RequestTable {
  // Nearly all are of a row that is there, and as old: its count is in no index. 20 µs, where to put it anew takes 70.
  const addMore = database.prepare(
    'UPDATE requests SET count = count + ? WHERE minute = ? AND id = ? AND at <= ?',
  );
  const add = database.prepare(
    `INSERT INTO requests (minute, id, at, count, key, owner, decision, reason, body)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET count = count + excluded.count, at = min(at, excluded.at)`,
  );
  const remove = database.prepare(
    'DELETE FROM requests WHERE (minute, id) IN (SELECT minute, id FROM requests WHERE minute < ? LIMIT ?)',
  );
  const removeOldest = database.prepare(
    'DELETE FROM requests WHERE (minute, id) IN (SELECT minute, id FROM requests ORDER BY minute, id LIMIT ?)',
  );
  const counting = database.prepare('SELECT count(*) AS rows FROM requests');
  /** Of a million rows it takes some milliseconds to count them, so it is done once, and where there seem to be too many. */
  let counted: number | null = null;
  /** Whether the number is that of the table; one row may else have been counted as added twice. */
  let isCounted = false;
  const cap = createRequestCap(
    {
      count(isExact) {
        if (counted === null || (isExact && !isCounted)) {
          counted = Number(counting.get()?.rows);
          isCounted = true;
        }
        return counted;
      },
      async removeOldest(size) {
        await setImmediate();
        const { changes } = withoutSync(database, () => removeOldest.run(size));
        counted = (counted ?? 0) - Number(changes);
        return Number(changes);
      },
    },
    now,
    options,
  );

  return {
    async record(rows) {
      let added = 0;
      for (let start = 0; start < rows.length; start += rowsAtOnce) {
        if (start > 0) await setImmediate();
        withoutSync(database, () => {
          for (const row of rows.slice(start, start + rowsAtOnce)) {
            const { at, id, count, key, owner, decision, reason, ...rest } = row;
            const minute = at - (at % minuteMs);
            if (addMore.run(count, minute, id, at).changes === 1) continue;
            add.run(minute, id, at, count, key, owner, decision, reason, JSON.stringify(rest));
            added++;
          }
        });
      }
      if (counted !== null) counted += added;
      if (added > 0) isCounted = false;
      await cap.wrote(added);
    },
    async list(filter, { after, size }) {
      const found: StoredRequest[] = [];
      let place = after;
      for (;;) {
        // All of the rows that the index leads to, in slices, of which the other filters keep some.
        const { sql, parameters } = sliceOf(filter, place);
        const rows = database.prepare(sql).all(parameters);
        const slice = rows.filter((row) => isKept(row, filter)).map(toRequest);
        found.push(...slice.slice(0, size - found.length));
        const last = rows.at(-1);
        if (found.length >= size || last === undefined || rows.length < scannedAtOnce) return found;
        place = { at: Number(last.at), id: String(last.id) };
        await setImmediate();
      }
    },
    purge(before, size) {
      const { changes } = withoutSync(database, () => remove.run(before - (before % minuteMs), size));
      if (counted !== null) counted -= Number(changes);
      return Number(changes);
    },
  };
}

/** The rows that the best index leads to. */
function sliceOf(
  { key, owner, decision, reason, since, until }: RequestFilter,
  after: RequestPlace | null,
): Query {
  const parameters: Parameters = { size: scannedAtOnce };
  const conditions: string[] = [];
  const where = (condition: string, name: string, value: string | number | undefined) => {
    if (value === undefined) return;
    conditions.push(condition);
    parameters[name] = value;
  };
  if (key !== undefined) where('key = :key', 'key', key);
  else where('owner = :owner', 'owner', owner);
  if (decision !== undefined && decision !== 'allow') conditions.push("decision <> 'allow'");
  else if (reason !== undefined) conditions.push("decision <> 'allow'");
  where('at >= :since', 'since', since);
  where('at < :until', 'until', until);
  if (after !== null) {
    conditions.push('(at, id) < (:at, :id)');
    Object.assign(parameters, { at: after.at, id: after.id });
  }
  const text = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
  return { sql: `SELECT * FROM requests ${text} ORDER BY at DESC, id DESC LIMIT :size`, parameters };
}

function isKept(row: Row, { owner, decision, reason }: RequestFilter): boolean {
  if (owner !== undefined && row.owner !== owner) return false;
  if (decision !== undefined && row.decision !== decision) return false;
  return reason === undefined || row.reason === reason;
}

function toRequest(row: Row): StoredRequest {
  return {
    ...(JSON.parse(String(row.body)) as Omit<
      StoredRequest,
      'id' | 'at' | 'count' | 'key' | 'owner' | 'decision' | 'reason'
    >),
    ...{ id: String(row.id), at: Number(row.at), count: Number(row.count) },
    ...{ key: row.key as KeyId | null, owner: row.owner as string | null },
    ...{ decision: row.decision as RequestDecision, reason: row.reason as Reason | null },
  };
}
