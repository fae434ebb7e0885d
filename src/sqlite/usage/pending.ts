import type { DatabaseSync } from 'node:sqlite';
import type { KeyId } from '../../keys/key.ts';
import type { UsageAbout, UsageTally } from '../../store/usage/usage-tally.ts';
import { type FoldOrder, foldOrder, keyOf, type Place } from './fold-order.ts';
import { createPendingHour, type PendingHour, type PendingSum, type PendingTally } from './pending-hour.ts';
import { createUseLog } from './use-log.ts';

/**
 * Use of the present hour that no row has yet. A row for each key and flush is what the use of many keys costs: here a
 * flush is one entry of a log, and each key's row is written once, when the hour is over or the log is long. Until then
 * whoever reads rows adds what waits here. Throws SQLite's errors.
 */
export interface PendingUse {
  /**
   * Takes what it has room for. `rest` is for rows; `write` is for the same transaction as these, and where that
   * fails, `undo` is for after it.
   */
  add(tallies: readonly UsageTally[]): {
    readonly rest: readonly UsageTally[];
    write(): void;
    undo(): void;
  };
  /** What waits of a key, an hour each. */
  of(key: KeyId): PendingTally[];
  /** All that waits of hours that begin from `from` on and before `to`. */
  all(from: number, to: number): Generator<PendingTally, void>;
  /** The same, by what keys were. */
  sums(from: number, to: number): Generator<PendingSum, void>;
  /** Keys of an owner of which something may wait. */
  keysOf(owner: string): Generator<KeyId, void>;
  /** Keys that may wait in all. */
  readonly size: number;
  /** The first hour of which something waits; null for none. */
  firstHour(): number | null;
  /** Whether rows are to be written now. */
  isDue(): boolean;
  /** What is added from now on is left for the next time that all is written. To be awaited before {@link next}. */
  begin(): Promise<void>;
  /**
   * Some of what waited when it began, in the order of rows, for rows that are written with `write` in one transaction,
   * and `done` right after it; null where nothing of it is left.
   */
  next(size: number): {
    readonly tallies: readonly PendingTally[];
    write(): void;
    done(): void;
  } | null;
  /** Removes at most `size` entries of the log that rows have, and says how many it did. */
  clean(size: number): number;
}

const hourMs = 3_600_000;
/** How long after an hour use of it may come to be written. */
const graceMs = 15_000;
/** Tallies in the log for each key of it before rows are written. */
const logMax = 8;
const logMin = 20_000;

export interface PendingUseDependencies {
  readonly now: () => number;
  /** What a key is whose tally does not say it. */
  readonly aboutOf: (key: KeyId) => UsageAbout;
}

interface Placed {
  readonly table: PendingHour;
  readonly place: number;
  readonly tally: UsageTally;
  readonly lastUsedBefore: number | null;
}

interface Folding {
  /** All of these entries up to this hour. */
  readonly entry: number;
  readonly through: number;
  readonly tables: readonly PendingHour[];
  /** One for each hour. */
  orders: FoldOrder[] | null;
}

