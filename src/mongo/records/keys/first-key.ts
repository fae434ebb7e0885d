import type { ClientSession, Collection, Db } from 'mongodb';
import type { JournalDraft } from '../../../journal/journal.ts';
import { StoreUnavailable } from '../../../store/store.ts';
import { keysName, metaName } from '../../collections.ts';
import { isDuplicate } from '../../errors.ts';
import type { ChangeQueue } from '../../feed/change-queue.ts';
import type { KeyDocument } from './records.ts';

/** Says for ever which key was the store's first; it outlives the key. */
interface FirstKeyMark {
  _id: 'first_key';
  key: string;
}

export interface FirstKeyDependencies {
  readonly database: Db;
  readonly queue: ChangeQueue;
  readonly hasTransactions: boolean;
}

/**
 * Inserts the document if the store never had a first key, and says whether it did. When that rejects with
 * `StoreUnavailable`, another call with the same document finishes what was begun.
 *
 * The mark decides. Without a transaction, which a standalone server has not, the key is written first, under an
 * index that admits one first key at a time, and then the mark. Whoever comes upon a key without a mark, left by a
 * process that died between the two, writes the mark for it.
 */
export function createFirstKeyInsert(
  dependencies: FirstKeyDependencies,
): (document: KeyDocument, draft?: JournalDraft) => Promise<boolean> {
  const { database, queue, hasTransactions } = dependencies;
  const keys: Collection<KeyDocument> = database.collection(keysName);
  const marks: Collection<FirstKeyMark> = database.collection(metaName);
  /** The key of a call that was rejected: it may be there, and nobody has been told of it. */
  let unsettled: string | null = null;

  /** The id of the first key, marked or not; null where there was none. */
  async function firstId(session: ClientSession): Promise<string | null> {
    const marked = await marks.findOne({ _id: 'first_key' }, { session });
    return marked?.key ?? (await keys.findOne({ first: true }, { session }))?._id ?? null;
  }

  /** The id that the mark names now, which is the given one if there was no mark. */
  async function mark(id: string, session: ClientSession): Promise<string> {
    const marked = await marks.findOne({ _id: 'first_key' }, { session });
    if (marked !== null) return marked.key;
    try {
      await marks.insertOne({ _id: 'first_key', key: id }, { session });
      return id;
    } catch (error) {
      // In a transaction nothing can be asked any more; it is made again.
      const there =
        isDuplicate(error) && !hasTransactions
          ? await marks.findOne({ _id: 'first_key' }, { session })
          : null;
      if (there === null) throw error;
      return there.key;
    }
  }

  /** Whether the key is there, and was not before. */
  async function place(document: KeyDocument, session: ClientSession): Promise<boolean> {
    if ((await firstId(session)) !== null) return false;
    try {
      await keys.insertOne({ ...document, first: true }, { session });
      return true;
    } catch (error) {
      const isRaced = isDuplicate(error) && !hasTransactions && (await firstId(session)) !== null;
      if (!isRaced) throw error;
      return false;
    }
  }

  return async (document, draft) => {
    const id = document._id;
    const isAnother = unsettled === id;
    let isFirst = false;
    try {
      await queue({
        drafts: draft === undefined ? [] : [draft],
        isDue: async (session) => (await firstId(session)) === null,
        async apply(session) {
          const isNew = await place(document, session);
          const first = await mark(isNew ? id : ((await firstId(session)) ?? id), session);
          isFirst = first === id && (isNew || isAnother);
          // A first key that was marked, and purged, since we looked.
          if (isNew && first !== id) await keys.deleteOne({ _id: id, first: true }, { session });
          return isNew && isFirst;
        },
      });
      unsettled = null;
      return isFirst;
    } catch (error) {
      if (error instanceof StoreUnavailable) unsettled = id;
      throw error;
    }
  };
}
