import type { ClientSession, Collection, Db } from 'mongodb';
import type { JournalDraft } from '../../journal/journal.ts';
import type { RoleRecord } from '../../keys/role.ts';
import { type Asker, BadRecord, DuplicateKey } from '../../store/store.ts';
import { rolesName } from '../collections.ts';
import type { Change, ChangeQueue } from '../feed/change-queue.ts';
import type { LatestReadDependencies } from '../feed/latest.ts';
import { createReadById } from './by-id.ts';
import { readPage } from './page.ts';
import { date, time } from './records.ts';

/** A role in the collection `roles`. */
interface RoleDocument {
  _id: string;
  description: string | null;
  permissions: readonly string[];
  created_at: Date;
  updated_at: Date;
  version: number;
}

/** The collection of roles: what the store's contract says of each operation, the feed and the commit aside. */
export interface RoleCollection {
  get(id: string, asker?: Asker): Promise<RoleRecord | null>;
  list(page: { readonly after: string | null; readonly size: number }): Promise<RoleRecord[]>;
  put(record: RoleRecord, ifVersion: number, draft?: JournalDraft): Promise<boolean>;
  delete(id: string, ifVersion: number, draft?: JournalDraft): Promise<boolean>;
}

export interface RoleCollectionDependencies extends LatestReadDependencies {
  readonly database: Db;
  readonly queue: ChangeQueue;
  readonly onBadRecord: (id: string, error: BadRecord) => void;
}

export function createRoleCollection(dependencies: RoleCollectionDependencies): RoleCollection {
  const { database, sessions, queue, onBadRecord } = dependencies;
  const roles: Collection<RoleDocument> = database.collection(rolesName);
  const change = (only: Omit<Change, 'drafts'>, draft?: JournalDraft) =>
    draft === undefined ? sessions.write(only.apply) : queue({ ...only, drafts: [draft] });
  const isOf = (id: string, version: number) => async (session: ClientSession) =>
    ((await roles.findOne({ _id: { $eq: id } }, { session }))?.version ?? 0) === version;

  return {
    get: createReadById(roles, dependencies, fromDocument),
    list: ({ after, size }) =>
      readPage({
        ...{ size, from: after, onBadRecord },
        placeOf: ({ _id }: RoleDocument) => _id,
        find: (from: string | null, limit) =>
          sessions.read((read) =>
            roles.find({ _id: { $gt: from ?? '' } }, { ...read, sort: { _id: 1 }, limit }).toArray(),
          ),
        toRecord: (document) => fromDocument({ ...document }),
      }),
    async put(record, ifVersion, draft) {
      const document = toDocument(record);
      const { _id, ...members } = document;
      const apply = async (session: ClientSession) => {
        if (ifVersion === 0) {
          await roles.insertOne(document, { session });
          return true;
        }
        const update = { $set: members };
        const { matchedCount } = await roles.updateOne({ _id, version: ifVersion }, update, { session });
        return matchedCount > 0;
      };
      try {
        return await change({ apply, isDue: isOf(_id, ifVersion) }, draft);
      } catch (error) {
        // Somebody else has put it.
        if (error instanceof DuplicateKey) return false;
        throw error;
      }
    },
    delete(id, ifVersion, draft) {
      const apply = async (session: ClientSession) =>
        (await roles.deleteOne({ _id: { $eq: id }, version: ifVersion }, { session })).deletedCount > 0;
      return change({ apply, isDue: isOf(id, ifVersion) }, draft);
    },
  };
}

function toDocument(record: RoleRecord): RoleDocument {
  return {
    _id: record.id,
    description: record.description,
    permissions: record.permissions,
    created_at: date(record.createdAt),
    updated_at: date(record.updatedAt),
    version: record.version,
  };
}

/** Throws `BadRecord` when the document is not a role. */
function fromDocument(document: Readonly<Record<string, unknown>>): RoleRecord {
  const record = {
    id: document._id,
    description: document.description,
    permissions: document.permissions,
    createdAt: time(document.created_at),
    updatedAt: time(document.updated_at),
    version: document.version,
  };
  for (const [member, isRight] of Object.entries(memberChecks)) {
    if (!isRight(record[member as keyof RoleRecord]))
      throw new BadRecord(String(record.id), member, 'a role');
  }
  return record as RoleRecord;
}

const isText = (value: unknown) => typeof value === 'string';
const isTime = (value: unknown) => Number.isSafeInteger(value);

const memberChecks: { readonly [member in keyof RoleRecord]: (value: unknown) => boolean } = {
  id: isText,
  description: (value) => value === null || isText(value),
  permissions: (value) => Array.isArray(value) && value.every(isText),
  createdAt: isTime,
  updatedAt: isTime,
  version: (value) => Number.isSafeInteger(value) && Number(value) >= 1,
};
