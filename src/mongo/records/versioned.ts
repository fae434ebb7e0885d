import type {
  ClientSession,
  Collection,
  Filter,
  MatchKeysAndValues,
  OptionalUnlessRequiredId,
} from 'mongodb';
import type { JournalDraft } from '../../journal/journal.ts';
import { DuplicateKey } from '../../store/store.ts';
import type { Change, ChangeQueue } from '../feed/change-queue.ts';
import type { Sessions } from '../sessions.ts';

interface VersionedDocument {
  _id: string;
  version: number;
}

/** Changes of documents that are made only where nobody else has changed them since they were read. */
export interface VersionedChanges<D> {
  /** Writes the document if the stored one has the version `ifVersion`, 0 for none; says whether it did. */
  put(document: D, ifVersion: number, draft?: JournalDraft): Promise<boolean>;
  /** Removes it if it has this version; says whether it did. */
  delete(id: string, ifVersion: number, draft?: JournalDraft): Promise<boolean>;
}

/** Each change together with its entry in the journal, or neither, where a draft of one is given. */
export function createVersionedChanges<D extends VersionedDocument>(
  collection: Collection<D>,
  { sessions, queue }: { readonly sessions: Sessions; readonly queue: ChangeQueue },
): VersionedChanges<D> {
  const make = (change: Omit<Change, 'drafts'>, draft?: JournalDraft) =>
    draft === undefined ? sessions.write(change.apply) : queue({ ...change, drafts: [draft] });
  const by = (filter: object) => filter as Filter<D>;
  const isOf = (id: string, version: number) => async (session: ClientSession) =>
    ((await collection.findOne(by({ _id: { $eq: id } }), { session }))?.version ?? 0) === version;

  return {
    async put(document, ifVersion, draft) {
      const { _id, ...members } = document;
      const apply = async (session: ClientSession) => {
        if (ifVersion === 0) {
          await collection.insertOne(document as OptionalUnlessRequiredId<D>, { session });
          return true;
        }
        const update = { $set: members as MatchKeysAndValues<D> };
        const filter = by({ _id, version: ifVersion });
        return (await collection.updateOne(filter, update, { session })).matchedCount > 0;
      };
      try {
        return await make({ apply, isDue: isOf(_id, ifVersion) }, draft);
      } catch (error) {
        // Somebody else has put it.
        if (error instanceof DuplicateKey) return false;
        throw error;
      }
    },
    delete(id, ifVersion, draft) {
      const filter = by({ _id: { $eq: id }, version: ifVersion });
      const apply = async (session: ClientSession) =>
        (await collection.deleteOne(filter, { session })).deletedCount > 0;
      return make({ apply, isDue: isOf(id, ifVersion) }, draft);
    },
  };
}
