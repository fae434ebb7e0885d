import { type DbOptions, MongoClient, type MongoClientOptions, ReadConcern } from 'mongodb';

export interface MongoTimeouts {
  /** Of reads and leases that a Check waits for, which must end before Envoy's own 250 ms do. Default 150. */
  readonly findKeyMs?: number;
  /** Of every other operation, server selection included. Default 5 000. */
  readonly operationMs?: number;
  /** Of one connection, TLS and login included. Default 2 000. */
  readonly connectMs?: number;
}

export function timeoutsOf(given: MongoTimeouts = {}): Required<MongoTimeouts> {
  return { findKeyMs: 150, operationMs: 5_000, connectMs: 2_000, ...given };
}

/** The database that the address names; an Error that quotes no part of it, since it may hold a password, if none. */
export function databaseName(uri: string): string {
  const [, name] = /^mongodb(?:\+srv)?:\/\/[^/?]+\/([^/?]+)(?:\?|$)/.exec(uri) ?? [];
  if (name === undefined) {
    throw new Error('the MongoDB address must name a database: mongodb://HOST:PORT/DATABASE');
  }
  return decodeURIComponent(name);
}

/**
 * How every collection is written and read: by majority and to the journal, what a majority has, from the
 * primary. Given to the database, since what the address says would win over the client's own options.
 */
export function concerns(timeouts: Required<MongoTimeouts>): DbOptions {
  return {
    writeConcern: { w: 'majority', journal: true, wtimeoutMS: timeouts.operationMs },
    readConcern: new ReadConcern('majority'),
    readPreference: 'primary',
  };
}

/** Throws an Error that does not quote the address when it cannot be read. */
export function createClient(uri: string, timeouts: Required<MongoTimeouts>): MongoClient {
  const options: MongoClientOptions = {
    // An option would win over the name that the address gives, by which an operator tells replicas apart.
    ...(!/[?&]appname=/i.test(uri) && { appName: 'postern' }),
    retryWrites: true,
    retryReads: true,
    serverSelectionTimeoutMS: timeouts.operationMs,
    waitQueueTimeoutMS: timeouts.operationMs,
    connectTimeoutMS: timeouts.connectMs,
    // Past the deadline of any operation and the wait of a change stream: what is silent for longer is lost.
    socketTimeoutMS: Math.max(timeouts.operationMs, socketTimeoutMinMs) + 1_000,
    heartbeatFrequencyMS,
    maxPoolSize: connectionsMax,
    minPoolSize: connectionsMin,
    maxConnecting: connectingMax,
    maxIdleTimeMS: idleMaxMs,
  };
  try {
    return new MongoClient(primaryOnly(uri), options);
  } catch (error) {
    const reason = error instanceof Error && !error.message.includes('://') ? `: ${error.message}` : '';
    throw new Error(`the MongoDB address cannot be read${reason}`);
  }
}

/**
 * The address without what says which member to read from: the driver waits for one such before it counts as
 * connected, and every read here goes to the primary.
 */
function primaryOnly(uri: string): string {
  const [address = '', query] = uri.split(/\?(.*)/s, 2);
  if (query === undefined) return uri;
  const kept = query
    .split('&')
    .filter((option) => !/^(?:readPreference(?:Tags)?|maxStalenessSeconds)=/i.test(option));
  return `${address}?${kept.join('&')}`;
}

const socketTimeoutMinMs = 3_000;
const heartbeatFrequencyMS = 2_000;
/**
 * Of one replica to the primary; beside them two to each member, by which the driver watches it. What Checks wait for
 * is gathered into four reads of keys, six writes of leases, two reads of owners and two of roles at once; one is the
 * change stream's, or waits for pages of relays, one the transactions', the rest is for admin calls. A thousand replicas hold some 4 000 connections, and 23 000 at most.
 */
const connectionsMax = 20;
/** The change stream's, and one that is there already when a Check finds its key not in memory. */
const connectionsMin = 2;
/** At once: a fleet that finds its database again does not greet it with all that it may open. */
const connectingMax = 2;
/** What an hour with many admin calls has opened is let go of. */
const idleMaxMs = 60_000;
