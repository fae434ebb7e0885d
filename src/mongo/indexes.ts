import { type ClientSession, type Db, type IndexDescription, MongoError } from 'mongodb';

/**
 * Makes what is missing of the indexes of a collection. Rejects with an Error that says what to do where another index
 * stands in the way, or what is stored does not let a unique one be made; it quotes nothing that is stored.
 */
export async function makeIndexes(
  database: Db,
  collection: string,
  indexes: IndexDescription[],
  session: ClientSession,
): Promise<void> {
  try {
    await database.collection(collection).createIndexes(indexes, { session });
  } catch (error) {
    throw (error instanceof MongoError && obstacle(collection, error)) || error;
  }
}

const indexOptionsConflict = 85;
const indexKeySpecsConflict = 86;
const duplicateKey = 11000;

function obstacle(collection: string, { code, message }: MongoError): Error | null {
  if (code === indexOptionsConflict || code === indexKeySpecsConflict) {
    const name = /existing index: .*?name: "([\w.-]+)"|different name: ([\w.-]+)/s.exec(message);
    const index = name?.[1] ?? name?.[2];
    const drop = index === undefined ? 'dropIndex(…)' : `dropIndex("${index}")`;
    return new Error(
      `MongoDB has an index ${index === undefined ? '' : `"${index}" `}on the collection "${collection}" that stands in the way of ` +
        `one that Postern needs; drop it with db.${collection}.${drop}, and Postern makes its own at the next start`,
    );
  }
  if (code !== duplicateKey) return null;
  const index = /index: ([\w.-]+)/.exec(message)?.[1] ?? '';
  return new Error(
    `the unique index "${index}" of the collection "${collection}" cannot be made, since two documents have the same ` +
      'value under it: something else has written there; remove one of them, or restore a backup',
  );
}
