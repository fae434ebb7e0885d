import type { Collection, Db } from 'mongodb';
import type { ExpiryRange } from '../../../journal/journal-store.ts';
import type { KeyId, KeyRecord } from '../../../keys/key.ts';
import { type KeyOrder, type KeyPlace, placeOf } from '../../../keys/key-order.ts';
import type { Digest } from '../../../keys/secret.ts';
import type { KeyCounts } from '../../../store/diagnosis/standing.ts';
import { createGathered } from '../../../store/gathered.ts';
import type { KeyFilter, OwnedExternalId, OwnedKeys } from '../../../store/records/key-filter.ts';
import type { Asker, BadRecord } from '../../../store/store.ts';
import { keysName } from '../../collections.ts';
import {
  byAsker,
  createFreshRead,
  createLatestRead,
  type LatestReadDependencies,
} from '../../feed/latest.ts';
import type { ReadOptions } from '../../sessions.ts';
import { readPage } from '../page.ts';
import { countKeyStates } from './key-counts.ts';
import { orderedRanges } from './key-ranges.ts';
import { earliest, fromDocument, type KeyDocument, ownedText } from './records.ts';
import { createShownUse, fillPage, type LastUses } from './shown-use.ts';
import { searchingFilter } from './text-search.ts';

/** Reads of keys for Checks that are under way at once, as many for all others, and keys in one of them. */
const findsAtOnce = { underWayMax: 4, askedMax: 100 };

/** The collection of keys as it is read: what the store's contract says of each operation. */
export interface KeyCollection {
  find(digests: readonly Digest[], asker?: Asker): Promise<KeyRecord | null>;
  get(id: KeyId, mayLag?: true): Promise<KeyRecord | null>;
  countOwned(asked: OwnedKeys, max: number): Promise<number>;
  findExternalIds(asked: readonly OwnedExternalId[]): Promise<ReadonlySet<number>>;
  getByRequest(requestKey: string, mayLag?: true): Promise<KeyRecord | null>;
  list(
    filter: KeyFilter,
    page: { readonly before: KeyId | null; readonly size: number },
  ): Promise<KeyRecord[]>;
  listInOrder(
    filter: KeyFilter,
    order: KeyOrder,
    page: { readonly after: KeyPlace | null; readonly size: number },
  ): Promise<KeyRecord[]>;
  countListed(filter: KeyFilter, max: number): Promise<number>;
  listExpiring(range: ExpiryRange, size: number): Promise<KeyRecord[]>;
  countStates(now: number): Promise<KeyCounts>;
}

export interface KeyCollectionDependencies extends LatestReadDependencies {
  readonly database: Db;
  readonly lastUses: LastUses;
  readonly onBadRecord: (id: string, error: BadRecord) => void;
}

