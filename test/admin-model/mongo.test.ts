import { MongoClient } from 'mongodb';
import { afterAll, inject } from 'vitest';
import { createMongoStore } from '../../src/mongo/store.ts';
import { freshDatabase } from '../real/mongod.ts';
import { describeAdminModel } from './admin-model.ts';

const { name, uri } = freshDatabase(inject('mongoUri'));
const client = new MongoClient(uri);
let made = 0;

afterAll(async () => {
  await client.db(name).dropDatabase();
  await client.close();
});

/** Collections and indexes take a second to make: each run has the same ones, emptied. */
async function empty(): Promise<void> {
  const collections = await client.db(name).listCollections().toArray();
  await Promise.all(
    collections.map((collection) => client.db(name).collection(collection.name).deleteMany({})),
  );
}

describeAdminModel(
  'MongoDB',
  async (replicas, now) => {
    await empty();
    return Array.from({ length: replicas }, () => createStore(now));
  },
  { msMax: 12_000, stepsMax: 80, replicas: 2 },
);

function createStore(now: () => number) {
  made += 1;
  return createMongoStore({
    ...{ uri, replicaId: `model-${made}`, stalenessMaxMs: 15_000, settleMaxMs: 30_000, now, foldEveryMs: 5 },
    ...{ monotonic: () => performance.now(), timeouts: { findKeyMs: 5_000, operationMs: 30_000 } },
  });
}
