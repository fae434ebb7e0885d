import type { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import type {
  RequestFilter,
  RequestPlace,
  RequestStore,
  StoredRequest,
} from '../../store/usage/request-log.ts';
import type { Parameters, Query, Row } from '../statements.ts';
import { toRequest } from './request-rows.ts';

/**
 * Rows of the request log as older versions wrote them, with an index for each filter. None are added while this
 * version runs, so that once they are past their retention nothing is left to look through.
 */
export interface FormerRequests {
  list: RequestStore['listRequests'];
  count(): number;
  /** Those of one minute, which are then there no more. To be called in a transaction. */
  take(minute: number): StoredRequest[];
  /** Removes at most `size` of the oldest, of minutes before that time. To be called in a transaction. */
  remove(before: number, size: number): number;
  /** What was done in the transaction was undone. */
  forget(): void;
}

/** Rows that are looked through for a filter before others have the thread: some milliseconds. */
const scannedAtOnce = 5_000;

export function createFormerRequests(database: DatabaseSync): FormerRequests {
  const counting = database.prepare('SELECT count(*) AS rows FROM requests');
  const ofMinute = database.prepare('SELECT * FROM requests WHERE minute = ?');
  const removeMinute = database.prepare('DELETE FROM requests WHERE minute = ?');
  const removeOldest = database.prepare(
    `DELETE FROM requests WHERE (minute, id) IN
       (SELECT minute, id FROM requests WHERE minute < ? ORDER BY minute, id LIMIT ?)`,
  );
  /** Of a million rows it takes some milliseconds to count them. */
  let counted: number | null = null;

  function count(): number {
    counted ??= Number(counting.get()?.rows);
    return counted;
  }

  return {
    count,
    async list(filter, { after, size }) {
      const found: StoredRequest[] = [];
      let place = after;
      while (count() > 0) {
        // All of the rows that the index leads to, in slices, of which the other filters keep some.
        const { sql, parameters } = sliceOf(filter, place);
        const rows = database.prepare(sql).all(parameters);
        const slice = rows.filter((row) => isKept(row, filter)).map(toRequest);
        found.push(...slice.slice(0, size - found.length));
        const last = rows.at(-1);
        if (found.length >= size || last === undefined || rows.length < scannedAtOnce) break;
        place = { at: Number(last.at), id: String(last.id) };
        await setImmediate();
      }
      return found;
    },
    take(minute) {
      if (count() === 0) return [];
      const rows = ofMinute.all(minute).map(toRequest);
      counted = count() - (rows.length === 0 ? 0 : Number(removeMinute.run(minute).changes));
      return rows;
    },
    remove(before, size) {
      if (count() === 0) return 0;
      const removed = Number(removeOldest.run(before, size).changes);
      counted = count() - removed;
      return removed;
    },
    forget() {
      counted = null;
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
