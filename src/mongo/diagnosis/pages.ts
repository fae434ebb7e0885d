import type { Db } from 'mongodb';
import { type Finding, warning } from '../../store/diagnosis/finding.ts';
import { isNotCapped } from '../capped.ts';
import { relayPagesName } from '../collections.ts';
import { isNamespaceMissing } from '../errors.ts';

/** Whether the replicas of a large fleet can wait for what relays hand on. */
export async function diagnosePages(database: Db): Promise<Finding[]> {
  const pages = database.collection(relayPagesName, { readConcern: { level: 'local' } });
  try {
    await pages.listIndexes().toArray();
    const cursor = pages.find({}, { tailable: true, projection: { _id: 1 } });
    await cursor.tryNext();
    await cursor.close();
    return [];
  } catch (thrown) {
    if (isNamespaceMissing(thrown)) return [missing];
    if (isNotCapped(thrown)) return [notCapped];
    throw thrown;
  }
}

const meaning =
  'in a fleet of 21 replicas and more each looks for changes four times a second, and is not woken by them';

const missing = warning(
  'store.pages_polled',
  `The collection "${relayPagesName}" is missing: ${meaning}.`,
  'Replicas make it, within minutes where there are 21, when their user has the action convertToCapped, as readWrite has.',
);

const notCapped = warning(
  'store.pages_polled',
  `The collection "${relayPagesName}" is not capped: ${meaning}.`,
  `db.getCollection(${JSON.stringify(relayPagesName)}).drop() in mongosh; replicas make it anew, within minutes where there are 21.`,
);
