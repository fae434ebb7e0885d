import type { DatabaseSync } from 'node:sqlite';
import type { KeyId } from '../../keys/key.ts';
import type { Reason } from '../../schemes/answer.ts';
import { aboutPlaces, type UsageAbout, type UsageTally } from '../../store/usage/usage-tally.ts';
import type { PendingTally } from './pending-hour.ts';

/** Use that no row has yet, as it came: what a process that starts reads once. Throws SQLite's errors. */
export interface UseLog {
  /** Tallies of one hour, and what each key was. In a transaction. */
  append(hour: number, tallies: readonly UsageTally[], abouts: readonly UsageAbout[]): void;
  /** The number of the last entry. */
  last(): number;
  /** All that is in no row yet, in the order in which it came. */
  read(): Generator<PendingTally[], void>;
  /** Up to this key of this hour all entries up to this one are in rows. In a transaction with these. */
  folded(entry: number, hour: number, key: KeyId): void;
  /**
   * Removes at most `size` of the entries up to this one and this hour, all of which are in rows, and says how many it
   * did.
   */
  remove(entry: number, hour: number, size: number): number;
}

/** One row: columns of as many tallies. */
interface Columns {
  /** Joined by spaces. */
  readonly keys: string;
  readonly allowed: readonly number[];
  /** Milliseconds since the hour began; -1 for never. */
  readonly last: readonly number[];
  readonly addresses: readonly string[];
  /** Which of them each has; -1 for none. */
  readonly address: readonly number[];
  readonly abouts: readonly UsageAbout[];
  readonly about: readonly number[];
  /** Denials, where there are any. */
  readonly denials?: readonly (readonly [at: number, reason: Reason, count: number])[];
}

export const useLogStep = {
  readerMin: 2,
  statements: `
  CREATE TABLE usage_log (
    entry        INTEGER PRIMARY KEY AUTOINCREMENT,
    hour         INTEGER NOT NULL,
    tallies      TEXT NOT NULL
  ) STRICT;
  CREATE TABLE usage_folded (
    entry        INTEGER PRIMARY KEY,
    hour         INTEGER NOT NULL,
    key          TEXT NOT NULL
  ) STRICT;
  `,
};

export function createUseLog(database: DatabaseSync): UseLog {
  const insert = database.prepare('INSERT INTO usage_log (hour, tallies) VALUES (?, ?)');
  const readNext = database.prepare(
    'SELECT entry, hour, tallies FROM usage_log WHERE entry > ? ORDER BY entry LIMIT 100',
  );
  const getLast = database.prepare('SELECT max(entry) AS entry FROM usage_log');
  const listFolded = database.prepare('SELECT entry, hour, key FROM usage_folded');
  const putFolded = database.prepare(
    'INSERT INTO usage_folded (entry, hour, key) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET hour = excluded.hour, key = excluded.key',
  );
  const removeTo = database.prepare(
    'DELETE FROM usage_log WHERE entry IN (SELECT entry FROM usage_log WHERE entry <= ? AND hour <= ? ORDER BY entry LIMIT ?)',
  );
  const removeFolded = database.prepare('DELETE FROM usage_folded WHERE entry <= ? AND hour <= ?');

  return {
    append: (hour, tallies, abouts) =>
      void insert.run(hour, JSON.stringify(columnsOf(hour, tallies, abouts))),
    last: () => Number(getLast.get()?.entry ?? 0),
    *read() {
      // One more for each process that ended in the midst of it.
      const folded = listFolded.all().map(({ entry, hour, key }) => ({
        ...{ entry: Number(entry), hour: Number(hour), key: String(key) },
      }));
      const isFolded = (entry: number, { hour, key }: UsageTally) =>
        folded.some((to) => entry <= to.entry && (hour < to.hour || (hour === to.hour && key <= to.key)));
      for (let last = 0; ; ) {
        const rows = readNext.all(last);
        for (const { entry, hour, tallies } of rows) {
          last = Number(entry);
          const found = talliesOf(Number(hour), JSON.parse(String(tallies)));
          yield found.filter((tally) => !isFolded(last, tally));
        }
        if (rows.length === 0) return;
      }
    },
    folded: (entry, hour, key) => void putFolded.run(entry, hour, key),
    remove(entry, hour, size) {
      const { changes } = removeTo.run(entry, hour, size);
      if (Number(changes) < size) removeFolded.run(entry, hour);
      return Number(changes);
    },
  };
}

function columnsOf(hour: number, tallies: readonly UsageTally[], told: readonly UsageAbout[]): Columns {
  const addresses: string[] = [];
  const known = new Map<string | undefined, number>([[undefined, -1]]);
  const abouts: UsageAbout[] = [];
  const aboutPlace = aboutPlaces((about) => abouts.push(about as UsageAbout) - 1);
  const denials: [number, Reason, number][] = [];
  for (const [at, { denied }] of tallies.entries()) {
    for (const reason in denied) denials.push([at, reason as Reason, denied[reason as Reason] as number]);
  }
  return {
    keys: tallies.map(({ key }) => key).join(' '),
    allowed: tallies.map(({ allowed }) => allowed),
    last: tallies.map(({ lastUsedAt }) => (lastUsedAt === null ? -1 : lastUsedAt - hour)),
    address: tallies.map(({ addresses: [address] }) => {
      const before = known.get(address);
      if (before !== undefined) return before;
      known.set(address, addresses.push(address as string) - 1);
      return addresses.length - 1;
    }),
    about: told.map((about) => aboutPlace(about)),
    ...{ addresses, abouts },
    ...(denials.length === 0 ? {} : { denials }),
  };
}

function talliesOf(hour: number, columns: Columns): PendingTally[] {
  const { allowed, last, addresses, address, abouts, about, denials = [] } = columns;
  const denied = new Map(denials.map(([at, reason, count]) => [at, { [reason]: count }]));
  return columns.keys.split(' ').map((key, at) => ({
    ...{ key: key as KeyId, hour, allowed: allowed[at] as number, observed: {} },
    denied: denied.get(at) ?? {},
    lastUsedAt: last[at] === -1 ? null : hour + (last[at] as number),
    addresses: address[at] === -1 ? [] : [addresses[address[at] as number] as string],
    about: abouts[about[at] as number] as UsageAbout,
  }));
}