export function createPendingUse(
  database: DatabaseSync,
  { now, aboutOf }: PendingUseDependencies,
): PendingUse {
  // Named by the expression that reads the last use of a key.
  database.function('pending_last_use', (key) => lastUse(String(key)));
  const log = createUseLog(database);
  const touch = database.prepare(
    'UPDATE keys SET last_used_at = ? WHERE id = ? AND (last_used_at IS NULL OR last_used_at < ?)',
  );
  let open: PendingHour[] = [];
  /** Those whose rows are being written. */
  let folding: Folding | null = null;
  /** Up to where rows have the entries of the log. */
  let folded: Pick<Folding, 'entry' | 'through'> = { entry: 0, through: 0 };
  for (const tallies of log.read()) restore(tallies);

  function restore(tallies: readonly PendingTally[]): void {
    for (const tally of tallies) {
      if (open.some((table) => table.hour === tally.hour && table.add(tally, aboutOf) >= 0)) continue;
      const table = createPendingHour(tally.hour);
      table.add(tally, aboutOf);
      open.push(table);
    }
  }

  /** As they are now, whatever becomes of them while somebody goes through them. */
  function tables(from = 0, to = Infinity): PendingHour[] {
    const all = folding === null ? open : [...open, ...folding.tables];
    return all.filter(({ hour }) => hour >= from && hour < to);
  }

  function lastUse(key: string): number {
    let last = 0;
    for (const table of tables()) {
      const place = table.find(key as KeyId);
      if (place >= 0) last = Math.max(last, table.lastUsedAt(place) ?? 0);
    }
    return last;
  }

  /** That of the hour that it is, or that was until a moment ago; null for others, whose use is late. */
  function openTable(hour: number): PendingHour | null {
    if (hour > now() || isOver(hour)) return null;
    const known = open.findLast((table) => table.hour === hour);
    if (known !== undefined) return known;
    const table = createPendingHour(hour);
    open.push(table);
    return table;
  }

  /** Whether all use of that hour should be known. */
  function isOver(hour: number): boolean {
    return now() >= hour + hourMs + graceMs;
  }

  function isLong(): boolean {
    const sum = (count: (table: PendingHour) => number) =>
      open.reduce((total, table) => total + count(table), 0);
    return sum(({ added }) => added) > Math.max(logMin, logMax * sum(({ size }) => size));
  }

  function startFolding(): Folding {
    const entry = log.last();
    const isAll = isLong();
    const due = open.filter(({ hour }) => isAll || isOver(hour));
    open = open.filter((table) => !due.includes(table));
    const through = isAll ? Number.MAX_SAFE_INTEGER : Math.max(0, ...due.map(({ hour }) => hour));
    return { entry, through, tables: due, orders: null };
  }

  return {
    add(tallies) {
      const rest: UsageTally[] = [];
      const placed: Placed[] = [];
      let table: PendingHour | null = null;
      for (const tally of tallies) {
        if (table?.hour !== tally.hour) table = openTable(tally.hour);
        const place = table?.add(tally, aboutOf) ?? -1;
        if (table === null || place < 0) rest.push(tally);
        else placed.push({ table, place, tally, lastUsedBefore: table.lastUsedBefore });
      }
      return {
        rest,
        write() {
          for (const [{ hour, aboutAt }, all] of Map.groupBy(placed, ({ table }) => table))
            log.append(
              hour,
              all.map(({ tally }) => tally),
              all.map(({ place }) => aboutAt(place)),
            );
          for (const { tally, lastUsedBefore } of placed) {
            const { key, hour, lastUsedAt } = tally;
            // The hour alone: exact times would put keys that stand together all over the index of them.
            if (lastUsedAt !== null && lastUsedBefore === null) touch.run(hour, key, hour);
          }
        },
        undo() {
          for (const { table, place, tally, lastUsedBefore } of placed.toReversed())
            table.remove(place, tally, lastUsedBefore);
        },
      };
    },
    of(key) {
      const found: PendingTally[] = [];
      for (const table of tables()) {
        const place = table.find(key);
        const tally = place < 0 ? null : table.tallyAt(place);
        if (tally !== null) found.push(tally);
      }
      return found;
    },
    *all(from, to) {
      for (const table of tables(from, to)) {
        for (let place = 0; place < table.size; place++) {
          const tally = table.tallyAt(place);
          if (tally !== null) yield tally;
        }
      }
    },
    *sums(from, to) {
      for (const table of tables(from, to)) yield* table.sums();
    },
    *keysOf(owner) {
      for (const table of tables()) yield* table.keysOf(owner);
    },
    get size() {
      let size = 0;
      for (const table of tables()) size += table.size;
      return size;
    },
    firstHour() {
      let first: number | null = null;
      for (const { hour } of tables()) first = first === null ? hour : Math.min(first, hour);
      return first;
    },
    isDue: () => folding !== null || open.some(({ hour, size }) => size > 0 && isOver(hour)) || isLong(),
    async begin() {
      folding ??= startFolding();
      if (folding.orders !== null) return;
      const { tables: frozen } = folding;
      const hours = [...new Set(frozen.map(({ hour }) => hour))].sort((one, other) => one - other);
      const orders: FoldOrder[] = [];
      for (const hour of hours) orders.push(await foldOrder(frozen.filter((table) => table.hour === hour)));
      folding.orders = orders;
    },
    next(size) {
      const order = folding?.orders?.find(({ isEmpty }) => !isEmpty);
      if (folding === null || order === undefined) {
        folded = folding ?? folded;
        folding = null;
        return null;
      }
      const { entry } = folding;
      const taken = order.first(size);
      const last = taken.at(-1) as Place;
      return {
        tallies: taken.flatMap(({ table, place }) => table.tallyAt(place) ?? []),
        write: () => log.folded(entry, last.table.hour, keyOf(last)),
        done() {
          for (const { table, place } of taken) table.clear(place);
          order.drop(taken.length);
        },
      };
    },
    clean: (size) => log.remove(folded.entry, folded.through, size),
  };
}
