import { Long } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { MongoStoreDependencies } from '../../../src/mongo/connection.ts';
import { StoreUnavailable } from '../../../src/store/store.ts';
import { type Mongo, startReplicaSet } from '../../real/mongod.ts';
import { earlierThan, until } from '../../real/until.ts';
import { keyRecord } from '../../records.ts';
import { insertAll, listIds, nextId, retentionMs } from '../../store-contract/setting.ts';
import { createSetting, foundOnce, listen } from '../setting.ts';
import { failCommands, isEntered } from './fail-point.ts';

let mongo: Mongo;
/** Of stores that do not say another. */
const stalenessMaxMs = 15_000;

beforeAll(async () => {
  mongo = await startReplicaSet({ own: true, args: ['--setParameter', 'enableTestCommands=1'] });
});
afterAll(() => mongo?.stop());

async function openStore(dependencies: Partial<MongoStoreDependencies> = {}) {
  const setting = await createSetting(mongo.uri, { fresh: true });
  const errors: unknown[] = [];
  let aheadMs = 0;
  const store = setting.store({
    stalenessMaxMs,
    onBackgroundError: (error) => errors.push(error),
    monotonic: () => performance.now() + aheadMs,
    ...dependencies,
  });
  const told = listen(store);
  await store.open();
  const keys = setting.client.db().collection<{ _id: string; digest: string }>('keys');
  /** A change that this store learns of through the change stream alone. */
  const changeElsewhere = async () => {
    const id = nextId();
    await keys.insertOne({ _id: id, digest: id });
    return id;
  };
  /** So much time passes at once that no beat until now lets memory answer. */
  const endLease = () => {
    aheadMs += dependencies.stalenessMaxMs ?? stalenessMaxMs;
    expect(store.feed.isFresh()).toBe(false);
  };
  return { setting, store, told, errors, changeElsewhere, endLease, gapsAtOpen: told.gaps };
}

describe('the change feed in an outage', () => {
  it('loses no change, and tells of no gap, when its cursor is killed', async () => {
    const { setting, told, changeElsewhere, gapsAtOpen } = await openStore();
    const admin = setting.client.db('admin');
    const idle = await until('the cursor waits', async () => {
      const all = await admin
        .aggregate([{ $currentOp: { idleCursors: true } }], { readConcern: { level: 'local' } })
        .toArray();
      const ours = all.filter(
        ({ ns, cursor }) => cursor?.tailable && ns.startsWith(setting.client.db().databaseName),
      );
      return ours[0] ?? false;
    });
    const [, collection] = /^[^.]+\.(.*)$/.exec(idle.ns) ?? [];
    // One cursor of a thousand has an id that comes as a number, which would go as a double.
    const cursor = Long.fromValue(idle.cursor.cursorId);
    await setting.client.db().command({ killCursors: collection, cursors: [cursor] });
    const id = await changeElsewhere();
    await until('told of it', () => told.times(id) > 0);
    expect(told.gaps).toBe(gapsAtOpen);
  });

  for (const failure of [
    { closeConnection: true },
    { errorCode: 91 },
    { errorCode: 237 },
    { errorCode: 50 },
  ]) {
    it(`loses no change, and tells of no gap, while reads of it fail: ${JSON.stringify(failure)}`, async () => {
      // It begins anew after ten tries without a lease, which take 9 s at the least with one of 15 s.
      const { setting, store, told, errors, changeElsewhere, endLease, gapsAtOpen } = await openStore({
        stalenessMaxMs: 15_000,
      });
      const stop = await failCommands(setting, { failCommands: ['getMore', 'aggregate'], ...failure });
      const ids = [await changeElsewhere()];
      await until('told that it fails', () => errors.length > 0);
      ids.push(await changeElsewhere());
      endLease();
      ids.push(await changeElsewhere());
      await stop();
      await until('memory may answer again', () => store.feed.isFresh());
      expect(ids.map((id) => told.times(id))).toEqual([1, 1, 1]);
      expect(told.gaps).toBe(gapsAtOpen);
    });
  }

  for (const errorCode of [286, 280]) {
    it(`tells of a gap when the stream cannot go on (${errorCode}), and begins anew`, async () => {
      const { setting, store, told, changeElsewhere, gapsAtOpen } = await openStore({
        stalenessMaxMs: 3_000,
      });
      await failCommands(setting, { failCommands: ['getMore'], errorCode }, { times: 1 });
      // Told at once, when memory may not be used any more, and again when the new stream has its beginning.
      await until('told of the gap', () => told.gaps >= gapsAtOpen + 2);
      await until('memory may answer again', () => store.feed.isFresh());
      const id = await changeElsewhere();
      await until('told of it', () => told.times(id) > 0);
    });
  }

  it('begins anew with each change told after it, however often the beginning fails', async () => {
    const { setting, store, told, changeElsewhere } = await openStore({ stalenessMaxMs: 1_000 });
    await failCommands(setting, { failCommands: ['getMore'], errorCode: 286 }, { times: 3 });
    await until('it failed three times', () => told.gaps >= 6);
    await until('memory may answer again', () => store.feed.isFresh());
    const id = await changeElsewhere();
    await until('told of it', () => told.times(id) > 0);
  });

  it('keeps memory from answering once it cannot be asked what time it is, and lets it when it can', async () => {
    const { setting, store, told, gapsAtOpen } = await openStore({ stalenessMaxMs: 1_000 });
    const namespace = `${setting.client.db().databaseName}.replicas`;
    const stop = await failCommands(setting, { failCommands: ['find'], namespace, errorCode: 11602 });
    await until('memory may not answer any more', () => !store.feed.isFresh());
    await stop();
    await until('memory may answer again', () => store.feed.isFresh());
    expect(told.gaps).toBe(gapsAtOpen);
  });
});

