import { setTimeout } from 'node:timers/promises';
import type { Db, MongoClient } from 'mongodb';
import { createCoalesced } from '../store/coalesced.ts';
import type { Finding } from '../store/diagnosis/finding.ts';
import type { FeedSubscriber } from '../store/feed/feed.ts';
import { createLease, type Lease } from '../store/feed/lease.ts';
import type { UnitStore } from '../store/units.ts';
import type { RequestCapOptions } from '../store/usage/request-cap.ts';
import type { RequestStore } from '../store/usage/request-log.ts';
import { concerns, type MongoTimeouts, timeoutsOf } from './client.ts';
import { createDiagnosis } from './diagnosis/diagnosis.ts';
import { createChangeQueue } from './feed/change-queue.ts';
import { type ChangeFeed, createChangeFeed } from './feed/feed.ts';
import { createFleet, type Fleet } from './feed/fleet.ts';
import { createRestoreMarks, type RestoreMarks } from './feed/mark.ts';
import { createRelays } from './feed/relays.ts';
import { createSettle, type Settle } from './feed/settlement.ts';
import { createToldOnce, type ToldOnce } from './feed/told-once.ts';
import { createWatchOut } from './feed/watch-out.ts';
import { createJournalCollection, type JournalCollection } from './journal/journal.ts';
import { createCharges } from './limits/charges.ts';
import { createLimitCollection, type LimitCollection } from './limits/limits.ts';
import { type Changes, createChanges } from './records/changes.ts';
import { createDutyCollection, type DutyCollection } from './records/duties.ts';
import { createIdentityKeyCollection, type IdentityKeyCollection } from './records/identity-keys.ts';
import { createKeyDigests, type KeyDigests } from './records/keys/digests.ts';
import { createFirstKeyInsert } from './records/keys/first-key.ts';
import { createIdlePages, type IdlePages } from './records/keys/idle.ts';
import { createKeyChanges, createKeyWrites } from './records/keys/key-changes.ts';
import { createKeyCollection, type KeyCollection } from './records/keys/keys.ts';
import { createOwnerCollection, type OwnerCollection } from './records/owners.ts';
import { createPortalCollection, type PortalCollection } from './records/portal-sessions.ts';
import { createRoleCollection, type RoleCollection } from './records/roles.ts';
import { currentSchema, prepareDatabase, type Schema } from './schema.ts';
import { createSessions, type Sessions } from './sessions.ts';
import { isStandalone, standaloneMessage } from './standalone.ts';
import { createTransactions, type Transactions } from './transactions.ts';
import { type AddressCollection, createAddressCollection } from './usage/addresses.ts';
import { createRequestCollection } from './usage/requests.ts';
import { createUsageCollection, type UsageCollection } from './usage/usage.ts';

export interface MongoStoreDependencies extends RequestCapOptions {
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
  /** How long entries of the journal are kept. Default 400 days. */
  readonly journalRetentionMs?: number;
  readonly timeouts?: MongoTimeouts;
  /** How long use waits for more, to be written together. Default 2 s. */
  readonly foldEveryMs?: number;
  /** Replicas from which on a few read change streams for all. Default 21. */
  readonly relayedFrom?: number;
  /** What is kept in the database; that of this release unless another is given. */
  readonly schema?: Schema;
  /** Whether a restored database is opened all the same, to make up for what it lacks. Default false. */
  readonly opensRestored?: boolean;
  /** A stored record that cannot be read was left out of a list. */
  readonly onBadRecord?: (id: string, error: Error) => void;
  /** Something that the store does by itself failed; it will be tried again. */
  readonly onBackgroundError?: (error: unknown) => void;
  /** The store works, but less well than it might; a sentence for the operator, once an `open`. */
  readonly onDegraded?: (message: string) => void;
}

/** What one `open` of the store has made. */
export interface Connection {
  readonly client: MongoClient;
  readonly keys: KeyCollection;
  readonly digests: KeyDigests;
  readonly owners: OwnerCollection;
  readonly roles: RoleCollection;
  readonly portalSessions: PortalCollection;
  readonly changes: Changes;
  readonly journal: JournalCollection;
  readonly addresses: AddressCollection;
  readonly duties: DutyCollection;
  readonly idle: IdlePages;
  readonly identityKeys: IdentityKeyCollection;
  readonly limits: LimitCollection;
  readonly chargeUnits: UnitStore['chargeUnits'];
  readonly usage: UsageCollection;
  readonly requests: RequestStore;
  readonly marks: RestoreMarks;
  readonly diagnose: () => Promise<readonly Finding[]>;
  /** Null on a standalone server. */
  readonly replication: {
    readonly fleet: Fleet;
    readonly feed: ChangeFeed;
    readonly lease: Lease;
    readonly settle: Settle;
  } | null;
}

/**
 * Connects, makes what is missing, and starts the feed. A standalone server is served without memory: see `onDegraded`.
 */
