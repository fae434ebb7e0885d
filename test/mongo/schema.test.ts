import type { Db, MongoClient } from 'mongodb';
import { expect, inject, it } from 'vitest';
import { createCollections } from '../../src/mongo/collections.ts';
import { currentSchema, type Schema } from '../../src/mongo/schema.ts';
import type { Store } from '../../src/store/store.ts';
import { insertAll, listIds } from '../store-contract/setting.ts';
import { createSetting, type Setting } from './setting.ts';

/** Has one more index, which the release before leaves alone. */
const expanded: Schema = {
  version: currentSchema.version + 1,
  readerMin: 1,
  async make(database, session) {
    await createCollections(database, session);
    await database.collection('keys').createIndex({ colour: 1 }, { name: 'colour', session });
  },
};
/** Lacks one that the release before the last one uses. */
const contracted: Schema = {
  version: currentSchema.version + 2,
  readerMin: currentSchema.version + 1,
  async make(database, session) {
    await expanded.make(database, session);
    await database.collection('keys').dropIndex('scheme', { session });
  },
};

async function open(setting: Setting, schema?: Schema): Promise<Store> {
  // Ten that make the same indexes at once may take long beside other tests; the service would try again.
  const store = setting.store({ ...(schema && { schema }), timeouts: { operationMs: 20_000 } });
  await store.open();
  return store;
}

function schemaIn({ client, uri }: Setting): Promise<unknown> {
  return databaseOf(client, uri).collection<{ _id: string }>('meta').findOne({ _id: 'schema' });
}

function databaseOf(client: MongoClient, uri: string): Db {
  return client.db(new URL(uri).pathname.slice(1));
}

it('two releases serve one database together, and each sees what the other changes', async () => {
  const setting = await createSetting(inject('mongoUri'), { fresh: true });
  const before = await open(setting);
  const after = await open(setting, expanded);
  const [one] = await insertAll(before, [{}]);
  const [two] = await insertAll(after, [{}]);
  const late = await open(setting);
  for (const store of [before, after, late]) expect(await listIds(store)).toEqual([two?.id, one?.id]);
  expect(await schemaIn(setting)).toMatchObject({ version: expanded.version, reader_min: 1 });
});

it('a release that cannot serve what is there is refused, and says what it takes', async () => {
  const setting = await createSetting(inject('mongoUri'), { fresh: true });
  await open(setting, contracted);
  await expect(open(setting)).rejects.toThrow(
    `was written by a newer version of Postern: its schema is of version ${contracted.version} and needs a Postern of ` +
      `schema version ${contracted.readerMin} or later, this one is of ${currentSchema.version};`,
  );
  const indexes = await databaseOf(setting.client, setting.uri).collection('keys').indexes();
  expect(indexes.map(({ name }) => name)).not.toContain('scheme');
  await open(setting, expanded);
});

it('ten replicas of two releases that start at once make one database', async () => {
  const setting = await createSetting(inject('mongoUri'), { fresh: true });
  const stores = await Promise.all(
    Array.from({ length: 10 }, (_, at) => open(setting, at % 2 === 0 ? expanded : undefined)),
  );
  const [key] = await insertAll(stores[3] as Store, [{}]);
  for (const store of stores) expect(await listIds(store)).toEqual([key?.id]);
  expect(await schemaIn(setting)).toMatchObject({ version: expanded.version, reader_min: 1 });
});

it('of replicas that start one after another a few look whether everything is there', async () => {
  const setting = await createSetting(inject('mongoUri'), { fresh: true });
  let looks = 0;
  const counted: Schema = {
    ...currentSchema,
    async make(database, session) {
      looks++;
      await createCollections(database, session);
    },
  };
  for (let replicas = 0; replicas < 5; replicas++) await open(setting, counted);
  expect(looks).toBeLessThan(5);
  const before = looks;
  const looked = databaseOf(setting.client, setting.uri).collection<{ _id: string }>('meta');
  await looked.updateOne({ _id: 'schema' }, { $set: { looked_at: new Date(Date.now() - 6_000) } });
  await open(setting, counted);
  expect(looks).toBe(before + 1);
});

it('an index that stands in the way stops the start by its name, and with the line that removes it', async () => {
  const setting = await createSetting(inject('mongoUri'), { fresh: true });
  const keys = databaseOf(setting.client, setting.uri).collection('keys');
  await keys.createIndex({ digest: 1 }, { name: 'digest' });
  await expect(open(setting)).rejects.toThrow(
    'MongoDB has an index "digest" on the collection "keys" that stands in the way of one that Postern needs; ' +
      'drop it with db.keys.dropIndex("digest"), and Postern makes its own at the next start',
  );
  await keys.dropIndex('digest');
  await keys.createIndex({ owner: 1, _id: 1 }, { name: 'by_owner' });
  await expect(open(setting)).rejects.toThrow('drop it with db.keys.dropIndex("by_owner")');
  await keys.dropIndex('by_owner');
  await open(setting);
});

it('a unique index that cannot be made stops the start, and nothing that is stored is quoted', async () => {
  const setting = await createSetting(inject('mongoUri'), { fresh: true });
  const keys = databaseOf(setting.client, setting.uri).collection('keys');
  await keys.insertMany([{ digest: 'twice' }, { digest: 'twice' }]);
  const error = await open(setting).then(
    () => null,
    (thrown: Error) => thrown,
  );
  expect(error?.message).toMatch(/^the unique index "digest" of the collection "keys" cannot be made/);
  expect(`${error?.message} ${error?.cause}`).not.toContain('twice');
});

it('a database that is marked as restored is not opened until the mark is taken away', async () => {
  const setting = await createSetting(inject('mongoUri'), { fresh: true });
  const marking = setting.store({ opensRestored: true });
  await marking.open();
  await marking.putRestoreMark({ at: Date.UTC(2031, 0, 31), sequence: 7, hash: 'ab' });
  expect(await marking.getRestoreMark()).toEqual({ at: Date.UTC(2031, 0, 31), sequence: 7, hash: 'ab' });
  await expect(open(setting)).rejects.toThrow(
    'the store was restored from a backup at 2031-01-31T00:00:00.000Z and has no change after evt_0000000000000007',
  );
  await marking.putRestoreMark(null);
  await open(setting);
});
