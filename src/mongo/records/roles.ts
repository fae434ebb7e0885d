import type { Collection, Db } from 'mongodb';
import type { JournalDraft } from '../../journal/journal.ts';
import type { RoleRecord } from '../../keys/role.ts';
import {
  areTexts,
  checkedMembers,
  isCount,
  isText,
  isTime,
  type MemberChecks,
  orNull,
} from '../../store/records/member-checks.ts';
import type { Asker, BadRecord } from '../../store/store.ts';
import { rolesName } from '../collections.ts';
import type { ChangeQueue } from '../feed/change-queue.ts';
import type { LatestReadDependencies } from '../feed/latest.ts';
import { createReadById } from './by-id.ts';
import { date, time } from './keys/records.ts';
import { readPage } from './page.ts';
import { createVersionedChanges } from './versioned.ts';

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
  const { database, sessions, onBadRecord } = dependencies;
  const roles: Collection<RoleDocument> = database.collection(rolesName);
  const changes = createVersionedChanges(roles, dependencies);

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
    put: (record, ifVersion, draft) => changes.put(toDocument(record), ifVersion, draft),
    delete: changes.delete,
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
  return checkedMembers(record, memberChecks, 'a role');
}

const memberChecks: MemberChecks<RoleRecord> = {
  id: isText,
  description: orNull(isText),
  permissions: areTexts,
  createdAt: isTime,
  updatedAt: isTime,
  version: isCount,
};
