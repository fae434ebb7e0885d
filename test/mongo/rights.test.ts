import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Db, MongoClient } from 'mongodb';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { createMongoStore } from '../../src/mongo/store.ts';
import { type Store, StoreUnavailable } from '../../src/store/store.ts';
import { type Mongo, startReplicaSet } from '../real/mongod.ts';
import { until } from '../real/until.ts';
import { ownerRecord } from '../records.ts';
import {
  insertAll,
  journalDraft,
  listActions,
  listIds,
  retentionMs,
  testNow,
} from '../store-contract/setting.ts';

const database = 'postern';
let folder: string;
let mongo: Mongo;
let admin: MongoClient;

/** The role of docs/production-mongodb.md, in its very words. */
function documentedRole(): {
  role: string;
  privileges: { resource: object; actions: string[] }[];
  roles: [];
} {
  const text = readFileSync(new URL('../../docs/production-mongodb.md', import.meta.url), 'utf8');
  const [, json = ''] = /db\.createRole\((\{.*?\n\})\)/s.exec(text) ?? [];
  return JSON.parse(json);
}

function uriOf(user: string, password: string): string {
  return mongo.uri.replace('//', `//${user}:${password}@`).replace('/?', `/${database}?`);
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'postern-rights-'));
  const keyFile = join(folder, 'keyfile');
  writeFileSync(keyFile, 'k'.repeat(64));
  chmodSync(keyFile, 0o600);
  mongo = await startReplicaSet({ own: true, args: ['--auth', '--keyFile', keyFile] });
  // Whoever comes from the same machine may make the first user.
  const first = await new MongoClient(mongo.uri).connect();
  await first.db('admin').command({ createUser: 'root', pwd: 'root', roles: ['root'] });
  await first.close();
  admin = await new MongoClient(mongo.uri.replace('//', '//root:root@')).connect();
  const { role, ...rest } = documentedRole();
  await admin.db(database).command({ createRole: role, ...rest });
  await admin.db(database).command({ createUser: 'postern', pwd: 'right', roles: [role] });
});
afterAll(async () => {
  await admin?.close();
  await mongo?.stop();
  rmSync(folder, { recursive: true });
});

function createStore(uri: string, operationMs = 5_000, relayedFrom = 21): Store {
  const store = createMongoStore({
    relayedFrom,
    ...{ uri, replicaId: 'a', stalenessMaxMs: 15_000, settleMaxMs: 1_000 },
    ...{ now: () => testNow, monotonic: () => performance.now() },
    timeouts: { findKeyMs: 5_000, operationMs },
  });
  onTestFinished(() => store.close());
  return store;
}

/** What a start says that fails, with what the server said beneath it. */
async function refusalOf(uri: string, operationMs?: number): Promise<string> {
  const error = await createStore(uri, operationMs)
    .open()
    .then(
      () => null,
      (thrown: unknown) => thrown,
    );
  expect(error).toBeInstanceOf(StoreUnavailable);
  return (error as Error).message;
}

it('the role that the documents name is enough for all that a store does', async () => {
  const uri = uriOf('postern', 'right');
  const [one, other] = [createStore(uri), createStore(uri)];
  await Promise.all([one.open(), other.open()]);
  const told: string[] = [];
  const third = createStore(uri);
  third.feed.subscribe({
    onChange: (id) => told.push(id),
    onRoleChange() {},
    onOwnerChange() {},
    onGap() {},
  });
  await third.open();

  const [key] = await insertAll(one, [{ permissions: ['read'] }]);
  if (key === undefined) throw new Error('no key was made');
  const revoked = { ...key, revokedAt: testNow, version: 2 };
  const commit = await one.replaceKey(revoked, 1, retentionMs, journalDraft({ action: 'RevokeKey' }));
  const { unconfirmedReplicas } = await one.settle(commit ?? { at: 0 });
  expect(unconfirmedReplicas).toEqual([]);
  expect(told).toContain(key.id);
  expect(await other.getKey(key.id)).toMatchObject({ revokedAt: testNow });
  expect(await listIds(other, { permission: 'read' })).toEqual([key.id]);
  expect(await listActions(other)).toEqual(['RevokeKey']);
  const window = { windowStart: testNow, windowEnd: testNow + 60_000 };
  expect(
    await one.leaseUnits({ spender: key.id, ...window, limit: 10, units: 2, unitsMin: 1 }),
  ).toMatchObject({ granted: 2 });
  await one.recordUsage([
    {
      key: key.id,
      hour: testNow,
      allowed: 1,
      denied: {},
      observed: {},
      addresses: ['192.0.2.1'],
      lastUsedAt: testNow,
    },
  ]);
  await until('the use is known', async () => (await other.getUsage(key.id, 0)).length === 1);
  await one.noteAddresses([{ key: key.id, address: '192.0.2.1' }]);
  expect(await one.claimDuty('test', 'a', 1_000)).toEqual({ progress: 0 });
  const owner = ownerRecord();
  await one.putOwner(owner, 0);
  expect(await other.getOwner('acme')).toMatchObject(owner);
});

