import type { ClientSession, Db, IndexDescription } from 'mongodb';
import { makeCapped } from './capped.ts';
import { isDuplicate } from './errors.ts';
import { makeIndexes } from './indexes.ts';
import { earliest } from './records/keys/records.ts';

export const keysName = 'keys';
export const replicasName = 'replicas';
export const ownersName = 'owners';
export const rolesName = 'roles';
export const limitsName = 'limits';
export const chargesName = 'charges';
export const usageName = 'usage';
/** Of hours that are not over, or whose rows are not made yet. */
export const usageOpenName = 'usage_open';
export const usageBatchesName = 'usage_batches';
export const usageSumsName = 'usage_sums';
/** Of owners, whether their hours are over or not. */
export const usageOwnersName = 'usage_owners';
export const metaName = 'meta';
export const journalName = 'journal';
export const addressesName = 'addresses';
export const dutiesName = 'duties';
export const identityKeysName = 'identity_keys';
export const requestsName = 'requests';
/** What relays hand on of the change stream in a large fleet: to replicas that look for it, and to those that wait for it. */
export const relayedName = 'relayed';
export const relayPagesName = 'relay_pages';
export const portalSessionsName = 'portal_sessions';

/** The document in the collection `meta` that says where the journal ends. */
export const journalHeadId = 'journal_head';

const purgeIndex = { key: { purge_at: 1 }, name: 'purge_at', expireAfterSeconds: 0 } as const;
/** Of rows of many keys, or owners, in a document. */
const runIndex = { key: { run: 1, bucket: 1, hour: 1 }, name: 'run' } as const;

/** The indexes of every collection that has some, besides that of `_id`. */
export const collectionIndexes: Readonly<Record<string, IndexDescription[]>> = {
  [keysName]: [
    { key: { digest: 1 }, name: 'digest', unique: true },
    purgeIndex,
    { key: { first: 1 }, name: 'first', unique: true, partialFilterExpression: { first: true } },
    {
      key: { request_key: 1 },
      name: 'request_key',
      unique: true,
      partialFilterExpression: { request_key: { $type: 'string' } },
    },
    // A page by one of these and the order of the page; every other filter goes along a page of all keys.
    // Of one owner it is read backwards. Databases of before lists by owner have one the other way round besides.
    { key: { owner: 1, _id: 1 }, name: 'owner_order' },
    { key: { scheme: 1, _id: -1 }, name: 'scheme' },
    { key: { permissions: 1, _id: -1 }, name: 'permissions' },
    { key: { prefix: 1, _id: -1 }, name: 'prefix' },
    // What else a search looks for: `text-search.ts`.
    { key: { last4: 1, _id: 1 }, name: 'last4' },
    { key: { labels_folded: 1, _id: 1 }, name: 'labels_folded' },
    // Text alone is more than the empty text.
    {
      key: { held_external_id: 1 },
      name: 'held_external_id',
      unique: true,
      partialFilterExpression: { held_external_id: { $gt: '' } },
    },
    {
      key: { external_id: 1, _id: -1 },
      name: 'external_id',
      partialFilterExpression: { external_id: { $gt: '' } },
    },
    { key: { roles: 1, _id: -1 }, name: 'roles', partialFilterExpression: { roles: { $gt: '' } } },
    { key: { name_folded: 1, _id: 1 }, name: 'name' },
    { key: { last_used_at: 1, _id: 1 }, name: 'last_used_at' },
    {
      key: { revived_at: 1, _id: 1 },
      name: 'revived_at',
      partialFilterExpression: { revived_at: { $gte: new Date(earliest) } },
    },
    // Of keys that have an end alone, and most have none.
    {
      key: { expires_at: 1, _id: 1 },
      name: 'expires_at',
      partialFilterExpression: { expires_at: { $gte: new Date(earliest) } },
    },
  ],
  [journalName]: [
    purgeIndex,
    {
      key: { once: 1 },
      name: 'once',
      unique: true,
      partialFilterExpression: { once: { $type: 'string' } },
    },
    { key: { at: 1, _id: 1 }, name: 'at' },
    ...['owner', 'actor', 'action', 'target'].map((name) => ({ key: { [name]: 1, _id: 1 } as const, name })),
  ],
  [replicasName]: [{ key: { expires_at: 1 }, name: 'expires_at', expireAfterSeconds: 0 }],
  // Windows that have ended, ids of charges, hours past their retention, addresses that nobody comes from any more,
  // sessions a day after their end.
  [limitsName]: [purgeIndex],
  [chargesName]: [purgeIndex],
  [usageName]: [purgeIndex],
  [usageOpenName]: [purgeIndex, runIndex],
  [usageOwnersName]: [purgeIndex, runIndex],
  [usageBatchesName]: [purgeIndex],
  [usageSumsName]: [purgeIndex],
  [addressesName]: [purgeIndex],
  [requestsName]: [
    purgeIndex,
    { key: { at: -1, row: -1 }, name: 'at' },
    { key: { key_id: 1, at: -1, row: -1 }, name: 'key' },
    { key: { owner: 1, at: -1, row: -1 }, name: 'owner' },
    { key: { reason: 1, at: -1, row: -1 }, name: 'reason' },
  ],
  [portalSessionsName]: [purgeIndex],
  [relayedName]: [purgeIndex, { key: { up_to: 1 }, name: 'up_to' }],
};

/** Makes what is missing of collections and indexes, and changes nothing that is there. */
export async function createCollections(database: Db, session: ClientSession): Promise<void> {
  for (const [name, indexes] of Object.entries(collectionIndexes)) {
    await makeIndexes(database, name, indexes, session);
  }
  await makeCapped(database, relayPagesName, session);
  await makeJournalHead(database, session);
}

/** A document to lock, where there is none: where the journal ends is found by the first that locks it. */
async function makeJournalHead(database: Db, session: ClientSession): Promise<void> {
  const meta = database.collection<{ _id: string; locks: number }>(metaName);
  try {
    await meta.updateOne({ _id: journalHeadId }, { $setOnInsert: { locks: 0 } }, { upsert: true, session });
  } catch (error) {
    if (!isDuplicate(error)) throw error;
  }
}
