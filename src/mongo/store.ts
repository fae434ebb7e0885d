import { setTimeout } from 'node:timers/promises';
import type { Db, MongoClient } from 'mongodb';
import { type FeedSubscriber, type Store, StoreUnavailable } from '../store.ts';
import { concerns, createClient, databaseName, type MongoTimeouts, timeoutsOf } from './client.ts';
import { createCoalesced } from './coalesced.ts';
import { createCollections } from './collections.ts';
import { mongoError } from './errors.ts';
import { type ChangeFeed, createChangeFeed } from './feed.ts';
import { createFleet, type Fleet } from './fleet.ts';
import { createKeyCollection, type KeyCollection } from './keys.ts';
import { createLease, type Lease } from './lease.ts';
import { createLimitCollection, type LimitCollection } from './limits.ts';
import { createOwnerCollection, type OwnerCollection } from './owners.ts';
import { createSessions, type Sessions } from './sessions.ts';
import { createSettle, type Settle } from './settlement.ts';
import { createUsageCollection, type UsageCollection } from './usage.ts';

export interface MongoStoreDependencies {
  /** `mongodb://…/DATABASE`, of a replica set or a sharded cluster; a standalone server serves without memory. */
  readonly uri: string;
  /** Named to others as long as this process may answer from memory. */
  readonly replicaId: string;
  /** The longest that a replica cut off from the store may still answer from memory. */
  readonly stalenessMaxMs: number;
  /** The longest that a change waits for all replicas to have heard of it. */
  readonly settleMaxMs: number;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds of a clock that is never set back. */
  readonly monotonic: () => number;
  readonly timeouts?: MongoTimeouts;
  /** A stored record that can not be read was left out of a list. */
  readonly onBadRecord?: (id: string, error: Error) => void;
  /** Something that the store does by itself failed; it will be tried again. */
  readonly onBackgroundError?: (error: unknown) => void;
  /** The store works, but less well than it might; a sentence for the operator, once an `open`. */
  readonly onDegraded?: (message: string) => void;
}

/** What one `open` has made. */
interface Opened {
  readonly client: MongoClient;
  readonly keys: KeyCollection;
  readonly owners: OwnerCollection;
  readonly limits: LimitCollection;
  readonly usage: UsageCollection;
  /** Null on a standalone server. */
  readonly replication: {
    readonly fleet: Fleet;
    readonly feed: ChangeFeed;
    readonly lease: Lease;
    readonly settle: Settle;
  } | null;
}

/**
 * The store on MongoDB, for any number of replicas. Throws an Error, which does not quote the address, when
 * the address can not be read or names no database.
 */
export function createMongoStore(dependencies: MongoStoreDependencies): Store {
  const { uri, now } = dependencies;
  const timeouts = timeoutsOf(dependencies.timeouts);
  const name = databaseName(uri);
  // Made here for the sake of its checks alone: a client that was closed is not opened again.
  createClient(uri, timeouts);
  let subscriber: FeedSubscriber = { onChange() {}, onOwnerChange() {}, onGap() {} };
  let opened: Opened | null = null;

  function current(): Opened {
    if (opened === null) throw new StoreUnavailable('the store is not open');
    return opened;
  }

  return {
    kind: 'mongodb',
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
        opened = await openWith(client, client.db(name, concerns(timeouts)), dependencies, subscriber);
      } catch (error) {
        await atMost(closeStepMaxMs, client.close());
        throw mongoError(error);
      }
    },
    async close() {
      if (opened === null) return;
      const { client, replication } = opened;
      opened = null;
      if (replication !== null) {
        await atMost(closeStepMaxMs, replication.feed.stop());
        await atMost(closeStepMaxMs, replication.fleet.leave());
      }
      await atMost(closeStepMaxMs, client.close());
    },

    findKey: async (digests) => current().keys.find(digests),
    getKey: async (id) => current().keys.get(id),
    getKeyByRequest: async (requestKey) => current().keys.getByRequest(requestKey),
    listKeys: async (filter, page) => current().keys.list(filter, page),
    async insertKey(record, retentionMs) {
      await current().keys.insert(record, retentionMs);
      subscriber.onChange(record.id, record.digest);
      return { at: now() };
    },
    async insertFirstKey(record, retentionMs) {
      const isFirst = await current().keys.insertFirst(record, retentionMs);
      if (isFirst) subscriber.onChange(record.id, record.digest);
      return isFirst;
    },
    async replaceKey(record, ifVersion, retentionMs) {
      if (!(await current().keys.replace(record, ifVersion, retentionMs))) return null;
      subscriber.onChange(record.id, record.digest);
      return { at: now() };
    },
    getOwner: async (id) => current().owners.get(id),
    listOwners: async (page) => current().owners.list(page),
    async putOwner(record, ifVersion) {
      if (!(await current().owners.put(record, ifVersion))) return null;
      subscriber.onOwnerChange(record.id);
      return { at: now() };
    },
    leaseUnits: async (request) => current().limits.lease(request),
    recordUsage: async (tallies) => current().usage.record(tallies),
    getUsage: async (key, since) => current().usage.get(key, since),
    async settle(commit) {
      const { replication } = current();
      // On a standalone server nobody remembers anything.
      return replication === null
        ? { effectiveAt: now(), unconfirmedReplicas: [] }
        : replication.settle(commit);
    },
  };
}

