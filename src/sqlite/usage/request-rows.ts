import type { DatabaseSync } from 'node:sqlite';
import type { KeyId } from '../../keys/key.ts';
import type { Reason } from '../../schemes/answer.ts';
import {
  minuteMs,
  type RequestDecision,
  type RequestFilter,
  type RequestPlace,
  type StoredRequest,
} from '../../store/usage/request-log.ts';
import type { Parameters, Row } from '../statements.ts';

/** The rows themselves, in the order of their time. What changes them is to be called in a transaction. */
export interface RequestRows {
  /** Counts each on where it is there already. */
  add(rows: readonly StoredRequest[]): AddedRequests;
  /** Rows of a range of time that fulfil the filter, newest first. */
  list(filter: RequestFilter, range: RequestRange, size: number): StoredRequest[];
  /** Removes at most `size` of the oldest before that time, and says how many it did. */
  remove(before: number, size: number): number;
  /** What is remembered of the table may not be so. */
  forget(): void;
}

export interface RequestRange {
  readonly start: number;
  readonly end: number;
  /** Behind which the rows are, of those of this range. */
  readonly after: RequestPlace | null;
}

export interface AddedRequests {
  /** Those that were not there, at that time. */
  readonly added: readonly StoredRequest[];
  /** Times at which one of these was before, and is no more: it turned out to be older. */
  readonly moved: readonly number[];
}

/** Minutes of which it is known at once which rows are there: as many as workers may still hand on rows of. */
const minutesMax = 3;

/** @param takeFormer rows that an older version wrote of a minute: they become rows of this table */
export function createRequestRows(
  database: DatabaseSync,
  takeFormer: (minute: number) => readonly StoredRequest[],
): RequestRows {
  const ofMinute = database.prepare('SELECT at, id FROM request_rows WHERE at >= ? AND at < ?');
  const addMore = database.prepare('UPDATE request_rows SET count = count + ? WHERE at = ? AND id = ?');
  const move = database.prepare('UPDATE request_rows SET count = count + ?, at = ? WHERE at = ? AND id = ?');
  const insert = database.prepare(
    `INSERT INTO request_rows (at, id, count, key, owner, decision, reason, body)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET count = count + excluded.count`,
  );
  const removeOldest = database.prepare(
    'DELETE FROM request_rows WHERE (at, id) IN (SELECT at, id FROM request_rows WHERE at < ? ORDER BY at, id LIMIT ?)',
  );
  /** When the first of each row came, by its minute and id. */
  const minutes = new Map<number, Map<string, number>>();

  function add(rows: readonly StoredRequest[]): AddedRequests {
    const added: StoredRequest[] = [];
    const moved: number[] = [];
    for (const row of rows) {
      const { at, id, count } = row;
      const known = knownOf(at - (at % minuteMs), added);
      const first = known.get(id);
      if (first === undefined) write(row);
      else if (at < first) {
        if (move.run(count, at, first, id).changes === 0) write(row);
        else moved.push(first);
      } else if (addMore.run(count, first, id).changes === 1) continue;
      // It was removed meanwhile, with the oldest.
      else write(row);
      known.set(id, at);
      added.push(row);
    }
    return { added, moved };
  }

  function knownOf(minute: number, added: StoredRequest[]): Map<string, number> {
    const known = minutes.get(minute) ?? new Map<string, number>();
    if (minutes.has(minute)) return known;
    minutes.set(minute, known);
    for (const other of minutes.keys()) {
      if (minutes.size <= minutesMax) break;
      minutes.delete(other);
    }
    for (const { at, id } of ofMinute.all(minute, minute + minuteMs)) known.set(String(id), Number(at));
    const former = takeFormer(minute);
    for (const row of former) {
      write(row);
      known.set(row.id, row.at);
    }
    added.push(...former);
    return known;
  }

  function write({ at, id, count, key, owner, decision, reason, ...rest }: StoredRequest): void {
    insert.run(at, id, count, key, owner, decision, reason, JSON.stringify(rest));
  }

  return {
    add,
    list(filter, range, size) {
      const { conditions, parameters } = conditionsOf(filter, range);
      const sql = `SELECT * FROM request_rows WHERE ${conditions.join(' AND ')} ORDER BY at DESC, id DESC LIMIT :size`;
      return database
        .prepare(sql)
        .all({ ...parameters, size })
        .map(toRequest);
    },
    remove: (before, size) => Number(removeOldest.run(before, size).changes),
    forget: () => minutes.clear(),
  };
}

function conditionsOf({ key, owner, decision, reason }: RequestFilter, { start, end, after }: RequestRange) {
  const conditions = ['at >= :start', 'at < :end'];
  const parameters: Parameters = { start, end };
  if (after !== null) {
    conditions.push('(at, id) < (:at, :id)');
    Object.assign(parameters, { at: after.at, id: after.id });
  }
  for (const [name, value] of Object.entries({ key, owner, decision, reason })) {
    if (value === undefined) continue;
    conditions.push(`${name} = :${name}`);
    parameters[name] = value;
  }
  return { conditions, parameters };
}

export function toRequest(row: Row): StoredRequest {
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
