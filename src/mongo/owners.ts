import type { Collection, Db } from 'mongodb';
import type { OwnerRecord } from '../owner.ts';
import { DuplicateKey } from '../store.ts';
import { ownersName } from './collections.ts';
import { createLatestRead, type LatestReadDependencies } from './latest.ts';
import { date, dateOrNull } from './records.ts';

/** An owner in the collection `owners`. */
interface OwnerDocument {
  _id: string;
  plan: string | null;
  active_until: Date | null;
  suspended: boolean;
  created_at: Date;
  updated_at: Date;
  version: number;
}

/** The collection of owners: what the store's contract says of each operation, the feed and the commit aside. */
export interface OwnerCollection {
  get(id: string): Promise<OwnerRecord | null>;
  list(page: { readonly after: string | null; readonly size: number }): Promise<OwnerRecord[]>;
  put(record: OwnerRecord, ifVersion: number): Promise<boolean>;
}

export function createOwnerCollection(
  dependencies: LatestReadDependencies & { readonly database: Db },
): OwnerCollection {
  const { database, sessions } = dependencies;
  const owners: Collection<OwnerDocument> = database.collection(ownersName);
  const readLatest = createLatestRead(dependencies);

  return {
    async get(id) {
      const document = await readLatest((read) => owners.findOne({ _id: { $eq: id } }, read));
      return document === null ? null : fromDocument(document);
    },
    async list({ after, size }) {
      const older = { _id: { $gt: after ?? '' } };
      const documents = await sessions.read((read) =>
        owners.find(older, { ...read, sort: { _id: 1 }, limit: size }).toArray(),
      );
      return documents.map(fromDocument);
    },
    async put(record, ifVersion) {
      const { _id, ...members } = toDocument(record);
      try {
        const { matchedCount, upsertedCount } = await sessions.write((session) =>
          // Version 0 is on no document: an upsert then inserts, or meets the one that somebody else has put.
          owners.updateOne(
            { _id, version: ifVersion },
            { $set: members },
            { session, upsert: ifVersion === 0 },
          ),
        );
        return matchedCount + upsertedCount > 0;
      } catch (error) {
        if (error instanceof DuplicateKey) return false;
        throw error;
      }
    },
  };
}

function toDocument(record: OwnerRecord): OwnerDocument {
  return {
    _id: record.id,
    plan: record.plan,
    active_until: dateOrNull(record.activeUntil),
    suspended: record.suspended,
    created_at: date(record.createdAt),
    updated_at: date(record.updatedAt),
    version: record.version,
  };
}

function fromDocument(document: OwnerDocument): OwnerRecord {
  return {
    id: document._id,
    plan: document.plan,
    activeUntil: document.active_until?.getTime() ?? null,
    suspended: document.suspended,
    createdAt: document.created_at.getTime(),
    updatedAt: document.updated_at.getTime(),
    version: document.version,
  };
}
