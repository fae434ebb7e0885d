import type { Collection, Db } from 'mongodb';
import type { DigestChange } from '../../../store/records/key-filter.ts';
import type { Store } from '../../../store/store.ts';
import { keysName } from '../../collections.ts';
import { duplicatesOf } from '../../errors.ts';
import { createFreshRead, type LatestReadDependencies } from '../../feed/latest.ts';
import type { KeyDocument } from './records.ts';

/** The digests of keys, apart from what else is known of them. */
export interface KeyDigests {
  find: Store['findDigests'];
  /** Answers those that were changed, or may have been. */
  replace(changes: readonly DigestChange[]): Promise<readonly DigestChange[]>;
  count: Store['countDigests'];
}

export interface KeyDigestDependencies extends Pick<LatestReadDependencies, 'sessions' | 'catchUp'> {
  readonly database: Db;
}

/** Keys that are counted by one command, which a server does well within any deadline. */
const countedMax = 50_000;

export function createKeyDigests(dependencies: KeyDigestDependencies): KeyDigests {
  const { database, sessions } = dependencies;
  const keys: Collection<KeyDocument> = database.collection(keysName);
  const readFresh = createFreshRead(dependencies);

  const countAfter = (digest: string) =>
    sessions.read((read) =>
      keys.aggregate<Group>(countsAfter(digest), { ...read, hint: 'digest' }).toArray(),
    );

  return {
    async find(digests) {
      if (digests.length === 0) return new Set();
      const projection = { _id: 0, digest: 1 };
      const found = await readFresh((read) =>
        keys.find({ digest: { $in: [...digests] } }, { ...read, projection }).toArray(),
      );
      const known = new Set<string>(found.map(({ digest }) => digest));
      return new Set(digests.filter((digest) => known.has(digest)));
    },
    async replace(changes) {
      if (changes.length === 0) return [];
      const writes = changes.map(({ id, from, to }) => ({
        updateOne: { filter: { _id: id, digest: from }, update: { $set: { digest: to } } },
      }));
      const left = await sessions.write((session) =>
        duplicatesOf(keys.bulkWrite(writes, { ordered: false, session })),
      );
      return changes.filter((_, place) => !left.has(place));
    },
    async count() {
      const counts = new Map<string, number>();
      for (let after = '', isLast = false; !isLast; ) {
        const groups = await countAfter(after);
        for (const { _id, count } of groups) counts.set(_id, (counts.get(_id) ?? 0) + count);
        for (const { last } of groups) if (last > after) after = last;
        isLast = groups.reduce((sum, { count }) => sum + count, 0) < countedMax;
      }
      return counts;
    },
  };
}

interface Group {
  /** What precedes the colon in their digests; empty where there is none. */
  readonly _id: string;
  readonly count: number;
  readonly last: string;
}

/** Counts the keys with the next digests, from their index alone. */
function countsAfter(digest: string) {
  const colon = { $indexOfBytes: ['$digest', ':'] };
  const pepper = { $substrBytes: ['$digest', 0, { $max: [colon, 0] }] };
  return [
    { $match: { digest: { $gt: digest } } },
    { $sort: { digest: 1 } },
    { $limit: countedMax },
    { $group: { _id: pepper, count: { $sum: 1 }, last: { $max: '$digest' } } },
  ];
}
