import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { MongoStoreDependencies } from '../../src/mongo/connection.ts';
import { createMongoStore } from '../../src/mongo/store.ts';
import type { Finding } from '../../src/store/diagnosis/finding.ts';
import type { Store } from '../../src/store/store.ts';
import { version } from '../../src/version.ts';
import { type Mongo, startReplicaSet, startStandalone } from '../real/mongod.ts';
import { until } from '../real/until.ts';
import { createSetting, type Setting } from './setting.ts';

/**
 * Of every store here: of what kind, how large, and who shares it. A test may run on a MongoDB that has no more fixes,
 * and on a machine that is busy.
 */
const always = [
  ...['store.kind', 'store.size', 'fleet.replicas', 'store.single_member', 'store.version'],
  'store.slow',
];

const plain = {
  ...{ replicaId: 'a', stalenessMaxMs: 15_000, settleMaxMs: 1_000 },
  ...{ now: Date.now, monotonic: () => performance.now() },
};

const brief = (found: readonly Finding[]) =>
  found.filter(({ code }) => !always.includes(code)).map(({ level, code }) => `${level} ${code}`);

async function opened(given: Partial<MongoStoreDependencies> = {}, server = inject('mongoUri')) {
  const setting = await createSetting(server, { fresh: true });
  const store = setting.store(given);
  await store.open();
  return { setting, store, database: setting.client.db() };
}

