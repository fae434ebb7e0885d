import type { ClientSession, Db } from 'mongodb';
import { RestoredStore } from '../restore/restore-mark.ts';
import { createCollections, metaName } from './collections.ts';
import { isDuplicate } from './errors.ts';
import { findMark } from './feed/mark.ts';

/** What a release of Postern keeps in its database. */
export interface Schema {
  /** Grows with every change of what is kept, or of its indexes. */
  readonly version: number;
  /**
   * The oldest version whose code serves it as well. What only adds leaves it as it was; what takes away, or changes
   * what the version before still uses, raises it, and comes a release later than the code that can do without.
   */
  readonly readerMin: number;
  /** Makes what is missing, beside others that do the same, and changes nothing that is there. */
  make(database: Db, session: ClientSession): Promise<void>;
}

export const currentSchema: Schema = { version: 3, readerMin: 1, make: createCollections };

/** In the collection `meta`: the newest schema that was ever made here. */
interface SchemaDocument {
  _id: 'schema';
  version: number;
  reader_min: number;
  /** When it was last looked whether all is there; absent from databases of before that was written. */
  looked_at?: Date;
}

/**
 * Whoever starts so soon after another has looked does not look again: of a thousand replicas that start within a minute
 * a few do.
 */
const lookEveryMs = 5_000;

export interface SchemaOptions {
  readonly schema: Schema;
  /** Whether a restored database may be opened. */
  readonly opensRestored: boolean;
  /** Whether something may be missing that was there a moment ago. */
  readonly looksAgain: boolean;
}

/**
 * Makes the database ready for this process. What a newer release has made is left as it is, where this one can serve
 * it; where it cannot, rejects with an Error that says so. Rejects with `RestoredStore` where it was restored.
 */
export async function prepareDatabase(
  database: Db,
  session: ClientSession,
  { schema, opensRestored, looksAgain }: SchemaOptions,
): Promise<void> {
  const mark = opensRestored ? null : await findMark(database, session);
  if (mark !== null) throw new RestoredStore(mark);
  const schemas = database.collection<SchemaDocument>(metaName);
  const agoMs = { $subtract: ['$$NOW', '$looked_at'] };
  const made = await schemas.findOne<SchemaDocument & { agoMs?: number | null }>(
    { _id: 'schema' },
    { session, projection: { version: 1, reader_min: 1, agoMs } },
  );
  if (made !== null && made.version > schema.version) {
    requireServable(database, made, schema);
    return;
  }
  const isOurs = made?.version === schema.version;
  if (isOurs && !looksAgain && (made.agoMs ?? lookEveryMs) < lookEveryMs) return;
  await schema.make(database, session);
  const { version, readerMin: reader_min } = schema;
  // The newest wins, whoever comes last.
  const update = { $max: { version, reader_min }, $currentDate: { looked_at: true } } as const;
  try {
    await schemas.updateOne({ _id: 'schema' }, update, { upsert: true, session });
  } catch (error) {
    // Another process has made it: with at least what it read as well.
    if (!isDuplicate(error)) throw error;
    await schemas.updateOne({ _id: 'schema' }, update, { session });
  }
}

function requireServable({ databaseName }: Db, made: SchemaDocument, { version }: Schema): void {
  if (made.reader_min <= version) return;
  throw new Error(
    `the database ${databaseName} was written by a newer version of Postern: its schema is of version ` +
      `${made.version} and needs a Postern of schema version ${made.reader_min} or later, this one is of ${version}; ` +
      'run the newer one, or name another database',
  );
}
