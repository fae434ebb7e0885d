import type { Collection, Db, Document, Filter } from 'mongodb';
import type { KeyId } from '../../../keys/key.ts';
import type { UsageTally } from '../../../store/usage/usage-tally.ts';
import { earliest } from '../../records/keys/records.ts';
import type { Sessions } from '../../sessions.ts';
import { portions } from '../portions.ts';
import { createTallySums } from '../sums/tally-sums.ts';
import {
  bucketOf,
  bucketsOf,
  type Hours,
  keyRows,
  type OpenDocument,
  type Parts,
  type PlacedRun,
  placeId,
  placeIdLength,
  type RowKind,
  type Run,
} from './open-rows.ts';

/** What is open, for whoever reads it. */
export interface OpenReads {
  /** Of these keys, by key and hour, of hours from one on; of rows of keys alone. */
  of(keys: readonly KeyId[], runs: readonly Run[], from: number): Promise<UsageTally[]>;
  /** Whether a run has something of this hour or a later one. */
  hasFrom(run: number, hour: number): Promise<boolean>;
  /** What these runs have in some of so many parts of equal size, of hours from one on and before another. */
  part(runs: readonly PlacedRun[], parts: Parts, hours: Hours): Promise<UsageTally[]>;
}

/** Keys in one read. */
const keysAtOnce = 200;

export function createOpenReads(database: Db, sessions: Sessions, kind: RowKind = keyRows): OpenReads {
  const open: Collection<OpenDocument<object>> = database.collection(kind.collection);

  /** One tally of each key, or owner, and hour. */
  function talliesOf(documents: readonly Pick<OpenDocument<object>, 'hour' | 'rows'>[]): UsageTally[] {
    const sums = createTallySums();
    for (const document of documents) sums.add(kind.talliesOf(document, document.hour.getTime()));
    return sums.all();
  }

  async function someOf(keys: readonly KeyId[], runs: readonly Run[], from: number): Promise<UsageTally[]> {
    const byPlace = new Map<string, KeyId[]>();
    const ofRuns = runs.map(({ run, bits }) => {
      const buckets = new Set<number>();
      for (const key of keys) {
        const bucket = bucketOf(key, bits);
        buckets.add(bucket);
        const place = placeId(run, bucket);
        const before = byPlace.get(place);
        if (before === undefined) byPlace.set(place, [key]);
        else before.push(key);
      }
      return { run, bucket: { $in: [...buckets] } };
    });
    const filter = { $or: ofRuns, hour: { $gte: new Date(from) } };
    const found = await sessions.read((read) =>
      open.find(filter, { ...read, projection: { hour: 1, rows: rowsOf(byPlace) } }).toArray(),
    );
    return talliesOf(found);
  }

  return {
    async of(keys, runs, from) {
      const found: UsageTally[] = [];
      if (runs.length === 0) return found;
      for (const some of portions(keys, keysAtOnce)) found.push(...(await someOf(some, runs, from)));
      return found;
    },
    async hasFrom(run, hour) {
      const filter = { run, hour: { $gte: new Date(hour) } };
      const found = await sessions.read((read) =>
        open.findOne(filter, { ...read, projection: { _id: 0, hour: 1 } }),
      );
      return found !== null;
    },
    async part(runs, parts, hours) {
      if (runs.length === 0) return [];
      const { bits: ofParts, from, to } = parts;
      const ofRuns = runs.map(({ run, bits }) => ({ run, bucket: bucketsOf(parts, bits) }));
      const hour = { $gte: new Date(Math.max(hours.from, earliest)), $lt: new Date(hours.before) };
      const filter = { $or: ofRuns, hour } as Filter<OpenDocument<object>>;
      const found = talliesOf(await sessions.read((read) => open.find(filter, read).toArray()));
      if (runs.every(({ bits }) => bits >= ofParts)) return found;
      return found.filter(({ key }) => {
        const part = bucketOf(key, ofParts);
        return part >= from && part < to;
      });
    },
  };
}

/** The rows of these keys alone, of each document those that it may have. */
function rowsOf(byPlace: ReadonlyMap<string, readonly KeyId[]>): Document {
  const place = { $substrBytes: ['$_id', 0, placeIdLength] };
  const at = { $indexOfArray: [{ $literal: [...byPlace.keys()] }, place] };
  return {
    $let: {
      vars: { wanted: { $arrayElemAt: [{ $literal: [...byPlace.values()] }, at] } },
      in: { $filter: { input: '$rows', as: 'row', cond: { $in: ['$$row.k', '$$wanted'] } } },
    },
  };
}
