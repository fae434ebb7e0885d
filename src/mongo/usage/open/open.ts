import { setImmediate } from 'node:timers/promises';
import type { Collection, Db } from 'mongodb';
import type { UsageTally } from '../../../store/usage/usage-tally.ts';
import { duplicatesOf } from '../../errors.ts';
import type { Sessions } from '../../sessions.ts';
import {
  bucketOf,
  bucketsOf,
  type Hours,
  keyRows,
  type OpenDocument,
  openId,
  type Parts,
  type PlacedRun,
  type RowKind,
  type Run,
} from './open-rows.ts';

/**
 * Use of hours that are not over. Each fold is a run: a document for some hundred keys, which is written once. Runs are
 * merged, a few into one, so that a key is in few of them, and a document for each key and hour is written once, when the hour is over.
 */
export interface OpenUse {
  /** Writes these, of a key and an hour one at most, of a run: all of it, or a part, by whomever and however often. */
  add(tallies: readonly UsageTally[], run: WrittenRun): Promise<void>;
  /** Removes some of these runs; says whether there is more. */
  remove(runs: readonly number[]): Promise<boolean>;
  /** From now on what these runs have of these parts and hours goes so long after its hours have begun. */
  letGo(runs: readonly PlacedRun[], parts: Parts, hours: Hours, keepMs: number): Promise<void>;
}

export interface WrittenRun extends Pick<Run, 'run' | 'bits'> {
  /** It is removed so long after its hours have begun, if nobody has removed it; null for not by itself. Default that of its kind. */
  readonly keepMs?: number | null;
}

/** Rows, and documents, in one write. */
const rowsAtOnce = 5_000;
const documentsAtOnce = 500;
/** Tallies in one turn of the event loop. */
const turnSize = 5_000;
/** Documents that are removed at once. */
const removedAtOnce = 1_000;

export function createOpenUse(database: Db, sessions: Sessions, kind: RowKind = keyRows): OpenUse {
  const open: Collection<OpenDocument<object>> = database.collection(kind.collection);

  return {
    async add(tallies, run) {
      for (const some of portions(await documentsOf(tallies, run, kind))) {
        // Those that are there already are the same.
        await sessions.write((session) => duplicatesOf(open.insertMany(some, { ordered: false, session })));
      }
    },
    async remove(runs) {
      const options = { limit: removedAtOnce, projection: { _id: 1 } } as const;
      const found = await sessions.read((read) =>
        open.find({ run: { $in: [...runs] } }, { ...read, ...options }).toArray(),
      );
      const ids = found.map(({ _id }) => _id);
      if (ids.length > 0)
        await sessions.write((session) => open.deleteMany({ _id: { $in: ids } }, { session }));
      return ids.length === removedAtOnce;
    },
    async letGo(runs, parts, { from, before }, keepMs) {
      const hour = { $gte: new Date(from), $lt: new Date(before) };
      const ofRuns = runs.map(({ run, bits }) => ({ run, bucket: bucketsOf(parts, bits, 'done'), hour }));
      const update = [{ $set: { purge_at: { $add: ['$hour', keepMs] } } }];
      await sessions.write((session) => open.updateMany({ $or: ofRuns }, update, { session }));
    },
  };
}

async function documentsOf(
  tallies: readonly UsageTally[],
  { run, bits, keepMs }: WrittenRun,
  kind: RowKind,
): Promise<OpenDocument<object>[]> {
  const keptMs = keepMs === undefined ? kind.openKeepMs : keepMs;
  const hours = new Map<number, Map<number, UsageTally[]>>();
  for (const [at, tally] of tallies.entries()) {
    if (at % turnSize === turnSize - 1) await setImmediate();
    const { key, hour } = tally;
    const buckets = hours.get(hour) ?? new Map<number, UsageTally[]>();
    if (buckets.size === 0) hours.set(hour, buckets);
    const bucket = bucketOf(key, bits);
    const others = buckets.get(bucket);
    if (others === undefined) buckets.set(bucket, [tally]);
    else others.push(tally);
  }
  const documentOf = (hour: number, bucket: number, some: readonly UsageTally[]) => {
    const place = { _id: openId(run, bucket, hour), run, bucket, hour: new Date(hour) };
    return {
      ...place,
      ...kind.contentOf(some),
      ...(keptMs !== null && { purge_at: new Date(hour + keptMs) }),
    };
  };
  return [...hours].flatMap(([hour, buckets]) =>
    [...buckets].map(([bucket, some]) => documentOf(hour, bucket, some)),
  );
}

function* portions<T extends { readonly rows: readonly unknown[] }>(documents: readonly T[]): Generator<T[]> {
  let some: T[] = [];
  let rows = 0;
  for (const document of documents) {
    if (some.length === documentsAtOnce || (some.length > 0 && rows + document.rows.length > rowsAtOnce)) {
      yield some;
      [some, rows] = [[], 0];
    }
    some.push(document);
    rows += document.rows.length;
  }
  if (some.length > 0) yield some;
}
