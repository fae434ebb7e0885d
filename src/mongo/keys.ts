import type { Collection, Db } from 'mongodb';
import type { KeyId, KeyRecord } from '../key.ts';
import type { Digest } from '../secret.ts';
import type { BadRecord, KeyFilter } from '../store.ts';
import { keysName, metaName } from './collections.ts';
import { createFirstKeyInsert, type FirstKeyMark } from './first-key.ts';
import { createFreshRead, createLatestRead, type LatestReadDependencies } from './latest.ts';
import { readPage } from './page.ts';
import { fromDocument, type KeyDocument, listFilter, toDocument } from './records.ts';

/** The collection of keys: what the store's contract says of each operation, the feed and the commit aside. */
export interface KeyCollection {
  find(digests: readonly Digest[]): Promise<KeyRecord | null>;
  get(id: KeyId): Promise<KeyRecord | null>;
  getByRequest(requestKey: string): Promise<KeyRecord | null>;
  list(
    filter: KeyFilter,
    page: { readonly before: KeyId | null; readonly size: number },
  ): Promise<KeyRecord[]>;
  insert(record: KeyRecord, retentionMs: number): Promise<void>;
  insertFirst(record: KeyRecord, retentionMs: number): Promise<boolean>;
  replace(record: KeyRecord, ifVersion: number, retentionMs: number): Promise<boolean>;
}

export interface KeyCollectionDependencies extends LatestReadDependencies {
  readonly database: Db;
  readonly onBadRecord: (id: string, error: BadRecord) => void;
}

export function createKeyCollection(dependencies: KeyCollectionDependencies): KeyCollection {
  const { database, sessions, onBadRecord } = dependencies;
  const readLatest = createLatestRead(dependencies);
  const readFresh = createFreshRead(dependencies);
  const keys: Collection<KeyDocument> = database.collection(keysName);
  const marks: Collection<FirstKeyMark> = database.collection(metaName);
  const insertFirst = createFirstKeyInsert(sessions, keys, marks);

  return {
    async find(digests) {
      if (digests.length === 0) return null;
      const found = await readLatest(
        (read) => keys.find({ digest: { $in: [...digests] } }, read).toArray(),
        (documents) => documents.length === 0,
      );
      const wanted = digests.flatMap((digest) => found.filter((document) => document.digest === digest));
      return wanted[0] === undefined ? null : fromDocument({ ...wanted[0] });
    },
    async get(id) {
      const document = await readFresh((read) => keys.findOne({ _id: id }, read));
      return document === null ? null : fromDocument({ ...document });
    },
    async getByRequest(requestKey) {
      const document = await readFresh((read) => keys.findOne({ request_key: requestKey }, read));
      return document === null ? null : fromDocument({ ...document });
    },
    list: (filter, { before, size }) =>
      readPage({
        ...{ size, from: before, onBadRecord },
        find: (from, limit) =>
          sessions.read((read) =>
            keys
              .find(listFilter(filter, from as KeyId | null), { ...read, sort: { _id: -1 }, limit })
              .toArray(),
          ),
        toRecord: (document) => fromDocument({ ...document }),
      }),
    async insert(record, retentionMs) {
      await sessions.write((session) => keys.insertOne(toDocument(record, retentionMs), { session }));
    },
    insertFirst: (record, retentionMs) => insertFirst(toDocument(record, retentionMs)),
    async replace(record, ifVersion, retentionMs) {
      const { _id, last_used_at: _, ...members } = toDocument(record, retentionMs);
      const { matchedCount } = await sessions.write((session) =>
        keys.updateOne({ _id, version: ifVersion }, { $set: members }, { session }),
      );
      return matchedCount > 0;
    },
  };
}
