import type { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import {
  emptyJournal,
  entriesAfter,
  eventId,
  type JournalDraft,
  type JournalEntry,
  type JournalHead,
} from '../../journal/journal.ts';
import type { JournalFilter, JournalPage } from '../../journal/journal-store.ts';
import { BadRecord } from '../../store/store.ts';
import { readPage } from '../records/pages.ts';
import type { Parameters, Prepare, Row } from '../statements.ts';
import { inTransaction } from '../transaction.ts';
import {
  type JournalColumn,
  type JournalRange,
  journalCounts,
  journalPage,
  journalSlice,
} from './journal-pages.ts';

/** The table of the journal. Throws SQLite's errors. */
export interface JournalTable {
  /** Writes what is new of the drafts, in the transaction of the caller. */
  append(drafts: readonly JournalDraft[], now: number): void;
  list(filter: JournalFilter, page: JournalPage): Promise<JournalEntry[]>;
  /** Removes the oldest entries up to that time, at most `size`, and says how many; none is left before one that stays. */
  purge(until: number, size: number): number;
}

/** Entries that are looked through before others have the thread: a few milliseconds. */
const sliceSize = 5_000;

/** What is in `body`: `before` and `after` as the very text that was hashed, the order of its members too. */
type Body = Pick<
  JournalEntry,
  'error' | 'address' | 'requestId' | 'before' | 'after' | 'previousHash' | 'actorName' | 'targetName'
>;

export function createJournalTable(
  database: DatabaseSync,
  prepare: Prepare,
  onBadRecord: (id: string, error: BadRecord) => void,
): JournalTable {
  const statements = prepareStatements(database);

  function head(): JournalHead {
    const last = statements.last.get();
    if (last !== undefined) {
      return { sequence: Number(last.sequence), at: Number(last.at), hash: String(last.hash) };
    }
    const kept = statements.keptHead.get();
    return kept === undefined ? emptyJournal : (JSON.parse(String(kept.value)) as JournalHead);
  }

  function isNew({ once }: JournalDraft, place: number, drafts: readonly JournalDraft[]): boolean {
    if (once === null) return true;
    if (drafts.findIndex((draft) => draft.once === once) < place) return false;
    return statements.getOnce.get({ once }) === undefined;
  }

  /** The column that leaves the fewest entries: who does much may have done one thing but once. */
  function leadOf(filter: JournalFilter): JournalColumn | undefined {
    let least = { column: undefined as JournalColumn | undefined, count: Number.POSITIVE_INFINITY };
    for (const { column, sql, parameters } of journalCounts(filter)) {
      const count = Number(prepare(sql).get(parameters)?.count);
      if (count < least.count) least = { column, count };
    }
    return least.column;
  }

  function readRange(filter: JournalFilter, range: JournalRange, lead?: JournalColumn): JournalEntry[] {
    return readPage(range.size, {
      rows(last, size) {
        const after = last === null ? range.after : Number(last.sequence);
        const { sql, parameters } = journalPage(filter, { ...range, after, size }, lead);
        return prepare(sql).all(parameters);
      },
      read: fromRow,
      onBadRecord: (row, error) => onBadRecord(eventId(Number(row.sequence)), error),
    });
  }

  return {
    append(drafts, now) {
      const fresh = drafts.filter(isNew);
      if (fresh.length === 0) return;
      for (const entry of entriesAfter(head(), fresh, now)) statements.insert.run(toRow(entry));
    },
    async list(filter, page) {
      const found: JournalEntry[] = [];
      const lead = leadOf(filter);
      for (let { after } = page; ; await setImmediate()) {
        const slice = journalSlice(filter, { ...page, after, size: sliceSize }, lead);
        const last = slice && prepare(slice.sql).get(slice.parameters);
        const to = last ? Number(last.sequence) : null;
        found.push(...readRange(filter, { ...page, after, to, size: page.size - found.length }, lead));
        if (to === null || found.length === page.size) return found;
        after = to;
      }
    },
    purge: (until, size) =>
      inTransaction(database, () => {
        const oldest = statements.oldest.all({ size });
        const young = oldest.findIndex(({ at }) => Number(at) > until);
        const old = young === -1 ? oldest : oldest.slice(0, young);
        const last = old.at(-1);
        if (last === undefined) return 0;
        // The chain goes on from the last entry, also when it was the only one that was left.
        statements.keepHead.run({ head: JSON.stringify(head()) });
        statements.remove.run({ last: Number(last.sequence) });
        return old.length;
      }),
  };
}

function prepareStatements(database: DatabaseSync) {
  return {
    last: database.prepare('SELECT sequence, at, hash FROM journal ORDER BY sequence DESC LIMIT 1'),
    keptHead: database.prepare("SELECT value FROM meta WHERE name = 'journal_head'"),
    keepHead: database.prepare("INSERT OR REPLACE INTO meta (name, value) VALUES ('journal_head', :head)"),
    getOnce: database.prepare('SELECT 1 FROM journal WHERE once = :once'),
    insert: database.prepare(
      `INSERT INTO journal (sequence, at, kind, owner, actor, action, target, outcome, once, hash, body)
       VALUES (:sequence, :at, :kind, :owner, :actor, :action, :target, :outcome, :once, :hash, :body)`,
    ),
    oldest: database.prepare('SELECT sequence, at FROM journal ORDER BY sequence LIMIT :size'),
    remove: database.prepare('DELETE FROM journal WHERE sequence <= :last'),
  };
}

function toRow(entry: JournalEntry): Parameters {
  const { sequence, at, kind, owner, actor, action, target, outcome, once, hash } = entry;
  const { error, address, requestId, before, after, previousHash, actorName, targetName } = entry;
  const body: Body = {
    ...{ error, address, requestId, before, after, previousHash },
    ...(actorName !== undefined && { actorName, targetName: targetName ?? null }),
  };
  return {
    ...{ sequence, at, kind, owner, actor, action, target, outcome, once, hash },
    body: JSON.stringify(body),
  };
}

/** The table is STRICT: each column has the type that it was made with. */
function fromRow(row: Row): JournalEntry {
  const { error, address, requestId, before, after, previousHash, actorName, targetName } = parseBody(row);
  return {
    sequence: Number(row.sequence),
    at: Number(row.at),
    kind: row.kind as JournalEntry['kind'],
    owner: row.owner as string | null,
    actor: row.actor as string | null,
    action: String(row.action),
    target: row.target as string | null,
    outcome: row.outcome as JournalEntry['outcome'],
    once: row.once as string | null,
    hash: String(row.hash),
    ...(actorName !== undefined && { actorName, targetName: targetName ?? null }),
    ...{ error, address, requestId, before, after, previousHash },
  };
}

/** Throws `BadRecord` when it is none; what is only another than it was shows in the hash. */
function parseBody({ sequence, body }: Row): Body {
  try {
    const parsed: unknown = JSON.parse(String(body));
    if (typeof parsed === 'object' && parsed !== null) return parsed as Body;
  } catch {
    // The parser's message quotes the text.
  }
  throw new BadRecord(eventId(Number(sequence)), 'body', 'an event');
}
