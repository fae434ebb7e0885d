import type { DatabaseSync } from 'node:sqlite';
import type { KeyId } from '../../keys/key.ts';
import type { Reason } from '../../schemes/answer.ts';
import type { RequestDecision, RequestFilter, RequestRow } from '../../store/usage/request-log.ts';
import type { Row } from '../statements.ts';

/**
 * Which part of the request log has rows of whom. Rows lie in the order of their time, and an index of them by key
 * would be written to in another place for each: that cost four times the row. So the log is cut into blocks of some
 * thousand rows, and of each it is kept once whose rows are in it; a list reads the blocks that it is told to.
 * A block has the rows from its start to that of the next one. All but `list` is to be called in a transaction.
 */
export interface RequestBlocks {
  /** Rows that were added to the table, and that are in no block yet. */
  add(rows: readonly Subjects[]): void;
  /** Counts a row of that time as one fewer. */
  drop(at: number): void;
  /** How many rows there are in all. */
  count(): number;
  /** The block of the oldest rows; null where there are none. */
  oldest(): { readonly start: number; readonly end: number; readonly rows: number } | null;
  /** Counts so many of the rows of a block as removed. */
  removed(start: number, rows: number): void;
  /** Times from which and before which there may be such rows, the latest first; some of them may have none. */
  list(filter: RequestFilter, before: number): BlockList;
  /** What is remembered of the tables may not be so. */
  forget(): void;
}

export interface BlockList {
  readonly found: readonly { readonly start: number; readonly end: number }[];
  /** Before which to go on looking; null where that was all. */
  readonly next: number | null;
}

/** Of a row, what a list may ask for. */
export type Subjects = Pick<RequestRow, 'at' | 'key' | 'owner' | 'decision' | 'reason'>;

/** A block that has as many begins no further one, unless all that is new is as old as what it has. */
const rowsOfBlock = 1_000;
/** One that late rows, or a clock that was set, have made as large is cut in two. */
const rowsMax = 8 * rowsOfBlock;
/** Blocks that are asked before others have the thread: some milliseconds. */
const blocksAtOnce = 1_000;

