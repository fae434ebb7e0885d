import type { Db, IndexDescription, IndexDescriptionInfo } from 'mongodb';
import { error, type Finding, warning } from '../../store/diagnosis/finding.ts';
import { collectionIndexes } from '../collections.ts';
import { isNamespaceMissing } from '../errors.ts';

/** What of the indexes is missing, or other than Postern makes it. */
export async function diagnoseIndexes(database: Db): Promise<Finding[]> {
  const found = await Promise.all(
    Object.entries(collectionIndexes).map(async ([collection, wanted]) => {
      const there = await database.collection(collection).listIndexes().toArray().catch(noneWhereMissing);
      return wanted.flatMap((index) => judge(collection, index, there));
    }),
  );
  return found.flat();
}

function judge(
  collection: string,
  wanted: IndexDescription,
  there: readonly IndexDescriptionInfo[],
): Finding[] {
  const where = `index ${wanted.name} of ${collection}`;
  const index = there.find(({ name }) => name === wanted.name);
  const level = wanted.unique === true ? error : warning;
  if (index === undefined) {
    return [
      level(
        'store.index_missing',
        `It is missing: ${meaning(wanted)}.`,
        'Restart a replica of Postern: it makes what is missing.',
        where,
      ),
    ];
  }
  if (essence(index) === essence(wanted)) return [];
  const drop = `db.getCollection(${JSON.stringify(collection)}).dropIndex(${JSON.stringify(wanted.name)})`;
  const what = `It is not as Postern makes it, and no replica can start until it is: ${meaning(wanted)}.`;
  return [
    error(
      'store.index_differs',
      what,
      `${drop} in mongosh, then restart a replica, which makes it anew.`,
      where,
    ),
  ];
}

function meaning({ unique, expireAfterSeconds }: IndexDescription): string {
  if (unique === true) return 'two keys may come to share what only one may have';
  if (expireAfterSeconds !== undefined) return 'what has ended may not be removed, or too early';
  return 'reads by it may go over the whole collection';
}

/** All that matters of an index, as text. */
function essence(index: IndexDescription | IndexDescriptionInfo): string {
  const { key, unique = false, expireAfterSeconds = null, partialFilterExpression = null } = index;
  const isHidden = 'hidden' in index && index.hidden === true;
  return JSON.stringify([Object.entries(key), unique, expireAfterSeconds, partialFilterExpression, isHidden]);
}

function noneWhereMissing(thrown: unknown): IndexDescriptionInfo[] {
  if (isNamespaceMissing(thrown)) return [];
  throw thrown;
}
