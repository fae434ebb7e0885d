import type { Db, Document, MongoClient } from 'mongodb';
import { judgeSkew } from '../../store/diagnosis/clock-skew.ts';
import { error, type Finding, info, warning } from '../../store/diagnosis/finding.ts';
import type { Lease } from '../../store/feed/lease.ts';
import { StoreUnavailable } from '../../store/store.ts';
import { concerns, type MongoTimeouts, timeoutsOf } from '../client.ts';
import { keysName, ownersName } from '../collections.ts';
import { isNotAllowed } from '../errors.ts';
import { withinDeadline } from '../sessions.ts';
import { diagnoseAddress } from './address.ts';
import { diagnoseIndexes } from './indexes.ts';
import { diagnosePages } from './pages.ts';
import { diagnoseLease, diagnoseReplicas } from './replicas.ts';
import { diagnoseRights } from './rights.ts';
import { diagnoseMembers, diagnoseOplog } from './set.ts';

export interface DiagnosisDependencies {
  readonly client: MongoClient;
  /** Of the database. */
  readonly name: string;
  readonly uri: string;
  /** Null on a standalone server, as `catchUp`. */
  readonly lease: Lease | null;
  /** A write by majority. */
  readonly catchUp: (() => Promise<unknown>) | null;
  readonly stalenessMaxMs: number;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds of a clock that is never set back. */
  readonly monotonic: () => number;
  readonly timeouts?: MongoTimeouts;
}

/** For what has a deadline of its own to tell of it. */
const graceMs = 500;
const slowMs = { read: 100, write: 1_000 };

/** Looks at the server, at what is in the database, and at the replicas that share it. */
export function createDiagnosis(dependencies: DiagnosisDependencies): () => Promise<readonly Finding[]> {
  const { client, name, uri, lease, stalenessMaxMs } = dependencies;
  const timeouts = timeoutsOf(dependencies.timeouts);
  const { operationMs } = timeouts;
  const database = client.db(name, concerns(timeouts));
  // Whatever the address says: a set that has lost its primary is looked at too.
  const admin = client.db('admin', { readPreference: 'primaryPreferred' });

  /** Findings of one look; what the user may not do is a finding, and what does not answer in time is left out. */
  async function look(what: string, work: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
    try {
      return await withinDeadline(operationMs + graceMs, work);
    } catch (thrown) {
      if (isUnauthorized(thrown)) return [notAllowed(what)];
      if (thrown instanceof StoreUnavailable) return [];
      throw thrown;
    }
  }

  return async () => {
    const greeting = look('greet it', () => greet(dependencies, admin));
    const found = await Promise.all([
      greeting,
      look('write', () => tryWrite(dependencies, operationMs)),
      look('see its version', () => diagnoseVersion(admin)),
      look('see the state of the replica set (clusterMonitor)', () => diagnoseMembers(admin, lease !== null)),
      look('see the oplog (read on the database local)', () => diagnoseOplog(client, lease !== null)),
      look('see whether expired documents are removed (clusterMonitor)', () => diagnoseTtl(admin)),
      look('list indexes', () => diagnoseIndexes(database)),
      look('see the pages of relays', () => diagnosePages(database)),
      look('see its rights', () => diagnoseRights(admin, { name, uri })),
      look('count', () => countRoughly(database)),
      look('see the replicas', () => diagnoseReplicas(database, { stalenessMaxMs })),
    ]);
    return [...found.flat(), ...diagnoseAddress(uri), ...diagnoseLease(lease, { stalenessMaxMs })];
  };
}

function isUnauthorized(thrown: unknown): boolean {
  return isNotAllowed(thrown instanceof StoreUnavailable ? thrown.cause : thrown);
}

function notAllowed(what: string): Finding {
  const cure = 'Keys do not need it. For this look, give the user clusterMonitor on admin and read on local.';
  return info(
    'store.not_looked',
    `MongoDB does not allow this user to ${what}, so that was not looked at.`,
    cure,
  );
}

