import type { ClientSession, Collection, Db } from 'mongodb';
import {
  emptyJournal,
  entriesAfter,
  eventId,
  type JournalDraft,
  type JournalEntry,
  type JournalHead,
} from '../../journal/journal.ts';
import type { JournalFilter, JournalPage } from '../../journal/journal-store.ts';
import type { BadRecord } from '../../store/store.ts';
import { journalHeadId, journalName, metaName } from '../collections.ts';
import { isDuplicate } from '../errors.ts';
import { createFreshRead, type LatestReadDependencies } from '../feed/latest.ts';
import { readPage } from '../records/page.ts';
import type { ReadOptions } from '../sessions.ts';
import {
  type JournalDocument,
  type JournalHeadDocument,
  journalFilter,
  toDocument,
  toEntry,
  toHead,
} from './journal-records.ts';

/** The collection of the journal, and in `meta` where it ends. */
export interface JournalCollection {
  /**
   * The drafts in their places, but for those whose `once` was written before: the journal ends with them from now on,
   * and nobody else can extend it until the session's transaction has ended.
   */
  reserve(drafts: readonly JournalDraft[], session: ClientSession): Promise<readonly JournalEntry[]>;
  /** Writes what was reserved in the same transaction. */
  fill(entries: readonly JournalEntry[], session: ClientSession): Promise<void>;
  /** The same without a transaction, beside others that do it too. */
  extendApart(drafts: readonly JournalDraft[], session: ClientSession): Promise<void>;
  list(filter: JournalFilter, page: JournalPage): Promise<JournalEntry[]>;
}

export interface JournalCollectionDependencies extends Pick<LatestReadDependencies, 'sessions' | 'catchUp'> {
  readonly database: Db;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly retentionMs: number;
  readonly onBadRecord: (id: string, error: BadRecord) => void;
}