it('the role may look for transactions that a dead process has left, and end them', async () => {
  const client = await new MongoClient(uriOf('postern', 'right')).connect();
  onTestFinished(() => client.close());
  const session = client.startSession();
  session.startTransaction();
  await client.db(database).collection('keys').findOne({}, { session });
  const idle = [{ $currentOp: { allUsers: false, idleSessions: true } }, { $match: { type: 'idleSession' } }];
  const found = await client.db('admin').aggregate(idle).toArray();
  expect(found).toMatchObject([{ lsid: { id: session.id?.id } }]);
  await client.db('admin').command({ killSessions: [{ id: session.id?.id }] });
  await session.endSession();
});

it.each([
  ['find', 'find'],
  ['insert', 'insert|update|findAndModify'],
  ['update', 'update|findAndModify'],
  ['createIndex', 'createIndexes'],
  ['changeStream', 'aggregate'],
])('a user who lacks "%s" is told so by the command and the database', async (action, command) => {
  const { privileges } = documentedRole();
  const less = privileges.map(({ resource, actions }) => ({
    resource,
    actions: actions.filter((one) => one !== action),
  }));
  const role = `lacks-${action}`;
  const own: Db = admin.db(database);
  await own.command({ createRole: role, privileges: less, roles: [] });
  await own.command({ createUser: role, pwd: 'less', roles: [role] });
  // As long after the last start that another looks whether everything is there.
  await own.collection<{ _id: string }>('meta').updateOne({ _id: 'schema' }, { $unset: { looked_at: 1 } });
  expect(await refusalOf(uriOf(role, 'less'))).toMatch(
    new RegExp(
      `^MongoDB does not allow this user "(?:${command})" on the database "postern"; give it the role readWrite`,
    ),
  );
});

it('a user who may make no capped collection looks for what others are woken by, and the doctor says so', async () => {
  const own: Db = admin.db(database);
  const { privileges } = documentedRole();
  const less = privileges.map(({ resource, actions }) => ({
    resource,
    actions: actions.filter((one) => one !== 'convertToCapped'),
  }));
  await own.command({ createRole: 'uncapped', privileges: less, roles: [] });
  await own.command({ createUser: 'uncapped', pwd: 'less', roles: ['uncapped'] });
  const polled = async (store: Store) =>
    (await store.diagnose()).flatMap(({ code, what }) => (code === 'store.pages_polled' ? [what] : []));
  /** As long after the last start that another looks whether everything is there. */
  const forget = () =>
    own.collection<{ _id: string }>('meta').updateOne({ _id: 'schema' }, { $unset: { looked_at: 1 } });
  await own.collection('relay_pages').drop();
  await forget();
  const [less1, less2] = [0, 1].map(() => createStore(uriOf('uncapped', 'less'), 30_000, 1));
  if (less1 === undefined || less2 === undefined) throw new Error('no store');
  await Promise.all([less1.open(), less2.open()]);
  expect(await polled(less1)).toMatchObject([expect.stringContaining('is missing')]);
  const [key] = await insertAll(less1, [{}]);
  expect(await less2.getKey(key?.id as never)).toMatchObject({ id: key?.id });
  await until('memory answers', () => less1.feed.isFresh() && less2.feed.isFresh());
  await forget();
  const right = createStore(uriOf('postern', 'right'));
  await right.open();
  expect(await polled(right)).toEqual([]);
  expect(await own.collection('relay_pages').isCapped()).toBe(true);
});

it('an address that cannot be right is told why, and never repeated', async () => {
  expect(await refusalOf(uriOf('postern', 'wrong'))).toBe('MongoDB refused the user name or the password');
  expect(await refusalOf(mongo.uri.replace('/?', `/${database}?`))).toBe(
    'MongoDB asks for a user name and a password, and the address has none',
  );
  const right = uriOf('postern', 'right');
  const refusals = [
    `${right}&tls=true`,
    right.replace('replicaSet=rs', 'replicaSet=another'),
    'mongodb://nowhere.invalid/postern',
  ].map((uri) => refusalOf(uri, 1_000));
  expect(await Promise.all(refusals)).toEqual([
    'MongoDB could not be asked: it does not speak TLS, and the address asks for it',
    'MongoDB could not be asked: no server takes writes: the replica set has no primary, or another name than ' +
      'the address says',
    'MongoDB could not be asked: the name of a host in the address is not known',
  ]);
});

it('takes a user again that was dropped and made anew, and says meanwhile what is wrong', async () => {
  const [user] = (await admin.db(database).command({ usersInfo: 'postern' })).users;
  const store = createStore(uriOf('postern', 'right'));
  await store.open();
  const [key] = await insertAll(store, [{}]);
  await admin.db(database).command({ dropUser: 'postern' });
  await expect
    .poll(() => store.getKey(key?.id as never).then(String, ({ trouble }) => trouble))
    .toBe('refused');
  await admin.db(database).command({ createUser: 'postern', pwd: 'right', roles: user.roles });
  await expect.poll(() => store.getKey(key?.id as never).then((found) => found?.id, String)).toBe(key?.id);
  await expect.poll(() => store.feed.isFresh()).toBe(true);
  await insertAll(store, [{}]);
});
