/**
 * Room `mongo/`: The store on MongoDB. Here: records, the change feed, the lease, the fleet and its
 * settlement, diagnosis. Not here: anything that another store would need too.
 */

import type { RestorableStore } from '../restore/restore-mark.ts';
import type { FeedSubscriber } from '../store/feed.ts';
import { StoreUnavailable } from '../store/store.ts';
import { createClient, databaseName, timeoutsOf } from './client.ts';
import {
  type Connection,
  closeClient,
  connect,
  disconnect,
  type MongoStoreDependencies,
} from './connection.ts';
import { mongoError } from './errors.ts';

/**
 * The store on MongoDB, for any number of replicas. Throws an Error, which does not quote the address, when
 * the address can not be read or names no database.
 * `open` rejects with `RestoredStore` where the database was restored.
 */
export function createMongoStore(dependencies: MongoStoreDependencies): RestorableStore {
  const { uri, now } = dependencies;
  const timeouts = timeoutsOf(dependencies.timeouts);
  const name = databaseName(uri);
  // Made here for the sake of its checks alone: a client that was closed is not opened again.
  createClient(uri, timeouts);
  let subscriber: FeedSubscriber = { onChange() {}, onOwnerChange() {}, onGap() {} };
  let opened: Connection | null = null;

  function current(): Connection {
    if (opened === null) throw new StoreUnavailable('the store is not open');
    return opened;
  }

  return {
    kind: 'mongodb',
    insertsAtOnce: 500,
    feed: {
      subscribe(given) {
        subscriber = given;
      },
      isFresh: () => opened?.replication?.lease.isHeld() ?? false,
      lagMs: () => (opened?.replication === null ? 0 : (opened?.replication.lease.ageMs() ?? Infinity)),
    },

    async open() {
      if (opened !== null) return;
      const client = createClient(uri, timeouts);
      try {
        opened = await connect(client, name, dependencies, subscriber);
      } catch (error) {
        await closeClient(client);
        throw mongoError(error);
      }
    },
    async close() {
      if (opened === null) return;
      const connection = opened;
      opened = null;
      await disconnect(connection);
    },

    findKey: async (digests) => current().keys.find(digests),
    getKey: async (id) => current().keys.get(id),
    findDigests: async (digests) => current().digests.find(digests),
    getKeyByRequest: async (requestKey) => current().keys.getByRequest(requestKey),
    listKeys: async (filter, page) => current().keys.list(filter, page),
    insertKey: async (...change) => current().changes.insertKey(...change),
    insertFirstKey: async (...change) => current().changes.insertFirstKey(...change),
    insertKeys: async (...change) => current().changes.insertKeys(...change),
    replaceKey: async (...change) => current().changes.replaceKey(...change),
    rotateKey: async (...change) => current().changes.rotateKey(...change),
    replaceDigests: async (changes) => current().changes.replaceDigests(changes),
    countDigests: async () => current().digests.count(),
    diagnose: async () => current().diagnose(),
    getOwner: async (id) => current().owners.get(id),
    getOwners: async (ids) => current().owners.getAll(ids),
    listOwners: async (page) => current().owners.list(page),
    putOwner: async (...change) => current().changes.putOwner(...change),
    appendJournal: async (drafts) => current().changes.appendJournal(drafts),
    listJournal: async (filter, page) => current().journal.list(filter, page),
    noteAddresses: async (uses) => current().addresses.noteAddresses(uses),
    listExpiring: async (range, size) => current().keys.listExpiring(range, size),
    claimDuty: async (...claim) => current().duties.claimDuty(...claim),
    recordDuty: async (...record) => current().duties.recordDuty(...record),
    leaseUnits: async (request) => current().limits.lease(request),
    recordUsage: async (tallies) => current().usage.record(tallies),
    getUsage: async (key, since) => current().usage.get(key, since),
    getRestoreMark: async () => current().marks.getRestoreMark(),
    putRestoreMark: async (mark) => current().marks.putRestoreMark(mark),
    async countReplicas() {
      const { replication } = current();
      return replication === null ? null : replication.fleet.count();
    },
    async settle(commit) {
      const { replication } = current();
      // On a standalone server nobody remembers anything.
      return replication === null
        ? { effectiveAt: now(), unconfirmedReplicas: [] }
        : replication.settle(commit);
    },
  };
}
