import { MongoClient } from 'mongodb';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { createMongoStore } from '../../src/mongo/store.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { freshDatabase } from '../real/mongod.ts';
import { freePort } from '../real/port.ts';
import { earlierThan } from '../real/until.ts';
import { keyRecord } from '../records.ts';
import { insertAll } from '../store-contract/setting.ts';

describe('an address', () => {
  const dependencies = {
    replicaId: 'a',
    stalenessMaxMs: 15_000,
    settleMaxMs: 1_000,
    now: Date.now,
    monotonic: () => performance.now(),
    timeouts: { findKeyMs: 5_000, operationMs: 30_000, connectMs: 10_000 },
  };

  it('must name a database', () => {
    for (const uri of [
      'mongodb://me:hunter2@a',
      'mongodb://me:hunter2@a/',
      'mongodb+srv://me:hunter2@a/?w=1',
    ]) {
      const create = () => createMongoStore({ ...dependencies, uri });
      expect(create).toThrow('the MongoDB address must name a database');
      expect(create).not.toThrow('hunter2');
    }
  });

  it('that cannot be read is refused without its password', () => {
    for (const uri of [
      'http://me:hunter2@a/b',
      'mongodb://me:hunter2@a/b?replicaSet=',
      'mongodb://me:hunter2@:x/b',
    ]) {
      const create = () => createMongoStore({ ...dependencies, uri });
      expect(create).toThrow('MongoDB address');
      expect(create).not.toThrow('hunter2');
    }
  });

  it('that nobody listens on makes open reject with StoreUnavailable, in bounded time', async () => {
    const uri = `mongodb://127.0.0.1:${await freePort()}/postern?directConnection=true`;
    const timeouts = { operationMs: 500, connectMs: 500 };
    const store = createMongoStore({ ...dependencies, uri, timeouts });
    await expect(earlierThan(10_000, () => store.open())).rejects.toThrow(StoreUnavailable);
    await expect(store.findKey([keyRecord().digest], 'check')).rejects.toThrow(StoreUnavailable);
  });

  it('with a wrong password makes open reject with StoreUnavailable that says so', async () => {
    const { uri } = freshDatabase(inject('mongoUri').replace('//', '//me:hunter2@'));
    const store = createMongoStore({ ...dependencies, uri });
    const refused = 'MongoDB refused the user name or the password';
    await expect(store.open()).rejects.toMatchObject({ name: 'StoreUnavailable', message: refused });
  });

  it('may ask for weaker writes and reads, and does not get them', async () => {
    const { name, uri } = freshDatabase(inject('mongoUri'));
    const client = await new MongoClient(uri).connect();
    onTestFinished(async () => {
      await client.db(name).dropDatabase();
      await client.close();
    });
    const weaker = `${uri}${uri.includes('?') ? '&' : '?'}w=1&journal=false&readPreference=secondary&maxStalenessSeconds=120&readConcernLevel=local`;
    const store = createMongoStore({ ...dependencies, timeouts: {}, uri: weaker });
    onTestFinished(() => store.close());
    await store.open();
    await client.db().command({ profile: 2 });
    await insertAll(store, [{}]);
    await client.db().command({ profile: 0 });
    const insert = await client
      .db()
      .collection('system.profile')
      .findOne({ op: 'insert', ns: `${name}.keys` });
    expect(insert?.command.writeConcern).toMatchObject({ w: 'majority', j: true });
  });
});