const standaloneMessage =
  'MongoDB is a standalone server, which serves no change streams: admin changes work, but every Check reads ' +
  'the store and nothing is answered from memory; run it as a replica set (mongod --replSet rs0, then ' +
  'rs.initiate()) for caching and for more than one replica.';

async function openWith(
  client: MongoClient,
  database: Db,
  dependencies: MongoStoreDependencies,
  subscriber: FeedSubscriber,
): Promise<Opened> {
  const { stalenessMaxMs, replicaId, now, monotonic } = dependencies;
  const { onBadRecord, onBackgroundError, onDegraded } = dependencies;
  const timeouts = timeoutsOf(dependencies.timeouts);
  await client.connect();
  const sessions = createSessions(client, { timeoutMs: timeouts.operationMs });
  const prepare = () => sessions.write((session) => createCollections(database, session));
  const collectionsWith = (lease: Lease | null, catchUp: () => Promise<unknown>) => {
    const shared = {
      ...{ database, sessions, lease, catchUp, findTimeoutMs: timeouts.findKeyMs },
      onBadRecord: (id: string, error: Error) => onBadRecord?.(id, error),
    };
    const keys = createKeyCollection(shared);
    const owners = createOwnerCollection(shared);
    const limits = createLimitCollection(database, sessions, timeouts.findKeyMs);
    return { keys, owners, limits, usage: createUsageCollection(database, sessions) };
  };

  if (await isStandalone(database, sessions)) {
    await prepare();
    onDegraded?.(standaloneMessage);
    return { client, ...collectionsWith(null, async () => {}), replication: null };
  }

  const lease = createLease({ stalenessMaxMs, now, monotonic });
  const fleet = createFleet(database, sessions, { replicaId, stalenessMaxMs });
  const feed = createChangeFeed({
    ...{ database, sessions, fleet, lease, subscriber, prepare, stalenessMaxMs },
    onError: (error) => onBackgroundError?.(error),
  });
  const own = { replicaId, hasApplied: feed.hasApplied };
  const { settleMaxMs } = dependencies;
  const settle = createSettle({ fleet, own, stalenessMaxMs, settleMaxMs, now, monotonic });
  try {
    await feed.start();
  } catch (error) {
    await atMost(closeStepMaxMs, feed.stop());
    await atMost(closeStepMaxMs, fleet.leave());
    throw error;
  }
  // A write by majority, which no primary makes that is cut off; reads of this process are not older.
  const catchUp = createCoalesced(() => fleet.beat(lease.begin()));
  return { client, ...collectionsWith(lease, catchUp), replication: { fleet, feed, lease, settle } };
}

async function isStandalone(database: Db, sessions: Sessions): Promise<boolean> {
  const hello = await sessions.read(({ signal }) =>
    database.command({ hello: 1 }, { ...(signal && { signal }) }),
  );
  return hello.setName === undefined && hello.msg !== 'isdbgrid';
}

const closeStepMaxMs = 1_000;

/** Ends after `ms` whatever becomes of the work: a server that hangs must not hold up the end. */
async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  // Should it fail: the register forgets a replica by itself, and a server its sessions.
  await Promise.race([work.catch(() => {}), setTimeout(ms, undefined, { ref: false })]);
}