describe('a diagnosis of MongoDB', () => {
  it('finds nothing wrong with a replica set that is well, and says what it saw', async () => {
    const { store } = await opened({ replicaId: 'one' });
    const found = await store.diagnose();
    expect(brief(found)).toEqual([]);
    const what = (code: string) => found.find((finding) => finding.code === code)?.what;
    expect(what('store.kind')).toMatch(/^The store is MongoDB, a replica set of 1; it answers in \d+ ms\.$/);
    expect(what('store.size')).toBe('There are about 0 keys and 0 owners.');
    expect(what('fleet.replicas')).toMatch(`1 replica is registered: one (${version}, for `);
    expect(found.find(({ code }) => code === 'store.single_member')?.level).toBe('info');
  });

  it('warns where replicas of a large fleet cannot wait for changes, and must look for them', async () => {
    const { store, database } = await opened();
    const told = async () =>
      (await store.diagnose()).flatMap(({ code, what }) => (code === 'store.pages_polled' ? [what] : []));
    await database.collection('relay_pages').drop();
    expect(await told()).toMatchObject([expect.stringContaining('"relay_pages" is missing')]);
    await database.createCollection('relay_pages');
    expect(await told()).toMatchObject([expect.stringContaining('"relay_pages" is not capped')]);
  });

  it('warns of a MongoDB that gets no more fixes, and of no other', async () => {
    const { store, setting } = await opened();
    const { version: running } = await setting.client.db('admin').command({ buildInfo: 1 });
    const found = (await store.diagnose()).find(({ code }) => code === 'store.version');
    expect(found?.level).toBe(Number.parseInt(running, 10) >= 7 ? undefined : 'warning');
  });

  it('finds that a read takes long, by a clock that runs fast meanwhile', async () => {
    let [stepMs, aheadMs] = [0, 0];
    const monotonic = () => {
      aheadMs += stepMs;
      return performance.now() + aheadMs;
    };
    const { store } = await opened({ monotonic });
    stepMs = 400;
    const found = (await store.diagnose()).filter(({ code }) => code === 'store.slow');
    stepMs = 0;
    expect(found[0]).toMatchObject({
      level: 'warning',
      what: expect.stringMatching(/^A read took \d{3,} ms:/),
    });
  });

  it('finds each index that is missing, and whether that may let two keys share what one may have', async () => {
    const { store, database } = await opened();
    await database.collection('keys').dropIndex('digest');
    await database.collection('usage').dropIndex('purge_at');
    const found = (await store.diagnose()).filter(({ code }) => code === 'store.index_missing');
    expect(found.map(({ level, where }) => `${level} ${where}`)).toEqual([
      'error index digest of keys',
      'warning index purge_at of usage',
    ]);
    // It is as the cure says, where nobody has looked a moment ago.
    await store.close();
    await database.collection('meta').updateOne({ _id: 'schema' as never }, { $unset: { looked_at: 1 } });
    await store.open();
    expect(brief(await store.diagnose())).toEqual([]);
  });

  it.each([
    ['on another field', { revoked_at: 1 }, { expireAfterSeconds: 0 }],
    ['after another time', { purge_at: 1 }, { expireAfterSeconds: 60 }],
    ['that removes nothing', { purge_at: 1 }, {}],
    ['of a part alone', { purge_at: 1 }, { expireAfterSeconds: 0, partialFilterExpression: { a: 1 } }],
    ['that is hidden', { purge_at: 1 }, { expireAfterSeconds: 0, hidden: true }],
  ] as const)('finds a TTL index %s', async (_, key, options) => {
    const { store, database } = await opened();
    await database.collection('keys').dropIndex('purge_at');
    await database.collection('keys').createIndex(key, { ...options, name: 'purge_at' });
    const found = await store.diagnose();
    expect(brief(found)).toEqual(['error store.index_differs']);
    expect(found.find(({ code }) => code === 'store.index_differs')).toMatchObject({
      where: 'index purge_at of keys',
      cure: expect.stringContaining('db.getCollection("keys").dropIndex("purge_at")'),
    });
  });

  it.each([
    [3_000, 'warning', 3, 's ahead of'],
    [-3_000, 'warning', 3, 's behind'],
    [9_000, 'error', 9, 's ahead of'],
    [-3_600_000, 'error', 60, 'min behind'],
  ])('finds a clock that is %d ms off', async (skewMs, level, skew, told) => {
    const { store, setting } = await opened({ now: () => Date.now() + skewMs });
    const own = (await store.diagnose()).filter(({ code }) => code.startsWith('clock.'));
    expect(own).toMatchObject([
      { level, code: 'clock.store' },
      { level, code: 'clock.replica' },
    ]);
    const [, figure] = /is ([\d.]+) (?:s|min) /.exec(own[0]?.what ?? '') ?? [];
    expect(own[0]?.what).toContain(`is ${figure} ${told}`);
    // What the way to MongoDB takes on a busy machine is in it.
    expect(Math.abs(Number(figure) - skew)).toBeLessThan(2);
    // Others see it by what it said at its last beat.
    const other = setting.store();
    await other.open();
    expect(brief(await other.diagnose())).toEqual([`${level} clock.replica`]);
  });

  it('finds replicas that are silent, of another version, or of one name', async () => {
    const { store, database } = await opened({ replicaId: 'here' });
    const now = Date.now();
    const at = (ageMs: number) => new Date(now - ageMs);
    const replica = (_id: string, replica_id: string, silentMs: number, more = {}) => {
      const times = { beaten_at: at(silentMs), clock: at(silentMs), started_at: at(7_200_000) };
      return { _id, replica_id, beat: 1, version, ...times, expires_at: at(-60_000), ...more };
    };
    await database
      .collection<{ _id: string; replica_id: string }>('replicas')
      .insertMany([
        replica('a', 'silent', 40_000),
        replica('b', 'older', 1_000, { version: '0.0.9' }),
        replica('c', 'here', 1_000),
        { _id: 'd', ...{ replica_id: 'oldest', beat: 3, expires_at: at(-60_000) } },
      ]);
    const found = await store.diagnose();
    const own = found.filter(({ code }) => code.startsWith('fleet.') && code !== 'fleet.replicas');
    expect(own.map(({ level, code, where }) => `${level} ${code} ${where}`)).toEqual([
      'warning fleet.silent replica silent',
      'warning fleet.versions null',
      'warning fleet.shared_id replica here',
    ]);
    expect(own[1]?.what).toContain(`0.0.9, ${version}, one that does not say`);
    expect(found.find(({ code }) => code === 'fleet.replicas')?.what).toMatch(
      /^4 replicas are registered: .*for 2 h/,
    );
    expect(await store.countReplicas()).toBe(4);
    const listed = (await store.listReplicas()) ?? [];
    expect(listed.map(({ id }) => id)).toEqual(['here', 'here', 'older', 'oldest']);
    for (const { id, lagMs } of listed) expect([id, lagMs >= 0 && lagMs < 40_000]).toEqual([id, true]);
  });
});

