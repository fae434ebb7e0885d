/**
 * Room `mongo/`: The store on MongoDB. Here: records, the change feed, the lease, the fleet and its
 * settlement, diagnosis. Not here: anything that another store would need too.
 */

import type { RestorableStore } from '../restore/restore-mark.ts';
import type { FeedSubscriber } from '../store/feed/feed.ts';
import type { IdentityKeyStore } from '../store/records/identity-keys.ts';
import { StoreUnavailable } from '../store/store.ts';
import type { RequestStore } from '../store/usage/request-log.ts';
import type { UseListener } from '../store/usage/usage-store.ts';
import { concerns, createClient, databaseName, timeoutsOf } from './client.ts';
import { keysName } from './collections.ts';
import {
  type Connection,
  closeClient,
  connect,
  disconnect,
  type MongoStoreDependencies,
} from './connection.ts';
import { mongoError } from './errors.ts';
import { createRelogin, type Relogin } from './relogin.ts';

/**
 * The store on MongoDB, for any number of replicas. Throws an Error, which does not quote the address, when
 * the address cannot be read or names no database.
 * `open` rejects with `RestoredStore` where the database was restored.
 */
export function createMongoStore(dependencies: MongoStoreDependencies): RestorableStore {
  const { uri, now } = dependencies;
  const timeouts = timeoutsOf(dependencies.timeouts);
  const name = databaseName(uri);
  // Made here for the sake of its checks alone: a client that was closed is not opened again.
  createClient(uri, timeouts);
  let subscriber: FeedSubscriber = { onChange() {}, onOwnerChange() {}, onRoleChange() {}, onGap() {} };
  let useListener: UseListener = () => {};
  let opened: Connection | null = null;

  const { watch, stop } = createRelogin({ isLetIn, reopen });

  async function openAnew(): Promise<Connection> {
    const client = createClient(uri, timeouts);
    try {
      const connection = await connect(client, name, dependencies, subscriber);
      connection.usage.watch((tallies) => useListener(tallies));
      connection.usage.start();
      return connection;
    } catch (error) {
      await closeClient(client);
      throw mongoError(error);
    }
  }

  /** By a read of what every replica may read. */
  async function isLetIn(): Promise<boolean> {
    const client = createClient(uri, timeouts);
    try {
      await client
        .db(name, concerns(timeouts))
        .collection(keysName)
        .findOne({}, { projection: { _id: 1 } });
      return true;
    } catch {
      return false;
    } finally {
      await closeClient(client);
    }
  }

  /** What was remembered may have changed meanwhile. */
  async function reopen(): Promise<void> {
    const stale = opened;
    opened = null;
    if (stale !== null) await disconnect(stale);
    const made = await openAnew();
    subscriber.onGap();
    opened = made;
  }

  function current(): Connection {
    if (opened === null) throw new StoreUnavailable('the store is not open');
    return opened;
  }

  return {
    kind: 'mongodb',
    ...{ insertsAtOnce: 500, digestsAtOnce: 2_000 },
    feed: {
      subscribe(given) {
        subscriber = given;
      },
      ...{ readPage: null, isFresh: () => opened?.replication?.lease.isHeld() ?? false },
      lagMs: () => (opened?.replication === null ? 0 : (opened?.replication.lease.ageMs() ?? Infinity)),
    },

    async open() {
      opened ??= await openAnew();
    },
    async close() {
      await stop();
      if (opened === null) return;
      const connection = opened;
      opened = null;
      await disconnect(connection);
    },

    findKey: watch(async (...asked) => current().keys.find(...asked)),
    getKey: watch(async (...asked) => current().keys.get(...asked)),
    findDigests: watch(async (digests) => current().digests.find(digests)),
    findExternalIds: watch(async (asked) => current().keys.findExternalIds(asked)),
    getKeyByRequest: watch(async (...asked) => current().keys.getByRequest(...asked)),
    listKeys: watch(async (filter, page) => current().keys.list(filter, page)),
    listKeysInOrder: watch(async (...given) => current().keys.listInOrder(...given)),
    countListed: watch(async (...given) => current().keys.countListed(...given)),
    insertKey: watch(async (...change) => current().changes.insertKey(...change)),
    insertFirstKey: watch(async (...change) => current().changes.insertFirstKey(...change)),
    insertKeys: watch(async (...change) => current().changes.insertKeys(...change)),
    replaceKey: watch(async (...change) => current().changes.replaceKey(...change)),
    rotateKey: watch(async (...change) => current().changes.rotateKey(...change)),
    replaceDigests: watch(async (changes) => current().changes.replaceDigests(changes)),
    countDigests: watch(async () => current().digests.count()),
    countKeys: watch(async (at) => current().keys.countStates(at)),
    diagnose: watch(async () => current().diagnose()),
    ...ownerAndRoleCalls(watch, current),
    appendJournal: watch(async (drafts) => current().changes.appendJournal(drafts)),
    listJournal: watch(async (filter, page) => current().journal.list(filter, page)),
    noteAddresses: watch(async (uses) => current().addresses.noteAddresses(uses)),
    ...noticeCalls(watch, current),
    ...identityKeyCalls(watch, () => current().identityKeys),
    ...useCalls(watch, current),
    leaseUnits: watch(async (request) => current().limits.leaseUnits(request)),
    returnUnits: watch(async (returns) => current().limits.returnUnits(returns)),
    countUnits: watch(async (windows) => current().limits.countUnits(windows)),
    chargeUnits: watch(async (charges, once) => current().chargeUnits(charges, once)),
    watchUse(listener) {
      useListener = listener;
    },
    getRestoreMark: watch(async () => current().marks.getRestoreMark()),
    putRestoreMark: watch(async (mark) => current().marks.putRestoreMark(mark)),
    async countReplicas() {
      const { replication } = current();
      return replication === null ? null : replication.fleet.count();
    },
    async listReplicas() {
      const { replication } = current();
      return replication === null ? null : replication.fleet.list();
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

function ownerAndRoleCalls(
  watch: Relogin['watch'],
  current: () => Connection,
): Pick<
  RestorableStore,
  | 'countOwned'
  | 'replaceKeys'
  | 'getOwner'
  | 'getOwners'
  | 'listOwners'
  | 'putOwner'
  | 'getRole'
  | 'listRoles'
  | 'putRole'
  | 'deleteRole'
  | 'getPortalSession'
  | 'putPortalSession'
> {
  return {
    replaceKeys: watch(async (...changes) => current().changes.replaceKeys(...changes)),
    countOwned: watch(async (...given) => current().keys.countOwned(...given)),
    getOwner: watch(async (...asked) => current().owners.get(...asked)),
    getOwners: watch(async (ids) => current().owners.getAll(ids)),
    listOwners: watch(async (page) => current().owners.list(page)),
    putOwner: watch(async (...change) => current().changes.putOwner(...change)),
    getRole: watch(async (...asked) => current().roles.get(...asked)),
    listRoles: watch(async (page) => current().roles.list(page)),
    putRole: watch(async (...change) => current().changes.putRole(...change)),
    deleteRole: watch(async (...change) => current().changes.deleteRole(...change)),
    getPortalSession: watch(async (id) => current().portalSessions.get(id)),
    putPortalSession: watch(async (...change) => current().changes.putPortalSession(...change)),
  };
}

/** The calls about what keys do. */
function useCalls(
  watch: Relogin['watch'],
  current: () => Connection,
): RequestStore & Pick<RestorableStore, 'recordUsage' | 'getUsage' | 'countUse' | 'sumUsage'> {
  return {
    recordUsage: watch(async (tallies) => current().usage.record(tallies)),
    getUsage: watch(async (key, since) => current().usage.get(key, since)),
    countUse: watch(async (...asked) => current().usage.count(...asked)),
    sumUsage: watch(async (query) => current().usage.sum(query)),
    recordRequests: watch(async (rows) => current().requests.recordRequests(rows)),
    listRequests: watch(async (...asked) => current().requests.listRequests(...asked)),
  };
}

/** The calls about the keys of identity tokens. */
function identityKeyCalls(
  watch: <Args extends unknown[], Result>(
    call: (...args: Args) => Promise<Result>,
  ) => (...args: Args) => Promise<Result>,
  keys: () => IdentityKeyStore,
): IdentityKeyStore {
  return {
    listIdentityKeys: watch(async () => keys().listIdentityKeys()),
    addIdentityKey: watch(async (record) => keys().addIdentityKey(record)),
    removeIdentityKeysBefore: watch(async (generation) => keys().removeIdentityKeysBefore(generation)),
  };
}

/** The calls about what is to be noticed, by whoever has the duty. */
function noticeCalls(
  watch: <Args extends unknown[], Result>(
    call: (...args: Args) => Promise<Result>,
  ) => (...args: Args) => Promise<Result>,
  current: () => Connection,
): Pick<RestorableStore, 'claimDuty' | 'recordDuty' | 'listExpiring' | 'listIdle'> {
  return {
    listExpiring: watch(async (range, size) => current().keys.listExpiring(range, size)),
    listIdle: watch(async (range, size) => current().idle(range, size)),
    claimDuty: watch(async (...claim) => current().duties.claimDuty(...claim)),
    recordDuty: watch(async (...record) => current().duties.recordDuty(...record)),
  };
}
