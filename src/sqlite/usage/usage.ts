import type { DatabaseSync } from 'node:sqlite';
import { setImmediate, setTimeout } from 'node:timers/promises';
import type { KeyId } from '../../keys/key.ts';
import type { Reason } from '../../schemes/answer.ts';
import { type CountedUse, requestsOf, type UsageStore } from '../../store/usage/usage-store.ts';
import type { UsageTally } from '../../store/usage/usage-tally.ts';
import { withoutSync } from '../transaction.ts';
import type { PendingUse } from './pending.ts';
import type { UsageSumTable } from './sums.ts';
import { columnsOf, fromFormerRow, fromRow, prepareStatements, sum, type UsageRow } from './usage-rows.ts';

/** The table of what keys were used for, a row an hour and key. Throws SQLite's errors. */
export interface UsageTable {
  /** Cheap for tallies of one hour in the order of their keys, which share pages. */
  record(tallies: readonly UsageTally[]): Promise<void>;
  get(key: KeyId, since: number): Promise<UsageTally[]>;
  count: UsageStore['countUse'];
  /** Removes at most `size` of the hours before that time, and says how many it did. */
  purge(before: number, size: number): number;
  /**
   * Writes the rows of what waits for them, where it is time; with pauses, three times as long as it takes, until
   * `isEnded`. One at a time.
   */
  fold(isEnded: () => boolean): Promise<void>;
}

const hourMs = 3_600_000;
/** Tallies that are written before others have the thread: a millisecond or two. */
const talliesAtOnce = 250;
/** Hours in which a key is looked for before others have the thread: a millisecond. */
const hoursAtOnce = 100;
/** Keys whose hours are counted before others have the thread: a millisecond. */
const countedAtOnce = 50;
/** Entries of the log that are removed before others have the thread. */
const entriesAtOnce = 100;
/** Pauses while rows are written, in times of what it takes: Checks may be on the same processor. */
const foldPauses = 3;

/**
 * Rows are in the order of their hours, so that those that are written are few pages, whatever is kept of the hours
 * before. The row of a key in `keys` is written once an hour: its `last_used_at` names the hour that has the latest
 * use (see `recordColumns`).
 */
export function createUsageTable(
  database: DatabaseSync,
  sums: Pick<UsageSumTable, 'addLate' | 'addToOwners' | 'reading' | 'isRead'>,
  pending: PendingUse,
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
  function begins(tally: UsageTally): boolean {
    return begin.run(...columnsOf(tally)).changes === 1;
  }

  function addFirst(tally: UsageTally): boolean {
    const { key, lastUsedAt } = tally;
    if (!begins(tally)) return false;
    if (lastUsedAt !== null) touch.run(lastUsedAt, key, lastUsedAt);
    return true;
  }

  function addAny(tally: UsageTally): void {
    const { key, hour } = tally;
    const before = fromRow(key, find.get(hour, key) as UsageRow);
    const after = sum(before, tally);
    put.run(...columnsOf(after));
    const { lastUsedAt } = after;
    if (lastUsedAt !== null && before.lastUsedAt === null) touch.run(lastUsedAt, key, lastUsedAt);
  }

  /** The row of a key names the hour of its last use already: it was noted when it began to wait. */
  function writeWaiting(tallies: readonly UsageTally[], noteFolded: () => void): void {
    withoutSync(database, () => {
      for (const tally of tallies) if (!begins(tally) && !addMore(tally)) addAny(tally);
      sums.addLate(tallies);
      sums.addToOwners(tallies);
      noteFolded();
    });
  }

  async function fold(isEnded: () => boolean): Promise<void> {
    await pending.begin();
    while (!isEnded()) {
      const began = performance.now();
      // Who reads rows and what waits would else meet some of it twice, or not at all.
      if (!sums.isRead()) {
        const some = pending.next(talliesAtOnce);
        if (some === null) break;
        writeWaiting(some.tallies, some.write);
        some.done();
      }
      await pause(foldPauses * (performance.now() - began));
    }
    while (!isEnded() && withoutSync(database, () => pending.clean(entriesAtOnce)) === entriesAtOnce)
      await setImmediate();
  }

  let folding: Promise<void> | null = null;

  async function hoursOf(key: KeyId, since: number): Promise<UsageTally[]> {
    const from = since - (since % hourMs);
    const found = new Map<number, UsageTally>();
    const meet = (tally: UsageTally) => {
      const before = found.get(tally.hour);
      found.set(tally.hour, before === undefined ? tally : sum(before, tally));
    };
    for (const row of statements.listFormer.all(key, from)) meet(fromFormerRow(key, row));
    let hour = statements.nextHour.get(from - 1)?.hour;
    for (let looked = 1; hour != null; looked++) {
      const row = find.get(Number(hour), key);
      if (row !== undefined) meet(fromRow(key, row));
      hour = statements.nextHour.get(Number(hour))?.hour;
      if (looked % hoursAtOnce === 0) await setImmediate();
    }
    for (const { about, ...tally } of pending.of(key)) if (tally.hour >= from) meet(tally);
    return [...found.values()].sort((one, other) => one.hour - other.hour);
  }

  async function count(keys: readonly KeyId[], hours: readonly number[]): Promise<CountedUse[]> {
    const found: CountedUse[] = [];
    for (const [at, key] of keys.entries()) {
      if (at > 0 && at % countedAtOnce === 0) await setImmediate();
      const waiting = pending.of(key);
      for (const hour of new Set(hours)) {
        const row = find.get(hour, key);
        const former = statements.findFormer.get(key, hour);
        const tallies = waiting.filter((tally) => tally.hour === hour) as UsageTally[];
        if (row !== undefined) tallies.push(fromRow(key, row));
        if (former !== undefined) tallies.push(fromFormerRow(key, former));
        const requests = tallies.reduce((total, tally) => total + requestsOf(tally), 0);
        if (requests > 0) found.push({ key, hour, requests });
      }
    }
    return found;
  }

  return {
    async record(tallies) {
      const rows: UsageTally[] = [];
      for (let start = 0; start < tallies.length; start += talliesAtOnce) {
        if (start > 0) await setImmediate();
        const added = pending.add(tallies.slice(start, start + talliesAtOnce));
        rows.push(...added.rest);
        try {
          withoutSync(database, () => {
            added.write();
            for (const tally of added.rest) if (!addMore(tally) && !addFirst(tally)) addAny(tally);
            sums.addLate(added.rest);
            if (start + talliesAtOnce >= tallies.length) sums.addToOwners(rows);
          });
        } catch (error) {
          added.undo();
          throw error;
        }
      }
    },
    get: (key, since) => sums.reading(() => hoursOf(key, since)),
    count: (keys, hours) => sums.reading(() => count(keys, hours)),
    fold(isEnded) {
      if (!pending.isDue()) return folding ?? Promise.resolve();
      folding ??= fold(isEnded).finally(() => {
        folding = null;
      });
      return folding;
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

/** Lets others have the thread for so long, and the process end. */
async function pause(ms: number): Promise<void> {
  await setTimeout(ms, undefined, { ref: false });
}
