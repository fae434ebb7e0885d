import type { ClientSession, Collection } from 'mongodb';
import { StoreUnavailable } from '../store.ts';
import { isDuplicate } from './errors.ts';
import type { KeyDocument } from './records.ts';
import type { Sessions } from './sessions.ts';

/** Says for ever which key was the store's first; it outlives the key. */
export interface FirstKeyMark {
  _id: 'first_key';
  key: string;
}

/**
 * Inserts the document if the store never had a first key, and says whether it did. When that rejects with
 * `StoreUnavailable`, another call with the same document finishes what was begun.
 *
 * Two writes without a transaction, which a standalone server has not: the key, under an index that admits
 * one first key at a time, and then the mark, which decides. Whoever comes upon a key without a mark, left
 * by a process that died between the two, writes the mark for it.
 */
export function createFirstKeyInsert(
  sessions: Sessions,
  keys: Collection<KeyDocument>,
  marks: Collection<FirstKeyMark>,
): (document: KeyDocument) => Promise<boolean> {
  /** The key of a call that was rejected: it may be there, and nobody has been told of it. */
  let unsettled: string | null = null;

  /** The id of the first key that there is now, and whether it is new. */
  async function place(
    document: KeyDocument,
    session: ClientSession,
  ): Promise<{ id: string; isNew: boolean }> {
    try {
      await keys.insertOne({ ...document, first: true }, { session });
      return { id: document._id, isNew: true };
    } catch (error) {
      const there = isDuplicate(error) ? await keys.findOne({ first: true }, { session }) : null;
      if (there === null) throw error;
      return { id: there._id, isNew: false };
    }
  }

  /** The id that the mark names now, which is the given one if there was no mark. */
  async function mark(id: string, session: ClientSession): Promise<string> {
    try {
      await marks.insertOne({ _id: 'first_key', key: id }, { session });
      return id;
    } catch (error) {
      const there = isDuplicate(error) ? await marks.findOne({ _id: 'first_key' }, { session }) : null;
      if (there === null) throw error;
      return there.key;
    }
  }

  async function insert(document: KeyDocument, isAnother: boolean, session: ClientSession): Promise<boolean> {
    const marked = await marks.findOne({ _id: 'first_key' }, { session });
    if (marked !== null) return isAnother && marked.key === document._id;
    const { id, isNew } = await place(document, session);
    const first = await mark(id, session);
    // A first key that was marked, and purged, since we looked.
    if (isNew && first !== id) await keys.deleteOne({ _id: id, first: true }, { session });
    return first === document._id && (isNew || isAnother);
  }

  return async (document) => {
    try {
      const isAnother = unsettled === document._id;
      const isFirst = await sessions.write((session) => insert(document, isAnother, session));
      unsettled = null;
      return isFirst;
    } catch (error) {
      if (error instanceof StoreUnavailable) unsettled = document._id;
      throw error;
    }
  };
}
