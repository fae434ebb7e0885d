import type { ClientSession, Collection, Db } from 'mongodb';
import type { JournalDraft } from '../../journal/journal.ts';
import type { OwnerRecord } from '../../keys/owner.ts';
import { type Asker, BadRecord, DuplicateKey } from '../../store/store.ts';
import { ownersName } from '../collections.ts';
import type { ChangeQueue } from '../feed/change-queue.ts';
import type { LatestReadDependencies } from '../feed/latest.ts';
import { createReadById } from './by-id.ts';
import { readPage } from './page.ts';
import { date, dateOrNull, labels, time } from './records.ts';

/** An owner in the collection `owners`. */
interface OwnerDocument {
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
  const { database, sessions, queue, onBadRecord } = dependencies;
  const owners: Collection<OwnerDocument> = database.collection(ownersName);

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
    async put(record, ifVersion, draft) {
      const document = toDocument(record);
      const { _id, ...members } = document;
      const change = {
        async apply(session: ClientSession) {
          if (ifVersion === 0) {
            await owners.insertOne(document, { session });
            return true;
          }
          const update = { $set: members };
          const { matchedCount } = await owners.updateOne({ _id, version: ifVersion }, update, { session });
          return matchedCount > 0;
        },
        async isDue(session: ClientSession) {
          const there = await owners.findOne({ _id: { $eq: _id } }, { session });
          return (there?.version ?? 0) === ifVersion;
        },
      };
      try {
        return await (draft === undefined
          ? sessions.write(change.apply)
          : queue({ ...change, drafts: [draft] }));
      } catch (error) {
        // Somebody else has put it.
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
  for (const [member, isRight] of Object.entries(memberChecks)) {
    if (!isRight(record[member as keyof OwnerRecord]))
      throw new BadRecord(String(record.id), member, 'an owner');
  }
  return record as OwnerRecord;
}

const isText = (value: unknown) => typeof value === 'string';
const isTime = (value: unknown) => Number.isSafeInteger(value);

const memberChecks: { readonly [member in keyof OwnerRecord]: (value: unknown) => boolean } = {
  id: isText,
  plan: (value) => value === null || isText(value),
  activeUntil: (value) => value === null || isTime(value),
  suspended: (value) => typeof value === 'boolean',
  name: (value) => value === null || isText(value),
  contact: (value) => value === null || isText(value),
  labels: (value) => typeof value === 'object' && value !== null && Object.values(value).every(isText),
  billingAnchor: (value) => value === null || isTime(value),
  keysMax: (value) => value === null || Number.isSafeInteger(value),
  createdAt: isTime,
  updatedAt: isTime,
  version: (value) => Number.isSafeInteger(value) && Number(value) >= 1,
};