export async function connect(
  client: MongoClient,
  name: string,
  dependencies: MongoStoreDependencies,
  subscriber: FeedSubscriber,
): Promise<Connection> {
  const { stalenessMaxMs, settleMaxMs, replicaId, relayedFrom, now, monotonic } = dependencies;
  const { onBackgroundError, onDegraded, schema = currentSchema, opensRestored = false } = dependencies;
  const timeouts = timeoutsOf(dependencies.timeouts);
  const database = client.db(name, concerns(timeouts));
  await client.connect();
  const sessions = createSessions(client, { timeoutMs: timeouts.operationMs });
  let looksAgain = false;
  const prepare = async () => {
    const given = { schema, opensRestored, looksAgain };
    await sessions.write((session) => prepareDatabase(database, session, given), {
      timeoutMs: Math.max(timeouts.operationMs, prepareTimeoutMinMs),
    });
    looksAgain = true;
  };
  const server = { database, sessions, told: createToldOnce(subscriber) };

  if (await isStandalone(database, sessions)) {
    await prepare();
    onDegraded?.(standaloneMessage);
    const alone = { lease: null, catchUp: async () => {}, transactions: null };
    const stored = createStored({ ...server, ...alone }, dependencies);
    const diagnose = createDiagnosis({ client, name, lease: null, catchUp: null, ...dependencies });
    return { client, ...stored, diagnose, replication: null };
  }

  const lease = createLease({ stalenessMaxMs, now, monotonic });
  const fleet = createFleet(database, sessions, { replicaId, stalenessMaxMs, now, lagMs: lease.ageMs });
  const onError = (error: unknown) => onBackgroundError?.(error);
  const relays = createRelays(database, sessions, { runId: fleet.runId, stalenessMaxMs });
  const follows = {
    ...server,
    subscriber: server.told.feed,
    fleet,
    relays,
    lease,
    prepare,
    stalenessMaxMs,
    relayedFrom,
    onError,
  };
  const feed = createChangeFeed(follows);
  const own = { replicaId, hasApplied: feed.hasApplied };
  const watchOut = createWatchOut({ fleet, stalenessMaxMs, monotonic, onError });
  const settle = createSettle({ fleet, watchOut, own, stalenessMaxMs, settleMaxMs, now, monotonic });
  try {
    await feed.start();
  } catch (error) {
    await stop({ fleet, feed });
    throw error;
  }
  const catchUp = createCoalesced(fleet.catchUp);
  const transactions = createTransactions({ ...server, fleet, admin: client.db('admin'), onError });
  const stored = createStored({ ...server, lease, catchUp, transactions }, dependencies);
  const diagnose = createDiagnosis({ client, name, lease, catchUp, ...dependencies });
  return { client, ...stored, diagnose, replication: { fleet, feed, lease, settle } };
}

export async function disconnect({ client, replication, usage }: Connection): Promise<void> {
  await atMost(closeStepMaxMs, usage.stop());
  if (replication !== null) await stop(replication);
  await closeClient(client);
}

export async function closeClient(client: MongoClient): Promise<void> {
  await atMost(closeStepMaxMs, client.close());
}

interface Server {
  readonly database: Db;
  readonly sessions: Sessions;
  readonly told: ToldOnce;
  /** Null on a standalone server. */
  readonly lease: Lease | null;
  readonly catchUp: () => Promise<unknown>;
  /** Null on a standalone server. */
  readonly transactions: Transactions | null;
}

/** Everything that is kept in the database. */
function createStored(
  server: Server,
  dependencies: MongoStoreDependencies,
): Omit<Connection, 'client' | 'diagnose' | 'replication'> {
  const { database, sessions, told, transactions } = server;
  const { now, onBadRecord, journalRetentionMs: retentionMs = defaultJournalRetentionMs } = dependencies;
  const { findKeyMs: findTimeoutMs, operationMs: timeoutMs } = timeoutsOf(dependencies.timeouts);
  const hasTransactions = transactions !== null;
  const onError = (error: unknown) => dependencies.onBackgroundError?.(error);
  const duties = createDutyCollection(database, sessions);
  const reads = {
    ...{ ...server, timeoutsMs: { check: findTimeoutMs, others: timeoutMs } },
    onBadRecord: (id: string, error: Error) => onBadRecord?.(id, error),
  };
  const usage = createUsageCollection({ ...dependencies, database, sessions, duties, onError });
  const { lastUses } = usage;
  const journal = createJournalCollection({ ...reads, now, retentionMs });
  const queue = createChangeQueue({
    ...{ sessions, journal, transactions, timeoutMs },
    writeKeys: createKeyWrites(database),
  });
  const digests = createKeyDigests(reads);
  const owners = createOwnerCollection({ ...reads, queue });
  const roles = createRoleCollection({ ...reads, queue });
  const portalSessions = createPortalCollection({ ...reads, queue });
  return {
    ...{ digests, owners, roles, portalSessions },
    keys: createKeyCollection({ ...reads, lastUses }),
    changes: createChanges({
      keys: createKeyChanges({ database, sessions, queue, hasTransactions }),
      ...{ digests, owners, roles, portalSessions, queue, told, now },
      insertFirst: createFirstKeyInsert({ database, queue, hasTransactions }),
    }),
    journal,
    addresses: createAddressCollection(database, sessions, now),
    duties,
    idle: createIdlePages(database, sessions, usage, (id, bad) => dependencies.onBadRecord?.(id, bad)),
    identityKeys: createIdentityKeyCollection(database, sessions),
    limits: createLimitCollection(database, sessions, findTimeoutMs),
    chargeUnits: createCharges({ database, sessions, hasTransactions, timeoutMs }),
    usage,
    requests: createRequestCollection(database, sessions, dependencies),
    marks: createRestoreMarks(database, sessions),
  };
}

async function stop({ fleet, feed }: { readonly fleet: Fleet; readonly feed: ChangeFeed }): Promise<void> {
  await atMost(closeStepMaxMs, feed.stop());
  await atMost(closeStepMaxMs, fleet.leave());
}

const defaultJournalRetentionMs = 400 * 86_400_000;
const prepareTimeoutMinMs = 15_000;
const closeStepMaxMs = 1_000;

/** Ends after `ms` whatever becomes of the work: a server that hangs must not hold up the end. */
async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  // Should it fail: the register forgets a replica by itself, and a server its sessions.
  await Promise.race([work.catch(() => {}), setTimeout(ms, undefined, { ref: false })]);
}
