import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { ClientSession, Db } from 'mongodb';
import { RestoredStore } from '../restore/restore-mark.ts';
import { StoreUnavailable } from '../store/store.ts';
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

export const currentSchema: Schema = { version: 15, readerMin: 1, make: createCollections };

/** In the collection `meta`: the newest schema that was ever made here. */
interface SchemaDocument {
  _id: 'schema';
  version: number;
  reader_min: number;
  /** When it was last looked whether all is there; absent from databases of before that was written. */
  looked_at?: Date;
}

/** In the collection `meta`: that a process makes what is missing. Many at once would be in each other's way. */
interface TurnDocument {
  _id: 'making';
  by: string;
  /** By the server's clock: then it is taken for dead. */
  until: Date;
}

const turnMaxMs = 20_000;
const turnPollMs = 200;
const turnTriesMax = 150;

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
  /** By the server's clock; what was looked at after it need not be looked at again. */
  let neededAt: Date | null = null;
  for (let tries = 0; tries < turnTriesMax; tries++) {
    const made = await schemas.findOne<SchemaDocument & { readonly now: Date }>(
      { _id: 'schema' },
      { session, projection: { version: 1, reader_min: 1, looked_at: 1, now: '$$NOW' } },
    );
    if (made !== null && made.version > schema.version) {
      requireServable(database, made, schema);
      return;
    }
    neededAt ??= made && new Date(made.now.getTime() - (looksAgain ? 0 : lookEveryMs));
    const hasLooked = made?.looked_at !== undefined && made.looked_at >= (neededAt ?? new Date(0));
    if (made?.version === schema.version && hasLooked) return;
    if (await makeInTurn(database, session, schema)) return;
    await setTimeout(turnPollMs * (0.5 + Math.random()));
  }
  throw new StoreUnavailable('another process has been making the indexes for long');
}

/** Makes what is missing, unless another process does so just now; says whether it has. */
async function makeInTurn(database: Db, session: ClientSession, schema: Schema): Promise<boolean> {
  const turns = database.collection<TurnDocument>(metaName);
  const schemas = database.collection<SchemaDocument>(metaName);
  const by = randomUUID();
  // An absent member compares below any time.
  const isFree = { $lte: ['$until', '$$NOW'] };
  const claim = {
    by: { $cond: [isFree, by, '$by'] },
    until: { $cond: [isFree, { $add: ['$$NOW', turnMaxMs] }, '$until'] },
  };
  const options = { upsert: true, returnDocument: 'after', session } as const;
  try {
    const turn = await turns.findOneAndUpdate({ _id: 'making' }, [{ $set: claim }], options);
    if (turn?.by !== by) return false;
  } catch (error) {
    if (isDuplicate(error)) return false;
    throw error;
  }
  try {
    await schema.make(database, session);
    const { version, readerMin: reader_min } = schema;
    // The newest wins, whoever comes last.
    const update = { $max: { version, reader_min }, $currentDate: { looked_at: true } } as const;
    await schemas.updateOne({ _id: 'schema' }, update, { upsert: true, session });
  } finally {
    await turns.deleteOne({ _id: 'making', by }, { session });
  }
  return true;
}

function requireServable({ databaseName }: Db, made: SchemaDocument, { version }: Schema): void {
  if (made.reader_min <= version) return;
  throw new Error(
    `the database ${databaseName} was written by a newer version of Postern: its schema is of version ` +
      `${made.version} and needs a Postern of schema version ${made.reader_min} or later, this one is of ${version}; ` +
      'run the newer one, or name another database',
  );
}