export function createKeyCollection(dependencies: KeyCollectionDependencies): KeyCollection {
  const { database, sessions, onBadRecord } = dependencies;
  const readFresh = createFreshRead(dependencies);
  const keys: Collection<KeyDocument> = database.collection(keysName);
  const toRecord = (document: KeyDocument) => fromDocument(document);
  const use = createShownUse(dependencies.lastUses);
  const finds = byAsker(dependencies, (timeoutMs) => createFind(keys, dependencies, timeoutMs));

  return {
    async find(digests, asker) {
      if (digests.length === 0) return null;
      const found = await finds(asker)(digests);
      const wanted = digests.flatMap((digest) => found.filter((document) => document.digest === digest));
      const record = wanted[0] === undefined ? null : toRecord(wanted[0]);
      // What a Check asks for it waits for, and it shows no last use.
      if (record === null || asker === 'check') return record;
      return use.one(record.id, Promise.resolve(record));
    },
    async get(id, mayLag) {
      const readOne = (read: ReadOptions) => keys.findOne({ _id: id }, read);
      const found = mayLag === true ? sessions.read(readOne) : readFresh(readOne);
      return use.one(
        id,
        found.then((document) => (document === null ? null : toRecord(document))),
      );
    },
    countOwned: ({ owner, scheme, environment, now }, max) =>
      readFresh((read) =>
        keys.countDocuments(
          {
            owner: { $eq: owner },
            ...(scheme !== undefined && { scheme: { $eq: scheme } }),
            ...(environment !== undefined && { environment: { $eq: environment } }),
            ...{ revoked_at: null, rotated_to: null },
            $or: [{ expires_at: null }, { expires_at: { $gt: new Date(now) } }],
          },
          { ...read, limit: max },
        ),
      ),
    async findExternalIds(asked) {
      if (asked.length === 0) return new Set();
      const texts = asked.map(ownedText);
      const options = { projection: { held_external_id: 1 } } as const;
      const found = await readFresh((read) =>
        keys.find({ held_external_id: { $in: texts } }, { ...read, ...options }).toArray(),
      );
      const held = new Set(found.map(({ held_external_id }) => held_external_id));
      return new Set(texts.flatMap((text, place) => (held.has(text) ? [place] : [])));
    },
    async getByRequest(requestKey, mayLag) {
      const document = await (mayLag === true ? sessions.read : readFresh)((read: ReadOptions) =>
        keys.findOne({ request_key: requestKey }, read),
      );
      return document === null ? null : use.one(document._id as KeyId, Promise.resolve(toRecord(document)));
    },
    list: (filter, { before, size }) =>
      fillPage({
        ...{ size, from: before },
        shown: async (records) => (await use.many(records)).filter(isUnused(filter)),
        placeOf: ({ id }) => id,
        read: (before, size) =>
          readPage({
            ...{ size, from: before, onBadRecord, toRecord },
            placeOf: ({ _id }) => _id as KeyId,
            find: (from, limit) =>
              sessions.read(async (read) => {
                const kept = await searchingFilter(keys, filter, from, read);
                return keys.find(kept, { ...read, sort: { _id: -1 }, limit }).toArray();
              }),
          }),
      }),
    countListed: (filter, max) =>
      sessions.read(async (read) =>
        keys.countDocuments(await searchingFilter(keys, filter, null, read), { ...read, limit: max }),
      ),
    countStates: (now) => countKeyStates(database, sessions, now),
    listInOrder: (filter, order, { after, size }) =>
      fillPage({
        ...{ size, from: after },
        shown: async (records) => {
          const used = await use.many(records);
          // A page goes on behind what its last key shows, so in this order it shows what it is sorted by.
          const shown = order.by === 'last_used_at' ? records : used;
          return shown.filter((_, at) => isUnused(filter)(used[at] as KeyRecord));
        },
        placeOf: (record) => placeOf(record, order),
        read: (from, size) =>
          readPage({
            ...{ size, from, onBadRecord, toRecord },
            placeOf: (document) => placeInOrder(document, order),
            find: (behind, limit) =>
              sessions.read(async (read) => {
                const searching = await searchingFilter(keys, filter, null, read);
                const found: KeyDocument[] = [];
                for (const { range, sort } of orderedRanges(order, behind)) {
                  const options = { ...read, sort, limit: limit - found.length };
                  if (options.limit === 0) break;
                  const kept = { $and: [searching, range] };
                  found.push(...(await keys.find(kept, options).toArray()));
                }
                return found;
              }),
          }),
      }),
    listExpiring: ({ after, until, last }, size) =>
      readPage({
        ...{ size, from: last ?? null, onBadRecord, toRecord },
        placeOf: ({ _id, expires_at }) => ({ id: _id as KeyId, expiresAt: expires_at?.getTime() ?? after }),
        find: (from, limit) =>
          sessions.read(async (read) => {
            const options = { ...read, sort: { expires_at: 1, _id: 1 } } as const;
            // Two ranges of one index: what ends at the same time as the last one, and what ends later.
            const same =
              from === null
                ? []
                : await keys
                    .find(
                      { expires_at: new Date(from.expiresAt), _id: { $gt: from.id }, revoked_at: null },
                      { ...options, limit },
                    )
                    .toArray();
            if (same.length === limit) return same;
            const range = {
              $gt: new Date(Math.max(from?.expiresAt ?? after, earliest)),
              $lte: new Date(until),
            };
            const later = await keys
              .find({ expires_at: range, revoked_at: null }, { ...options, limit: limit - same.length })
              .toArray();
            return [...same, ...later];
          }),
      }),
  };
}

/** Keys by their digests, in no order. */
function createFind(
  keys: Collection<KeyDocument>,
  dependencies: LatestReadDependencies,
  timeoutMs: number,
): (digests: readonly Digest[]) => Promise<readonly KeyDocument[]> {
  const { sessions } = dependencies;
  const readLatest = createLatestRead(dependencies, timeoutMs);
  /** In a session of its own, which is no older than that of any who asks. */
  const findGathered = createGathered(async (asked: readonly (readonly Digest[])[]) => {
    const wanted = { digest: { $in: asked.flat() } };
    const found = await sessions.read((read) => keys.find(wanted, read).toArray(), { timeoutMs });
    const documents = new Map<string, KeyDocument>(found.map((document) => [document.digest, document]));
    return asked.map((digests) => digests.flatMap((digest) => documents.get(digest) ?? []));
  }, findsAtOnce);

  return (digests) =>
    readLatest(
      () => findGathered(digests),
      (documents) => documents.length === 0,
    );
}

/** What the filter says of last uses, of keys whose own documents may not say them yet. */
function isUnused({ unusedSince }: KeyFilter): (record: KeyRecord) => boolean {
  return ({ lastUsedAt }) => unusedSince === undefined || lastUsedAt === null || lastUsedAt < unusedSince;
}

/** Also of a document that cannot be read as a key. */
function placeInOrder(document: KeyDocument, order: KeyOrder): KeyPlace {
  const id = document._id as KeyId;
  const [lastUsedAt, expiresAt] = [document.last_used_at, document.expires_at].map((at) =>
    at instanceof Date ? at.getTime() : null,
  );
  if (order.by === 'name') return { value: String(document.name_folded), id };
  if (order.by === 'owner') return { value: typeof document.owner === 'string' ? document.owner : null, id };
  return placeOf({ id, lastUsedAt, expiresAt } as KeyRecord, order);
}