async function greet({ lease, now, monotonic }: DiagnosisDependencies, admin: Db): Promise<Finding[]> {
  const begun = monotonic();
  const before = now();
  const greeting = await admin.command({ hello: 1 }, { readPreference: 'primaryPreferred' });
  const tookMs = monotonic() - begun;
  const skewMs = before + tookMs / 2 - greeting.localTime.getTime();
  return [
    kind(greeting, tookMs),
    ...(lease === null ? [standalone] : []),
    ...(tookMs > slowMs.read ? [slow('read', tookMs)] : []),
    ...judgeSkew(skewMs, {
      code: 'clock.store',
      subject: 'The clock of this replica',
      reference: "MongoDB's",
    }),
  ];
}

function kind({ setName, hosts = [], msg }: Document, tookMs: number): Finding {
  const form =
    msg === 'isdbgrid'
      ? 'a sharded cluster'
      : setName === undefined
        ? 'a standalone server'
        : `a replica set of ${hosts.length}`;
  return info('store.kind', `The store is MongoDB, ${form}; it answers in ${Math.ceil(tookMs)} ms.`, '');
}

const standalone = warning(
  'store.standalone',
  'MongoDB is a standalone server: every Check reads it, nothing is answered from memory while it is away, the audit log may hold an event of a change that did not happen, and its loss is the loss of all keys.',
  'Run it as a replica set, of three members in production: mongod --replSet rs0, then rs.initiate() in mongosh.',
);

function slow(what: 'read' | 'write', tookMs: number): Finding {
  const meaning =
    what === 'read'
      ? 'a key that memory does not know may be answered with 503'
      : 'each change of a key takes that long';
  return warning(
    'store.slow',
    `A ${what} took ${Math.ceil(tookMs)} ms: ${meaning}.`,
    'Bring MongoDB nearer, or look at its load and its disks.',
  );
}

/** A write by majority, as each change of a key is one. */
async function tryWrite(
  { catchUp, monotonic }: DiagnosisDependencies,
  deadlineMs: number,
): Promise<Finding[]> {
  if (catchUp === null) return [];
  const begun = monotonic();
  try {
    await withinDeadline(deadlineMs, catchUp);
  } catch (thrown) {
    if (thrown instanceof StoreUnavailable) return [noMajority];
    throw thrown;
  }
  const tookMs = monotonic() - begun;
  return tookMs > slowMs.write ? [slow('write', tookMs)] : [];
}

const noMajority = error(
  'store.no_majority_write',
  'MongoDB does not take a write that a majority of its members has: no key can be changed, and known keys are answered for from memory only for the rest of staleness_max.',
  'Bring members back until a majority of them is up: rs.status() in mongosh tells which are not.',
);

async function diagnoseVersion(admin: Db): Promise<Finding[]> {
  const { version } = await admin.command({ buildInfo: 1 }, { readPreference: 'primaryPreferred' });
  const major = Number.parseInt(String(version), 10);
  const cure = 'Upgrade it, one major version at a time, to 7.0 or newer.';
  if (major >= 7) return [];
  if (major === 6)
    return [warning('store.version', `MongoDB ${version} has had no security fixes since July 2025.`, cure)];
  return [error('store.version', `MongoDB ${version} is older than any that Postern was tested with.`, cure)];
}

async function diagnoseTtl(admin: Db): Promise<Finding[]> {
  const found = await admin.command(
    { getParameter: 1, ttlMonitorEnabled: 1 },
    { readPreference: 'primaryPreferred' },
  );
  if (found.ttlMonitorEnabled !== false) return [];
  const what =
    'MongoDB removes no expired documents: keys stay past their retention, and the store grows. No key is allowed for it.';
  return [
    warning(
      'store.ttl_off',
      what,
      'db.adminCommand({ setParameter: 1, ttlMonitorEnabled: true }) in mongosh, on every member.',
    ),
  ];
}

async function countRoughly(database: Db): Promise<Finding[]> {
  const count = (name: string) => database.collection(name).estimatedDocumentCount({ readConcern: 'local' });
  const [keys, owners] = await Promise.all([count(keysName), count(ownersName)]);
  return [info('store.size', `There are about ${keys} keys and ${owners} owners.`, '')];
}
