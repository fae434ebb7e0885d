import { randomBytes } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type ChangeStream, type Document, MongoClient } from 'mongodb';
import { createKeyring } from '../../src/cache/keyring.ts';
import { createKeyIds, type KeyRecord } from '../../src/keys/key.ts';
import type { Digest } from '../../src/keys/secret.ts';
import { pipeline } from '../../src/mongo/feed/events.ts';
import { toDocument } from '../../src/mongo/records/keys/records.ts';
import { createMongoStore } from '../../src/mongo/store.ts';
import { type Mongo, startReplicaSet } from '../../test/real/mongod.ts';
import { readProcessorTime, since } from '../common/processor-time.ts';

/** Sizes in bytes, of one key. */
export interface KeySizes {
  readonly document: number;
  /** On disk, compressed. */
  readonly stored: number;
  /** By name. */
  readonly indexes: Readonly<Record<string, number>>;
  /** In a replica that remembers it. */
  readonly remembered: number;
}

/** What change streams cost the server, in microseconds of its processor. */
export interface StreamCost {
  /** Of one write by itself, where writes come one by one. */
  readonly writeUs: number;
  /** What each stream adds to such a write that it is not told of: the server wakes it to look. */
  readonly wakeUs: number;
  /** What each stream adds to one of many writes at once, which it looks at together. */
  readonly lookUs: number;
}

/** A MongoDB of its own, with the collections and indexes that Postern makes. */
export async function withMongo<T>(work: (client: MongoClient, mongo: Mongo) => Promise<T>): Promise<T> {
  const mongo = await startReplicaSet({ own: true, onDisk: true });
  const url = new URL(mongo.uri);
  url.pathname = '/postern';
  const store = createMongoStore({
    ...{ uri: url.href, replicaId: 'bench', stalenessMaxMs: 15_000, settleMaxMs: 1_000 },
    ...{ now: Date.now, monotonic: () => performance.now() },
  });
  const client = new MongoClient(url.href, { maxPoolSize: 500 });
  try {
    await store.open();
    await store.close();
    await client.connect();
    return await work(client, mongo);
  } finally {
    await client.close();
    await mongo.stop();
  }
}

/** Inserts that many keys as the store does, and weighs them. */
export async function weighKeys(client: MongoClient, count: number): Promise<KeySizes> {
  const keys = client.db().collection<Document & { _id: string }>('keys');
  const records = sampleKeys(count);
  for (let at = 0; at < count; at += 5_000) {
    await keys.insertMany(
      records.slice(at, at + 5_000).map((record) => ({ ...toDocument(record, 30 * 86_400_000) })),
      { ordered: false },
    );
  }
  // Sizes are those of the last checkpoint.
  await client.db('admin').command({ fsync: 1 });
  const [stats] = await keys.aggregate([{ $collStats: { storageStats: {} } }]).toArray();
  const { size, storageSize, indexSizes } = stats?.storageStats ?? {};
  const indexes = Object.entries(indexSizes as Record<string, number>).map(([name, bytes]) => [
    name,
    bytes / count,
  ]);
  return {
    document: size / count,
    stored: storageSize / count,
    indexes: Object.fromEntries(indexes),
    remembered: await weighMemory(records),
  };
}

async function weighMemory(records: readonly KeyRecord[]): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const feed = { subscribe() {}, isFresh: () => true };
  const found = new Map(records.map((record) => [record.digest, record]));
  const store = {
    // A record of its own each time, as from a store.
    findKey: async ([digest]: readonly Digest[]) => structuredClone(found.get(digest as Digest) ?? null),
    getRole: async () => null,
    getOwner: async () => null,
  };
  const keyring = createKeyring(
    { store, feed, missBudget: { read: (_, find) => find() } },
    { keysMax: records.length, missesMax: 1, ownersMax: 1, readsMax: 1 },
  );
  collect();
  const before = process.memoryUsage().heapUsed;
  for (const { digest } of records) await keyring.load(digest, [digest], '');
  collect();
  const bytes = (process.memoryUsage().heapUsed - before) / records.length;
  if (keyring.size().keys !== records.length) throw new Error('the keyring has forgotten keys');
  return bytes;
}

