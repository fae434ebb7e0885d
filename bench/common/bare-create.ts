import { randomBytes } from 'node:crypto';
import { type Collection, type Document, MongoClient } from 'mongodb';

/** What MongoDB itself asks for what a CreateKey writes: the driver alone, on the same server and in documents of the same form. */
export interface BareCreate {
  /** A key, by itself, on the journals of a majority. */
  insert(): Promise<void>;
  /** The end of the journal, the key and its entry, in a transaction that is committed by majority. */
  transact(): Promise<void>;
  close(): Promise<void>;
}

type Stored = Collection<Document & { _id: string | number }>;

const durable = { writeConcern: { w: 'majority', journal: true } } as const;

/** Copies the newest key and entry of a database that has some, into another one with the same indexes. */
export async function createBareCreate(uri: string): Promise<BareCreate> {
  const client = new MongoClient(uri);
  const [made, bare] = [client.db(), client.db('bare', durable)];
  const newest = async (name: string): Promise<Document> => {
    const [found] = await made.collection(name).find().sort({ _id: -1 }).limit(1).toArray();
    if (found === undefined) throw new Error(`nothing was made in ${name}`);
    return found;
  };
  const [key, entry] = [await newest('keys'), await newest('journal')];
  for (const name of ['keys', 'journal']) {
    const indexes = await made.collection(name).listIndexes().toArray();
    await bare
      .collection(name)
      .createIndexes(indexes.map(({ v: _, key, ...options }) => ({ key, ...options })));
  }
  const [keys, journal, heads]: Stored[] = [
    bare.collection('keys'),
    bare.collection('journal'),
    bare.collection('meta'),
  ];
  await heads?.insertOne({ _id: 'head', sequence: 0 });
  const session = client.startSession();
  let sequence = 0;
  const newKey = () => {
    const name = randomBytes(32).toString('base64url');
    return { ...key, _id: name, digest: name, spender: name };
  };
  return {
    async insert() {
      await keys?.insertOne(newKey());
    },
    async transact() {
      session.startTransaction({ readConcern: { level: 'local' }, ...durable });
      const from = { _id: 'head', sequence: sequence++ };
      await heads?.updateOne(from, { $set: { sequence, at: new Date() } }, { session });
      await keys?.insertOne(newKey(), { session });
      await journal?.insertOne({ ...entry, _id: sequence }, { session });
      await session.commitTransaction();
    },
    async close() {
      await session.endSession();
      await client.close();
    },
  };
}