describe('the address of MongoDB', () => {
  const found = async (options: string) => {
    const { setting } = await opened();
    const store = setting.store({ uri: `${setting.uri}${setting.uri.includes('?') ? '&' : '?'}${options}` });
    await store.open();
    return brief(await store.diagnose());
  };

  it.each([
    ['w=1', 'info store.option_ignored'],
    ['readPreference=secondaryPreferred', 'info store.option_ignored'],
    ['READPREFERENCE=nearest', 'info store.option_ignored'],
    ['journal=false', 'info store.option_ignored'],
    ['readConcernLevel=local', 'info store.option_ignored'],
    ['w=majority&readPreference=primary&retryWrites=true', ''],
  ])('may say %s, which is found but has no effect', async (options, finding) => {
    expect(await found(options)).toEqual(finding === '' ? [] : [finding]);
  });
});

describe('a diagnosis of MongoDB that is not a whole replica set', () => {
  describe('of one', () => {
    let mongo: Mongo;
    beforeAll(async () => {
      mongo = await startStandalone();
    });
    afterAll(() => mongo?.stop());

    it('warns of a standalone server', async () => {
      const { store } = await opened({}, mongo.uri);
      const told = brief(await store.diagnose());
      expect(told).toEqual(['warning store.standalone', 'warning store.direct_connection']);
      expect(await store.countReplicas()).toBe(null);
      expect(await store.listReplicas()).toBe(null);
    });
  });

  it('looks only at what the user may look at, and finds what it lacks and has too much of', async () => {
    const mongo = await startStandalone({ args: ['--auth'] });
    const host = mongo.uri.replace(/^mongodb:\/\/([^/]*).*$/, '$1');
    const as = (user: string, database = '') =>
      `mongodb://${user}:pw@${host}/${database}?directConnection=true&authSource=admin`;
    const root = new MongoClient(mongo.uri);
    const stores: Store[] = [];
    const diagnosed = async (user: string) => {
      const store = createMongoStore({ ...plain, uri: as(user, 'keys_here') });
      stores.push(store);
      await store.open();
      return async () => brief(await store.diagnose());
    };
    let signedIn: MongoClient | null = null;
    try {
      await root.db('admin').command({ createUser: 'root', pwd: 'pw', roles: ['root'] });
      signedIn = new MongoClient(as('root'));
      const admin = signedIn.db('admin');
      const roles = [{ role: 'readWrite', db: 'keys_here' }];
      await admin.command({ createUser: 'enough', pwd: 'pw', roles });
      const always = ['warning store.standalone', 'warning store.direct_connection'];
      const enough = await diagnosed('enough');
      expect((await enough()).toSorted()).toEqual(['info store.not_looked', ...always].toSorted());
      const tooMuch = await diagnosed('root');
      expect((await tooMuch()).toSorted()).toEqual(['warning store.rights_broad', ...always].toSorted());
      await admin.command({ updateUser: 'enough', roles: [{ role: 'read', db: 'keys_here' }] });
      expect(await enough()).toContain('error store.rights');
    } finally {
      await Promise.all(stores.map((store) => store.close()));
      await Promise.all([root.close(), signedIn?.close()]);
      await mongo.stop();
    }
  });

  describe('of three members', () => {
    let mongo: Mongo;
    let setting: Setting;
    let store: Store;
    beforeAll(async () => {
      const args = ['--setParameter', 'ttlMonitorEnabled=false'];
      mongo = await startReplicaSet({ members: 3, electionTimeoutMs: 5_000, args });
    });
    afterAll(() => mongo?.stop());

    it('tells of members that are down, as warning while a majority is up, as error then', async () => {
      setting = await createSetting(mongo.uri, { fresh: true });
      store = setting.store({ timeouts: { operationMs: 8_000 } });
      await store.open();
      expect(brief(await store.diagnose())).toEqual(['warning store.ttl_off']);
      const primary = await mongo.primary();
      const [one, two] = mongo.members.filter(({ port }) => port !== primary.port);
      await one?.kill('SIGKILL');
      const down = await until('the member is seen to be down', async () => {
        const found = await store.diagnose();
        return found.find(({ code }) => code === 'store.members');
      });
      expect(down).toMatchObject({
        level: 'warning',
        what: `127.0.0.1:${one?.port} is NOT REACHABLE/HEALTHY: with one more down no key can be changed.`,
      });
      await two?.kill('SIGKILL');
      const lost = await until('no majority is left', async () => {
        const found = await store.diagnose();
        return found.find(({ code, level }) => code === 'store.members' && level === 'error') && found;
      });
      expect(lost.map(({ code }) => code)).toContain('store.no_majority_write');
      await Promise.all([one?.restart(), two?.restart()]);
      await mongo.primary();
    });
  });
});
