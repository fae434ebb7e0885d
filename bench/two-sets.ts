/**
 * What the argument for revocation would meet on a sharded cluster, tried with two replica sets and no `mongos`:
 * `node bench/two-sets.ts`. See "Shards" in docs/fleet-costs.md.
 */
import { type ClientSession, type Collection, MongoClient, type Timestamp } from 'mongodb';
import { positionOf } from '../src/mongo/feed/position.ts';
import { startReplicaSet } from '../test/real/mongod.ts';

const tries = 200;
const deadlineMs = 30_000;

interface Set {
  readonly client: MongoClient;
  readonly collection: Collection<{ _id: string; n: number }>;
  stop(): Promise<void>;
}

async function startSet(): Promise<Set> {
  const mongo = await startReplicaSet({ own: true, onDisk: true });
  const client = await new MongoClient(mongo.uri).connect();
  const collection = client
    .db('postern')
    .collection<{ _id: string; n: number }>('replicas', { writeConcern: { w: 'majority' } });
  await collection.insertOne({ _id: 'one', n: 0 });
  return {
    client,
    collection,
    async stop() {
      await client.close();
      await mongo.stop();
    },
  };
}

/** In a session of its own, which `knows` of a time of another set or of none. */
async function within(
  { client }: Set,
  work: (session: ClientSession) => Promise<unknown>,
  knows?: ClientSession,
): Promise<ClientSession & { readonly operationTime: Timestamp }> {
  const session = client.startSession();
  if (knows?.clusterTime !== undefined) session.advanceClusterTime(knows.clusterTime);
  await work(session);
  await session.endSession();
  return session as ClientSession & { readonly operationTime: Timestamp };
}

const write = (set: Set) =>
  within(set, (session) => set.collection.updateOne({ _id: 'one' }, { $inc: { n: 1 } }, { session }));
const ask = (set: Set, knows?: ClientSession) =>
  within(
    set,
    (session) => set.collection.findOne({ _id: 'one' }, { session, readConcern: { level: 'linearizable' } }),
    knows,
  );

/** How often a set gives a time that is before what was answered by another already. */
async function tryTimes(one: Set, other: Set, tells: boolean): Promise<number> {
  let early = 0;
  for (let at = 0; at < tries; at++) {
    await write(one);
    const committed = await write(one);
    const asked = await ask(other, tells ? committed : undefined);
    if (asked.operationTime.lessThan(committed.operationTime)) early++;
  }
  return early;
}

/** How long a stream of a set in which nothing is written takes to reach a time of another. */
async function tryStream(one: Set, idle: Set): Promise<number> {
  const stream = idle.client.db('postern').watch([], { maxAwaitTimeMS: 1 });
  await stream.tryNext();
  const { operationTime } = await write(one);
  const began = performance.now();
  while (performance.now() - began < deadlineMs) {
    await stream.tryNext();
    if (positionOf(stream.resumeToken)?.greaterThanOrEqual(operationTime)) break;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await stream.close();
  return performance.now() - began;
}

const sets = [await startSet(), await startSet()] as const;
try {
  // One is ahead of the other, as a busy shard is of an idle one.
  for (let at = 0; at < tries; at++) await write(sets[0]);
  const silent = await tryTimes(...sets, false);
  const streamMs = await tryStream(...sets);
  const told = await tryTimes(...sets, true);
  process.stdout.write(
    `A time asked of one set was before a commit that the other had answered: ${silent} of ${tries}; where the asker had told it of ` +
      `the other's time: ${told} of ${tries}.\nThe stream of an idle set reached a time of the other's after ${streamMs.toFixed(0)} ms.\n`,
  );
} finally {
  await Promise.all(sets.map((set) => set.stop()));
}