export function createRequestBlocks(database: DatabaseSync): RequestBlocks {
  const startOf = database.prepare('SELECT max(start) AS start FROM request_blocks WHERE start <= ?');
  const endOf = database.prepare('SELECT min(start) AS end FROM request_blocks WHERE start > ?');
  const newest = database.prepare('SELECT start, rows FROM request_blocks ORDER BY start DESC LIMIT 1');
  const latest = database.prepare('SELECT max(at) AS at FROM request_rows');
  const begin = database.prepare('INSERT INTO request_blocks (start, rows) VALUES (?, ?)');
  const addRows = database.prepare(
    'UPDATE request_blocks SET rows = rows + ? WHERE start = ? RETURNING rows',
  );
  const addSubjects = database.prepare(
    `INSERT OR IGNORE INTO request_subjects (block, subject)
     SELECT :block, value FROM json_each(:subjects) ORDER BY value`,
  );
  const total = database.prepare('SELECT total(rows) AS rows FROM request_blocks');
  const first = database.prepare(
    'SELECT start, rows FROM request_blocks WHERE rows > 0 ORDER BY start LIMIT 1',
  );
  // The first is left, so that every time is in a block.
  const removeBlocks = database.prepare('DELETE FROM request_blocks WHERE start > 0 AND start <= ?');
  const removeSubjects = database.prepare('DELETE FROM request_subjects WHERE block <= ?');
  const middle = database.prepare(
    'SELECT at FROM request_rows WHERE at >= :start AND at < :end ORDER BY at LIMIT 1 OFFSET :half',
  );
  const between = database.prepare(
    'SELECT at, key, owner, decision, reason FROM request_rows WHERE at >= :start AND at < :end',
  );
  /** The newest block, and the latest time of a row. */
  let last: { readonly start: number; rows: number; at: number } | null = null;

  function newestBlock() {
    if (last !== null) return last;
    const { start, rows } = newest.get() as { start: number; rows: number };
    last = { start, rows, at: Number(latest.get()?.at ?? 0) };
    return last;
  }

  /** The block that a new row is in; a new one where the newest has enough. */
  function blockFor(at: number): number {
    const block = newestBlock();
    if (at < block.start) return Number(startOf.get(at)?.start);
    if (at > block.at && block.rows >= rowsOfBlock) {
      begin.run(at, 0);
      last = { start: at, rows: 1, at };
      return at;
    }
    block.rows++;
    block.at = Math.max(block.at, at);
    return block.start;
  }

  function end(start: number): number {
    return Number(endOf.get(start)?.end ?? Number.MAX_SAFE_INTEGER);
  }

  function split(start: number, rows: number): void {
    const range = { start, end: end(start) };
    const at = Number(middle.get({ ...range, half: Math.floor(rows / 2) })?.at ?? start);
    if (at <= start) return;
    // What the older half has no more of is looked for there in vain, and never missed.
    const newer = between.all({ ...range, start: at }).map(toSubjects);
    begin.run(at, newer.length);
    addRows.get(-newer.length, start);
    addSubjects.run({ block: at, subjects: JSON.stringify([...new Set(newer.flatMap(subjectsOf))]) });
    last = null;
  }

  return {
    add(rows) {
      const blocks = new Map<number, { rows: number; readonly subjects: Set<string> }>();
      for (const row of rows) {
        const start = blockFor(row.at);
        const block = blocks.get(start) ?? { rows: 0, subjects: new Set() };
        blocks.set(start, block);
        block.rows++;
        for (const subject of subjectsOf(row)) block.subjects.add(subject);
      }
      for (const [start, { rows: added, subjects }] of blocks) {
        addSubjects.run({ block: start, subjects: JSON.stringify([...subjects]) });
        const now = Number(addRows.get(added, start)?.rows);
        if (now >= rowsMax) split(start, now);
      }
    },
    drop(at) {
      const start = Number(startOf.get(at)?.start);
      addRows.get(-1, start);
      if (last?.start === start) last.rows--;
    },
    count: () => Number(total.get()?.rows),
    oldest() {
      const block = first.get() as { start: number; rows: number } | undefined;
      return block === undefined ? null : { ...block, end: end(block.start) };
    },
    removed(start, rows) {
      if (last?.start === start) last = null;
      if (Number(addRows.get(-rows, start)?.rows) > 0) return;
      removeSubjects.run(start);
      removeBlocks.run(start);
    },
    list(filter, before) {
      const subjects = subjectsAskedFor(filter);
      if (subjects.length === 0) return { found: [{ start: 0, end: before }], next: null };
      const isHit = subjects.map(
        (_, at) => `EXISTS (SELECT 1 FROM request_subjects WHERE block = start AND subject = :subject${at})`,
      );
      const rows = database
        .prepare(
          `SELECT start, ${isHit.join(' AND ')} AS hit FROM request_blocks
           WHERE start < :before ORDER BY start DESC LIMIT :size`,
        )
        .all({
          ...{ before, size: blocksAtOnce },
          ...Object.fromEntries(subjects.map((subject, at) => [`subject${at}`, subject])),
        }) as { start: number; hit: number }[];
      const found = rows
        .map(({ start, hit }, at) => ({ start, hit, end: rows[at - 1]?.start ?? before }))
        .filter(({ hit }) => hit === 1);
      return { found, next: rows.length < blocksAtOnce ? null : (rows.at(-1)?.start ?? null) };
    },
    forget() {
      last = null;
    },
  };
}

function toSubjects(row: Row): Subjects {
  return {
    ...{ at: Number(row.at), key: row.key as KeyId | null, owner: row.owner as string | null },
    ...{ decision: row.decision as RequestDecision, reason: row.reason as Reason | null },
  };
}

/** No two kinds look alike: a key's id has no blank. */
function subjectsOf({ key, owner, decision, reason }: Omit<Subjects, 'at'>): string[] {
  return [
    ...(key === null ? [] : [key]),
    ...(owner === null ? [] : [`owner ${owner}`]),
    `decision ${decision}`,
    ...(reason === null ? [] : [`reason ${reason}`]),
  ];
}

function subjectsAskedFor({ key, owner, decision, reason }: RequestFilter): string[] {
  return [
    ...(key === undefined ? [] : [key]),
    ...(owner === undefined ? [] : [`owner ${owner}`]),
    ...(decision === undefined ? [] : [`decision ${decision}`]),
    ...(reason === undefined ? [] : [`reason ${reason}`]),
  ];
}