describe('a server that is stopped', () => {
  it('ends the lease and fails findKey in the time that it was given, and all is as before when it goes on', async () => {
    const { store, told, gapsAtOpen, changeElsewhere } = await openStore({
      stalenessMaxMs: 1_000,
      timeouts: { findKeyMs: 150 },
    });
    const [key] = await insertAll(store, [{}]);
    const [member] = mongo.members;
    await member?.kill('SIGSTOP');
    onTestFinished(() => member?.kill('SIGCONT'));
    const digests = [keyRecord({ ...key }).digest];
    await expect(earlierThan(1_000, () => store.findKey(digests, 'check'))).rejects.toThrow(StoreUnavailable);
    await until('memory may not answer any more', () => !store.feed.isFresh());
    await member?.kill('SIGCONT');
    await until('memory may answer again', () => store.feed.isFresh());
    expect(await foundOnce(store, digests)).toMatchObject({ id: key?.id });
    const id = await changeElsewhere();
    await until('told of it', () => told.times(id) > 0);
    expect(told.gaps).toBe(gapsAtOpen);
  });

  it('does not hold up close for long', async () => {
    const { store } = await openStore();
    const [member] = mongo.members;
    await member?.kill('SIGSTOP');
    onTestFinished(() => member?.kill('SIGCONT'));
    await earlierThan(10_000, () => store.close());
  });

  it('fails other operations with StoreUnavailable within their own bound', async () => {
    const { store } = await openStore({ timeouts: { operationMs: 700 } });
    const [member] = mongo.members;
    await member?.kill('SIGSTOP');
    onTestFinished(() => member?.kill('SIGCONT'));
    const insert = () => store.insertKey(keyRecord({ id: nextId() }), retentionMs);
    await expect(earlierThan(5_000, insert)).rejects.toThrow(StoreUnavailable);
    await expect(earlierThan(5_000, () => store.getKey(nextId()))).rejects.toThrow(StoreUnavailable);
  });
});

describe('a primary that steps down', () => {
  it('loses no change, and memory may answer again when there is one', async () => {
    const { setting, store, told, gapsAtOpen, changeElsewhere, endLease } = await openStore();
    await setting.client
      .db('admin')
      .command({ replSetStepDown: 2, secondaryCatchUpPeriodSecs: 0, force: true });
    await mongo.primary();
    const id = await changeElsewhere();
    await until('told of it', () => told.times(id) > 0);
    endLease();
    await until('memory may answer again', () => store.feed.isFresh());
    expect(told.gaps).toBe(gapsAtOpen);
  });
});

describe('an answer that does not arrive', () => {
  it('does not make a key a duplicate of itself: the driver asks again', async () => {
    const { setting, store } = await openStore();
    const admin = setting.client.db('admin');
    // The write is done, and the connection closed before it is answered.
    await admin.command({ configureFailPoint: 'onPrimaryTransactionalWrite', mode: { times: 1 } });
    onTestFinished(
      async () =>
        void (await admin.command({ configureFailPoint: 'onPrimaryTransactionalWrite', mode: 'off' })),
    );
    const key = keyRecord({ id: nextId() });
    await store.insertKey(key, retentionMs);
    expect(await listIds(store)).toEqual([key.id]);
  });

  it('of a majority makes a change StoreUnavailable', async () => {
    const { setting, store } = await openStore();
    const writeConcernError = { code: 64, errmsg: 'waiting for replication timed out' };
    await failCommands(setting, { failCommands: ['insert'], writeConcernError }, { times: 1 });
    await expect(store.insertKey(keyRecord({ id: nextId() }), retentionMs)).rejects.toThrow(StoreUnavailable);
  });

  it('of the mark of the first key leaves a call that can be made again', async () => {
    const { setting, store } = await openStore();
    const namespace = `${setting.client.db().databaseName}.meta`;
    await failCommands(setting, { failCommands: ['insert'], namespace, errorCode: 50 }, { times: 1 });
    const key = keyRecord({ id: nextId() });
    await expect(store.insertFirstKey(key, retentionMs)).rejects.toThrow(StoreUnavailable);
    expect(await store.insertFirstKey(key, retentionMs)).toBe(true);
    expect(await store.insertFirstKey(key, retentionMs)).toBe(false);
    expect(await listIds(store)).toEqual([key.id]);
  });

  it('for so long that another first key came and went leaves none behind', async () => {
    const { setting, store } = await openStore();
    const namespace = `${setting.client.db().databaseName}.keys`;
    const wait = { blockConnection: true, blockTimeMS: 500 };
    await failCommands(setting, { failCommands: ['insert'], namespace, ...wait }, { times: 1 });
    const answer = store.insertFirstKey(keyRecord({ id: nextId() }), retentionMs);
    await until('it has looked for a mark', () => isEntered(setting));
    const marks = setting.client.db().collection<{ _id: string; key: string }>('meta');
    await marks.insertOne({ _id: 'first_key', key: nextId() });
    expect(await answer).toBe(false);
    expect(await listIds(store)).toEqual([]);
  });

  for (const errorCode of [6, 50, 89, 91, 134, 189, 262, 10107, 11600, 13, 18]) {
    it(`of a read is StoreUnavailable: error ${errorCode}`, async () => {
      const { setting, store } = await openStore();
      await failCommands(setting, { failCommands: ['find'], errorCode });
      await expect(store.findKey([keyRecord().digest], 'check')).rejects.toThrow(StoreUnavailable);
    });
  }
});
