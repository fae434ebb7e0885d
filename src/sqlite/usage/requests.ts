import type { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import { createRequestCap, type RequestCapOptions } from '../../store/usage/request-cap.ts';
import {
  minuteMs,
  type RequestFilter,
  type RequestPlace,
  type RequestStore,
  type StoredRequest,
} from '../../store/usage/request-log.ts';
import { withoutSync } from '../transaction.ts';
import { createFormerRequests } from './former-requests.ts';
import { createRequestBlocks } from './request-blocks.ts';
import { createRequestRows } from './request-rows.ts';

/** The table of the request log. Throws SQLite's errors. */
export interface RequestTable {
  record: RequestStore['recordRequests'];
  list: RequestStore['listRequests'];
  /** Removes at most `size` of the rows of minutes before that time, and says how many it did. */
  purge(before: number, size: number): number;
}

/** Rows that are written before others have the thread, and blocks that are read: some milliseconds. */
const rowsAtOnce = 250;
const blocksAtOnce = 4;

export function createRequestTable(
  database: DatabaseSync,
  now: () => number,
  options: RequestCapOptions,
): RequestTable {
  const former = createFormerRequests(database);
  const blocks = createRequestBlocks(database);
  const table = createRequestRows(database, former.take);
  const cap = createRequestCap(
    {
      count: () => former.count() + blocks.count(),
      async removeOldest(size) {
        await setImmediate();
        return remove(Number.MAX_SAFE_INTEGER, size);
      },
    },
    now,
    options,
  );

  function inTransaction<T>(work: () => T): T {
    try {
      return withoutSync(database, work);
    } catch (error) {
      for (const part of [former, blocks, table]) part.forget();
      throw error;
    }
  }

  function remove(before: number, size: number): number {
    return inTransaction(() => {
      let removed = former.remove(before, size);
      while (removed < size) {
        const oldest = blocks.oldest();
        if (oldest === null) break;
        const gone = table.remove(Math.min(before, oldest.end), size - removed);
        if (gone === 0 && before < oldest.end) break;
        // Where none are left there are none, whatever was counted.
        blocks.removed(oldest.start, gone === 0 ? oldest.rows : gone);
        removed += gone;
      }
      return removed;
    });
  }

  /** Rows of this version's tables. */
  async function listOwn(
    filter: RequestFilter,
    { after, size }: { readonly after: RequestPlace | null; readonly size: number },
  ): Promise<StoredRequest[]> {
    const { since = 0, until = Number.MAX_SAFE_INTEGER, ...asked } = filter;
    const found: StoredRequest[] = [];
    let before: number | null = after === null ? until : Math.min(until, after.at + 1);
    let read = 0;
    while (before !== null && before > since) {
      const { found: hit, next } = blocks.list(asked, before);
      for (const { start, end } of hit) {
        if (end <= since) break;
        const range = { start: Math.max(start, since), end, after };
        found.push(...table.list(asked, range, size - found.length));
        if (found.length >= size) return found;
        if (++read % blocksAtOnce === 0) await setImmediate();
      }
      before = next;
      await setImmediate();
    }
    return found;
  }

  return {
    async record(rows) {
      let added = 0;
      for (let start = 0; start < rows.length; start += rowsAtOnce) {
        if (start > 0) await setImmediate();
        added += inTransaction(() => {
          const made = table.add(rows.slice(start, start + rowsAtOnce));
          blocks.add(made.added);
          for (const at of made.moved) blocks.drop(at);
          return made.added.length;
        });
      }
      await cap.wrote(added);
    },
    async list(filter, page) {
      const own = await listOwn(filter, page);
      const older = await former.list(filter, page);
      return older.length === 0 ? own : [...own, ...older].sort(newestFirst).slice(0, page.size);
    },
    purge: (before, size) => remove(before - (before % minuteMs), size),
  };
}

function newestFirst(one: RequestPlace, other: RequestPlace): number {
  if (one.at !== other.at) return other.at - one.at;
  // As SQLite compares: ids are ASCII.
  return one.id < other.id ? 1 : -1;
}
