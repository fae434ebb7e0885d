import { type ClientSession, type Db, MongoError } from 'mongodb';
import { isNotAllowed } from './errors.ts';

/**
 * Far more than a reader lags behind: at some pages a second minutes, and in an import of many keys seconds. Whoever waits
 * for pages looks through all of them when it begins to.
 */
const limits = { size: 16 * 1024 * 1024, max: 1_000 };

const namespaceExists = 48;

/**
 * Makes a collection of pages, which must be capped for readers to wait at its end. One that is there stays as it is,
 * whatever it is. False where the user may not make it, for want of `convertToCapped`.
 */
export async function makeCapped(database: Db, name: string, session: ClientSession): Promise<boolean> {
  try {
    await database.createCollection(name, { capped: true, ...limits, session });
    return true;
  } catch (error) {
    if (isNotAllowed(error)) return false;
    if (error instanceof MongoError && error.code === namespaceExists) return true;
    throw error;
  }
}

const badValue = 2;

/** Whether MongoDB refuses to have anybody wait at the end of a collection, since it is not capped. */
export function isNotCapped(error: unknown): boolean {
  return error instanceof MongoError && error.code === badValue && /capped/.test(error.message);
}
