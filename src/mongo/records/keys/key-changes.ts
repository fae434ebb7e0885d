import type { ClientSession, Collection, Db } from 'mongodb';
import type { JournalDraft } from '../../../journal/journal.ts';
import type { KeyRecord } from '../../../keys/key.ts';
import { ExternalIdTaken } from '../../../store/records/external-id.ts';
import { DuplicateKey, insertsMax, StoreUnavailable } from '../../../store/store.ts';
import { keysName } from '../../collections.ts';
import { duplicatesOf } from '../../errors.ts';
import type { Change, ChangeQueue, ChangeQueueDependencies } from '../../feed/change-queue.ts';
import type { Sessions } from '../../sessions.ts';
import { type KeyDocument, toDocument } from './records.ts';

/** The collection of keys as it is changed: what the store's contract says of each, the feed and the commit aside. */
export interface KeyChanges {
  insert(record: KeyRecord, retentionMs: number, draft?: JournalDraft): Promise<void>;
  /** The places of those that were not inserted. */
  insertMany(
    records: readonly KeyRecord[],
    retentionMs: number,
    draft?: (inserted: number) => JournalDraft,
  ): Promise<ReadonlySet<number>>;
  replace(record: KeyRecord, ifVersion: number, retentionMs: number, draft?: JournalDraft): Promise<boolean>;
  rotate(
    rotation: { readonly old: KeyRecord; readonly ifVersion: number; readonly made: KeyRecord },
    retentionMs: number,
    draft?: JournalDraft,
  ): Promise<boolean>;
}

export interface KeyChangeDependencies {
  readonly database: Db;
  readonly sessions: Sessions;
  readonly queue: ChangeQueue;
  readonly hasTransactions: boolean;
}

/** How often others may insert what is about to be inserted, each time after it was found to be free. */
const racesMax = 20;
const none: ReadonlySet<number> = new Set();