/** Writes that no stream is told of, one by one and many at once, with no streams and with some. */
export async function timeStreams(client: MongoClient, mongo: Mongo, streams: number): Promise<StreamCost> {
  const pid = (await mongo.primary()).pid();
  const idleUsPerMs = await processorUs(pid, () => pause(3_000)).then(({ us, ms }) => us / ms);
  const time = async (write: () => Promise<number>): Promise<number> => {
    let writes = 0;
    const { us, ms } = await processorUs(pid, async () => {
      writes = await write();
    });
    return (us - ms * idleUsPerMs) / writes;
  };
  const alone = { beats: await time(() => beat(client)), burst: await time(() => burst(client)) };
  const opened = Array.from({ length: streams }, (_, at) => openStream(client, `run-${at}`));
  // A write that is made known by majority: by then each stream has had its first look.
  await beat(client);
  const watched = { beats: await time(() => beat(client)), burst: await time(() => burst(client)) };
  await Promise.all(opened.map((stream) => stream.close().catch(() => {})));
  return {
    writeUs: alone.beats,
    wakeUs: (watched.beats - alone.beats) / streams,
    lookUs: (watched.burst - alone.burst) / streams,
  };
}

async function processorUs(pid: number, work: () => Promise<unknown>): Promise<{ us: number; ms: number }> {
  const [before, began] = [readProcessorTime(pid), performance.now()];
  await work();
  const { ranNs } = since(before, readProcessorTime(pid));
  return { us: ranNs / 1_000, ms: performance.now() - began };
}

function openStream(client: MongoClient, runId: string): ChangeStream {
  const stream = client.db().watch(pipeline(runId), { maxAwaitTimeMS: 1_000 });
  stream.on('change', () => {});
  stream.on('error', () => {});
  return stream;
}

/** 200 beats of others a second, each written by majority; returns how many. */
async function beat(client: MongoClient): Promise<number> {
  const replicas = client.db().collection<{ _id: string }>('replicas');
  const [count, perSecond] = [1_200, 200];
  const began = performance.now();
  const writes: Promise<unknown>[] = [];
  for (let at = 0; at < count; at++) {
    await pause((at * 1_000) / perSecond - (performance.now() - began));
    const other = { _id: `other-${at % 50}` };
    writes.push(replicas.updateOne(other, { $set: { beat: at } }, { upsert: true }));
  }
  await Promise.all(writes);
  return count;
}

/** Hours of use, as fast as they are taken. */
async function burst(client: MongoClient): Promise<number> {
  const usage = client.db().collection<{ _id: string; allowed: number }>('usage');
  for (let round = 0; round < 80; round++) {
    const updates = Array.from({ length: 500 }, (_, at) => ({
      updateOne: { filter: { _id: `key ${at}` }, update: { $inc: { allowed: 1 } }, upsert: true },
    }));
    await usage.bulkWrite(updates, { ordered: false });
  }
  return 80 * 500;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => (ms > 0 ? setTimeout(resolve, ms) : resolve()));
}

/** Keys as customers have them: an owner of ten keys, two permissions, half with an end. */
function sampleKeys(count: number): KeyRecord[] {
  const nextId = createKeyIds(Date.now);
  const now = Date.now();
  const ids = Array.from({ length: count }, nextId);
  return ids.map((id, at) => ({
    id,
    digest: randomBytes(32).toString('base64url') as Digest,
    name: `Asset backend ${at}`,
    ...{ scheme: 'postern', environment: 'live', prefix: 'pst_live_Ab3d', last4: 'w9Xz' },
    owner: `customer-${Math.floor(at / 10)}`,
    permissions: ['read:assets', 'write:assets'],
    roles: [],
    ...{ ipAllowlist: [], principals: [], plan: null, rateLimits: [], labels: { team: 'assets' } },
    ...{ createdAt: now, updatedAt: now, lastUsedAt: now },
    expiresAt: at % 2 === 0 ? now + 90 * 86_400_000 : null,
    ...{ disabledAt: null, revokedAt: null, rotatedFrom: null, rotatedTo: null, spender: id },
    ...{ externalId: null, createdBy: null, importId: null, revivedAt: null },
    requestKey: randomBytes(32).toString('base64url'),
    version: 1,
  }));
}
