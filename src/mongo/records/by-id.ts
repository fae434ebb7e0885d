import type { Collection, Filter } from 'mongodb';
import { createGathered } from '../../store/gathered.ts';
import type { Asker } from '../../store/store.ts';
import { byAsker, createLatestRead, type LatestReadDependencies } from '../feed/latest.ts';
import { withinDeadline } from '../sessions.ts';

/** Reads of one collection for Checks that are under way at once, as many for all others, and records in one of them. */
const readsAtOnce = { underWayMax: 2, askedMax: 200 };

/**
 * Reads of records by their ids, gathered: those that Checks wait for by themselves, and those of all others, so that
 * many that may take long hold up none that may not. Null for what is not there; `toRecord` may throw, for its asker.
 */
export function createReadById<D extends { _id: string }, R>(
  collection: Collection<D>,
  dependencies: LatestReadDependencies,
  toRecord: (document: Readonly<Record<string, unknown>>) => R,
): (id: string, asker?: Asker) => Promise<R | null> {
  const reads = byAsker(dependencies, (timeoutMs) => {
    const readLatest = createLatestRead(dependencies, timeoutMs);
    const gathered = createGathered(async (ids: readonly string[]): Promise<(R | null | Error)[]> => {
      const wanted = { _id: { $in: ids } } as Filter<D>;
      const documents = await readLatest((read) => collection.find(wanted, read).toArray());
      const found = new Map(documents.map((document) => [String(document._id), document]));
      return ids.map((id) => recordOf(found.get(id)));
    }, readsAtOnce);
    return (id: string) => withinDeadline(timeoutMs, () => gathered(id));
  });
  return (id, asker) => reads(asker)(id);

  function recordOf(document: object | undefined): R | null | Error {
    try {
      return document === undefined ? null : toRecord({ ...document });
    } catch (error) {
      return error as Error;
    }
  }
}