export function createKeyChanges(dependencies: KeyChangeDependencies): KeyChanges {
  const { database, sessions, queue, hasTransactions } = dependencies;
  const keys: Collection<KeyDocument> = database.collection(keysName);

  /** Only what has a draft, or takes several writes, needs more than the one write. */
  const change = (only: Omit<Change, 'drafts'>, draft?: JournalDraft) =>
    draft === undefined ? sessions.write(only.apply) : queue({ ...only, drafts: [draft] });

  const insertionOf = (document: KeyDocument): Omit<Change, 'drafts'> => ({
    async apply(session) {
      await keys.insertOne(document, { session });
      return true;
    },
    isDue: async (session) => (await takenIn([document], session)).size === 0,
    write: { insertOne: { document } },
  });

  const replacementOf = (document: KeyDocument, ifVersion: number): Omit<Change, 'drafts'> => {
    const { _id, last_used_at: _, digest: __, ...members } = document;
    const [filter, update] = [{ _id, version: ifVersion }, { $set: members }];
    return {
      async apply(session) {
        return (await keys.updateOne(filter, update, { session })).matchedCount > 0;
      },
      write: { updateOne: { filter, update } },
      isDue: async (session) => (await keys.findOne({ _id, version: ifVersion }, { session })) !== null,
    };
  };

  /** The places of documents whose id, digest or request a stored key has, or one before them. */
  async function takenIn(
    documents: readonly KeyDocument[],
    session?: ClientSession,
  ): Promise<ReadonlySet<number>> {
    const requests = documents.flatMap(({ request_key }) => request_key ?? []);
    const externalIds = documents.flatMap(({ held_external_id }) => held_external_id ?? []);
    const filters = [
      { _id: { $in: documents.map(({ _id }) => _id) } },
      { digest: { $in: documents.map(({ digest }) => digest) } },
      ...(requests.length > 0 ? [{ request_key: { $in: requests } }] : []),
      ...(externalIds.length > 0 ? [{ held_external_id: { $in: externalIds } }] : []),
    ];
    const taken = new Set<string>();
    const take = (document: Parameters<typeof namesOf>[0]) => {
      for (const name of namesOf(document)) taken.add(name);
    };
    const projection = { digest: 1, request_key: 1, held_external_id: 1 };
    for (const filter of filters) {
      const options = { projection, ...(session && { session }) };
      for (const there of await keys.find(filter, options).toArray()) take(there);
    }
    return new Set(
      documents.flatMap((document, place) => {
        if (namesOf(document).some((name) => taken.has(name))) return [place];
        take(document);
        return [];
      }),
    );
  }

  /** Inserts those that are not taken, and then says which were; undefined where it did not know of one. */
  async function insertFree(
    documents: readonly KeyDocument[],
    taken: ReadonlySet<number>,
    draft: (inserted: number) => JournalDraft,
  ): Promise<ReadonlySet<number> | undefined> {
    const places = documents.flatMap((_, place) => (taken.has(place) ? [] : [place]));
    if (places.length === 0) return taken;
    const free = documents.filter((_, place) => !taken.has(place));
    let raced: ReadonlySet<number> = new Set();
    try {
      await queue({
        drafts: [draft(free.length)],
        isDue: async () => true,
        async apply(session) {
          if (hasTransactions) await keys.insertMany(free, { session });
          else raced = await duplicatesOf(keys.insertMany(free, { ordered: false, session }));
          return true;
        },
      });
    } catch (error) {
      if (error instanceof DuplicateKey || error instanceof ExternalIdTaken) return undefined;
      throw error;
    }
    return new Set([...taken, ...places.filter((_, index) => raced.has(index))]);
  }

  return {
    async insert(record, retentionMs, draft) {
      await change(insertionOf(toDocument(record, retentionMs)), draft);
    },
    async insertMany(records, retentionMs, draft) {
      if (records.length > insertsMax)
        throw new RangeError(`at most ${insertsMax} keys are inserted at once`);
      const documents = records.map((record) => toDocument(record, retentionMs));
      if (documents.length === 0) return new Set();
      if (draft === undefined) {
        return sessions.write((session) =>
          duplicatesOf(keys.insertMany(documents, { ordered: false, session })),
        );
      }
      for (let races = 0; races <= racesMax; races++) {
        // A transaction says by itself that one is taken, which is seldom so.
        const isSupposedFree = hasTransactions && races === 0;
        const known = isSupposedFree ? none : await sessions.write((session) => takenIn(documents, session));
        const taken = await insertFree(documents, known, draft);
        if (taken !== undefined) return taken;
      }
      throw new StoreUnavailable('others keep inserting the same keys');
    },
    replace: (record, ifVersion, retentionMs, draft) =>
      change(replacementOf(toDocument(record, retentionMs), ifVersion), draft),
    rotate({ old, ifVersion, made }, retentionMs, draft) {
      const replacement = replacementOf(toDocument(old, retentionMs), ifVersion);
      const insertion = insertionOf(toDocument(made, retentionMs));
      return queue({
        drafts: draft === undefined ? [] : [draft],
        isDue: async (session) => (await replacement.isDue(session)) && (await insertion.isDue(session)),
        async apply(session) {
          if (hasTransactions) return (await replacement.apply(session)) && insertion.apply(session);
          // In this order: without a transaction the old key must not end before there is a new one.
          if (!(await replacement.isDue(session))) return false;
          // The new key takes it over, and no two may hold it.
          const release = { $set: { held_external_id: null } };
          if (made.externalId !== null)
            await keys.updateOne({ _id: old.id, version: ifVersion }, release, { session });
          await insertion.apply(session);
          if (await replacement.apply(session)) return true;
          await keys.deleteOne({ _id: made.id }, { session });
          return false;
        },
      });
    },
  };
}

/** Writes keys as the changes of one transaction ask for it; false where one did not find its key as it was. */
export function createKeyWrites(database: Db): ChangeQueueDependencies['writeKeys'] {
  const keys: Collection<KeyDocument> = database.collection(keysName);
  return async (writes, session) => {
    const { insertedCount, matchedCount } = await keys.bulkWrite([...writes], { session });
    return insertedCount + matchedCount === writes.length;
  };
}

/** What no two keys may have in common, kept apart by what it is. */
function namesOf({
  _id,
  digest,
  request_key,
  held_external_id: held,
}: Pick<KeyDocument, '_id' | 'digest' | 'request_key' | 'held_external_id'>) {
  return [
    ...[`id ${_id}`, `digest ${digest}`],
    ...(request_key === null ? [] : [`request ${request_key}`]),
    ...(held == null ? [] : [`external id ${held}`]),
  ];
}
