import type { ClientSession, Db } from 'mongodb';

export const keysName = 'keys';
export const replicasName = 'replicas';
export const ownersName = 'owners';
export const limitsName = 'limits';
export const usageName = 'usage';
export const metaName = 'meta';

/** Makes what is missing of collections and indexes, and changes nothing that is there. */
export async function createCollections(database: Db, session: ClientSession): Promise<void> {
  await database.collection(keysName).createIndexes(
    [
      { key: { digest: 1 }, name: 'digest', unique: true },
      { key: { purge_at: 1 }, name: 'purge_at', expireAfterSeconds: 0 },
      { key: { first: 1 }, name: 'first', unique: true, partialFilterExpression: { first: true } },
      {
        key: { request_key: 1 },
        name: 'request_key',
        unique: true,
        partialFilterExpression: { request_key: { $type: 'string' } },
      },
      // A page by one of these and the order of the page; every other filter goes along a page of all keys.
      { key: { owner: 1, _id: -1 }, name: 'owner' },
      { key: { scheme: 1, _id: -1 }, name: 'scheme' },
      { key: { permissions: 1, _id: -1 }, name: 'permissions' },
    ],
    { session },
  );
  await database
    .collection(replicasName)
    .createIndexes([{ key: { expires_at: 1 }, name: 'expires_at', expireAfterSeconds: 0 }], { session });
  // Windows that have ended, and hours past their retention.
  for (const name of [limitsName, usageName]) {
    const index = { key: { purge_at: 1 }, name: 'purge_at', expireAfterSeconds: 0 } as const;
    await database.collection(name).createIndexes([index], { session });
  }
}
