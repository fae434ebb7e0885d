import type { Collection, Db } from 'mongodb';
import type { JournalDraft } from '../../journal/journal.ts';
import type { OwnerRecord } from '../../keys/owner.ts';
import {
  checkedMembers,
  isCount,
  isText,
  isTime,
  type MemberChecks,
  orNull,
} from '../../store/records/member-checks.ts';
import type { Asker, BadRecord } from '../../store/store.ts';
import { ownersName } from '../collections.ts';
import type { ChangeQueue } from '../feed/change-queue.ts';
import type { LatestReadDependencies } from '../feed/latest.ts';
import { createReadById } from './by-id.ts';
import { date, dateOrNull, labels, time } from './keys/records.ts';
import { readPage } from './page.ts';
import { createVersionedChanges } from './versioned.ts';

/** An owner in the collection `owners`. */
export interface OwnerDocument {
  _id: string;
  plan: string | null;
  active_until: Date | null;
  suspended: boolean;
  /** These are absent from documents of before they were kept. */
  name?: string | null;
  contact?: string | null;
  /** Pairs, as a key's. */
  labels?: readonly (readonly [name: string, value: string])[];
  billing_anchor?: Date | null;
  keys_max?: number | null;
  created_at: Date;
  updated_at: Date;
  version: number;
}

/** The collection of owners: what the store's contract says of each operation, the feed and the commit aside. */
export interface OwnerCollection {
  get(id: string, asker?: Asker): Promise<OwnerRecord | null>;
  /** Those of them that there are and that can be read. */
  getAll(ids: readonly string[]): Promise<OwnerRecord[]>;
  list(page: { readonly after: string | null; readonly size: number }): Promise<OwnerRecord[]>;
  put(record: OwnerRecord, ifVersion: number, draft?: JournalDraft): Promise<boolean>;
}

export interface OwnerCollectionDependencies extends LatestReadDependencies {
  readonly database: Db;
  readonly queue: ChangeQueue;
  readonly onBadRecord: (id: string, error: BadRecord) => void;
}

export function createOwnerCollection(dependencies: OwnerCollectionDependencies): OwnerCollection {
  const { database, sessions, onBadRecord } = dependencies;
  const owners: Collection<OwnerDocument> = database.collection(ownersName);
  const changes = createVersionedChanges(owners, dependencies);

  return {
    get: createReadById(owners, dependencies, fromDocument),
    getAll: (ids) =>
      readPage({
        ...{ size: ids.length, from: null, onBadRecord },
        placeOf: ({ _id }: OwnerDocument) => _id,
        find: (from: string | null, limit) =>
          sessions.read((read) =>
            owners
              .find(
                { _id: { $in: [...ids], ...(from !== null && { $gt: from }) } },
                { ...read, sort: { _id: 1 }, limit },
              )
              .toArray(),
          ),
        toRecord: (document) => fromDocument({ ...document }),
      }),
    list: ({ after, size }) =>
      readPage({
        ...{ size, from: after, onBadRecord },
        placeOf: ({ _id }: OwnerDocument) => _id,
        find: (from: string | null, limit) =>
          sessions.read((read) =>
            owners.find({ _id: { $gt: from ?? '' } }, { ...read, sort: { _id: 1 }, limit }).toArray(),
          ),
        toRecord: (document) => fromDocument({ ...document }),
      }),
    put: (record, ifVersion, draft) => changes.put(toDocument(record), ifVersion, draft),
  };
}

function toDocument(record: OwnerRecord): OwnerDocument {
  return {
    _id: record.id,
    plan: record.plan,
    active_until: dateOrNull(record.activeUntil),
    suspended: record.suspended,
    name: record.name,
    contact: record.contact,
    labels: Object.entries(record.labels),
    billing_anchor: dateOrNull(record.billingAnchor),
    keys_max: record.keysMax,
    created_at: date(record.createdAt),
    updated_at: date(record.updatedAt),
    version: record.version,
  };
}

/** Throws `BadRecord` when the document is not an owner. */
function fromDocument(document: Readonly<Record<string, unknown>>): OwnerRecord {
  const record = {
    id: document._id,
    plan: document.plan,
    activeUntil: time(document.active_until),
    suspended: document.suspended,
    name: document.name ?? null,
    contact: document.contact ?? null,
    labels: labels(document.labels ?? []),
    billingAnchor: time(document.billing_anchor ?? null),
    keysMax: document.keys_max ?? null,
    createdAt: time(document.created_at),
    updatedAt: time(document.updated_at),
    version: document.version,
  };
  return checkedMembers(record, memberChecks, 'an owner');
}

const memberChecks: MemberChecks<OwnerRecord> = {
  id: isText,
  plan: orNull(isText),
  activeUntil: orNull(isTime),
  suspended: (value) => typeof value === 'boolean',
  name: orNull(isText),
  contact: orNull(isText),
  labels: (value) => typeof value === 'object' && value !== null && Object.values(value).every(isText),
  billingAnchor: orNull(isTime),
  keysMax: orNull(Number.isSafeInteger),
  createdAt: isTime,
  updatedAt: isTime,
  version: isCount,
};