export function createJournalCollection(dependencies: JournalCollectionDependencies): JournalCollection {
  const { database, sessions, now, retentionMs, onBadRecord } = dependencies;
  const journal: Collection<JournalDocument> = database.collection(journalName);
  const heads: Collection<JournalHeadDocument> = database.collection(metaName);
  const readFresh = createFreshRead(dependencies);

  /** The head by the last entry, of a database whose own head was lost or has never been. */
  async function headByEntry(session: ClientSession): Promise<JournalHead> {
    const last = await journal.findOne({}, { sort: { _id: -1 }, session });
    return last === null ? emptyJournal : { sequence: last._id, at: last.at.getTime(), hash: last.hash };
  }

  /** Each `once` a single time, and none that is written. */
  async function unwritten(
    drafts: readonly JournalDraft[],
    session: ClientSession,
  ): Promise<readonly JournalDraft[]> {
    const names = drafts.flatMap(({ once }) => once ?? []);
    if (names.length === 0) return drafts;
    const projection = { once: 1 };
    const written = await journal.find({ once: { $in: names } }, { projection, session }).toArray();
    const seen = new Set(written.map(({ once }) => once));
    return drafts.filter(({ once }) => once === null || (!seen.has(once) && seen.add(once)));
  }

  async function saveHead({ sequence, at, hash }: JournalHead, session: ClientSession): Promise<void> {
    // Never back, where others write beside.
    const older = { _id: journalHeadId, sequence: { $not: { $gte: sequence } } };
    await heads.updateOne(older, { $set: { sequence, at: new Date(at), hash } }, { session });
  }

  /** False where somebody else has extended the journal meanwhile, or written its `once`. */
  async function appendedApart(draft: JournalDraft, session: ClientSession): Promise<boolean> {
    const [kept, last] = [
      await heads.findOne({ _id: journalHeadId }, { session }),
      await headByEntry(session),
    ];
    const known = kept === null ? null : toHead(kept);
    const head = known !== null && known.sequence > last.sequence ? known : last;
    const [entry] = entriesAfter(head, [draft], now());
    if (entry === undefined) return true;
    try {
      await journal.insertOne(toDocument(entry, retentionMs), { session });
    } catch (error) {
      if (isDuplicate(error)) return false;
      throw error;
    }
    await saveHead(entry, session);
    return true;
  }

  /** The sequences before and after those of the filter's times; null where there are none. */
  async function rangeOf({ since, until }: JournalFilter, read: ReadOptions) {
    // No entry's time is before that of the entry before, so times are ranges of sequences.
    const firstAt = (time: number) =>
      journal.findOne(
        { at: { $gte: new Date(time) } },
        { ...read, sort: { at: 1, _id: 1 }, projection: { _id: 1 } },
      );
    const [first, end] = [
      since === undefined ? undefined : await firstAt(since),
      until === undefined ? undefined : await firstAt(until),
    ];
    return first === null ? null : { after: (first?._id ?? 1) - 1, before: end?._id ?? Infinity };
  }

  /** Where the journal ends, locked until the session's transaction has ended. */
  async function lock(session: ClientSession): Promise<JournalHead> {
    const options = { upsert: true, returnDocument: 'after', session } as const;
    const head = await heads.findOneAndUpdate({ _id: journalHeadId }, { $inc: { locks: 1 } }, options);
    return (head && toHead(head)) ?? headByEntry(session);
  }

  /** Locks the end and moves it in one, where it is still the one that is known; false, and no change, where not. */
  async function moveHead(from: JournalHead, to: JournalHead, session: ClientSession): Promise<boolean> {
    const known = { _id: journalHeadId, sequence: from.sequence, hash: from.hash };
    const { sequence, at, hash } = to;
    const update = { $set: { sequence, at: new Date(at), hash }, $inc: { locks: 1 } };
    return (await heads.updateOne(known, update, { session })).matchedCount > 0;
  }

  /** What this process takes for the end: where it last put it. Wrong where others have written, or that was undone. */
  let supposed: JournalHead | null = null;

  return {
    async reserve(drafts, session) {
      const left = await unwritten(drafts, session);
      if (left.length === 0) return [];
      if (supposed !== null) {
        const entries = entriesAfter(supposed, left, now());
        const from = supposed;
        supposed = entries.at(-1) ?? from;
        if (await moveHead(from, supposed, session)) return entries;
      }
      const entries = entriesAfter(await lock(session), left, now());
      supposed = entries.at(-1) ?? null;
      if (supposed !== null) await saveHead(supposed, session);
      return entries;
    },
    async fill(entries, session) {
      const documents = entries.map((entry) => toDocument(entry, retentionMs));
      const [first] = documents;
      if (first === undefined) return;
      try {
        await (documents.length === 1
          ? journal.insertOne(first, { session })
          : journal.insertMany(documents, { session }));
      } catch (cause) {
        if (!isDuplicate(cause)) throw cause;
        // Not a key that exists, which is what its caller would take it for.
        throw new Error('the journal goes on after what is known as its end', { cause });
      }
    },
    async extendApart(drafts, session) {
      for (const draft of drafts) {
        for (;;) {
          const [left] = await unwritten([draft], session);
          if (left === undefined || (await appendedApart(left, session))) break;
        }
      }
    },
    list: (filter, { order, after, size, mayLag = false }) =>
      // What this process has committed itself is in either.
      (mayLag ? sessions.read : readFresh)(async (read: ReadOptions) => {
        const range = await rangeOf(filter, read);
        if (range === null) return [];
        const isNewest = order === 'newest';
        return readPage({
          ...{ size, from: after, toRecord: toEntry },
          onBadRecord: (sequence, error) => onBadRecord(eventId(Number(sequence)), error),
          placeOf: ({ _id }) => _id,
          find: (from, limit) => {
            const rest = isNewest
              ? { ...range, before: Math.min(range.before, from ?? Infinity) }
              : { ...range, after: Math.max(range.after, from ?? 0) };
            const sort = { _id: isNewest ? -1 : 1 } as const;
            return journal.find(journalFilter(filter, rest), { ...read, sort, limit }).toArray();
          },
        });
      }),
  };
}
