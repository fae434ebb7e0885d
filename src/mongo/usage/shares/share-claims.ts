import { randomUUID } from 'node:crypto';
import { Binary, type Collection, type Db } from 'mongodb';
import type { UsageTally } from '../../../store/usage/usage-tally.ts';
import { usageBatchesName } from '../../collections.ts';
import { isDuplicate } from '../../errors.ts';
import type { Sessions } from '../../sessions.ts';
import { packTallies, unpackTallies } from '../packed-tallies.ts';

/** Who does a share, and then what came of it, in the collection `usage_batches`. */
interface ClaimDocument {
  /** See {@link claimId}. */
  _id: string;
  holder: string;
  /** By the server's clock: then anybody else may do it. */
  until: Date;
  purge_at: Date;
  done?: true;
  rows?: number;
  sums?: Binary;
  uses?: Binary;
}

/** What came of a share, but for the rows that it has written. */
export interface ShareResult {
  /** Of a merge: how many rows. */
  readonly rows: number;
  /** Of a fold: what all keys of a kind were used for. */
  readonly sums: readonly UsageTally[];
  /** Of some keys what they were used for. */
  readonly uses: readonly UsageTally[];
}

export interface ShareClaims {
  /** Those that nobody does, and nobody has done. */
  free(numbers: readonly number[]): Promise<number[]>;
  /** For this replica alone, for some seconds; says whether it may. */
  claim(number: number): Promise<boolean>;
  /** It is done. Where somebody else was sooner, that holds. */
  finish(number: number, result: ShareResult): Promise<void>;
  /** Of those that are done how many rows they have. */
  done(numbers: readonly number[]): Promise<ReadonlyMap<number, number>>;
  /** What came of those of these documents that are of shares. */
  results(ids: readonly string[]): Promise<ShareResult[]>;
}

const claimDefaultMs = 15_000;
/** What was given out in vain goes by itself. */
const keepMs = 86_400_000;
const prefix = 'share ';

/** After all ids of batches. */
export function claimId(number: number): string {
  return `${prefix}${number}`;
}

export function createShareClaims(
  database: Db,
  sessions: Sessions,
  { claimMs = claimDefaultMs }: { readonly claimMs?: number } = {},
): ShareClaims {
  const claims: Collection<ClaimDocument> = database.collection(usageBatchesName);
  const holder = randomUUID();
  const idsOf = (numbers: readonly number[]) => ({ $in: numbers.map(claimId) });

  return {
    async free(numbers) {
      const isTaken = { $or: [{ done: true as const }, { $expr: { $gt: ['$until', '$$NOW'] } }] };
      const taken = await sessions.read((read) =>
        claims.find({ _id: idsOf(numbers), ...isTaken }, { ...read, projection: { _id: 1 } }).toArray(),
      );
      const ids = new Set(taken.map(({ _id }) => _id));
      return numbers.filter((number) => !ids.has(claimId(number)));
    },
    async claim(number) {
      // Absent members compare below any time.
      const isFree = { $and: [{ $lte: ['$until', '$$NOW'] }, { $ne: ['$done', true] }] };
      const members = {
        holder: { $cond: [isFree, holder, '$holder'] },
        until: { $cond: [isFree, { $add: ['$$NOW', claimMs] }, '$until'] },
        purge_at: { $add: ['$$NOW', keepMs] },
      };
      const options = { upsert: true, returnDocument: 'after' } as const;
      try {
        const claimed = await sessions.write((session) =>
          claims.findOneAndUpdate({ _id: claimId(number) }, [{ $set: members }], { ...options, session }),
        );
        return claimed?.holder === holder && claimed.done !== true;
      } catch (error) {
        if (isDuplicate(error)) return false;
        throw error;
      }
    },
    async finish(number, { rows, sums, uses }) {
      const [{ packed: ofSums }, { packed: ofUses }] = [await packTallies(sums), await packTallies(uses)];
      const result = { done: true as const, rows, sums: new Binary(ofSums), uses: new Binary(ofUses) };
      const filter = { _id: claimId(number), done: { $exists: false } };
      await sessions.write((session) => claims.updateOne(filter, { $set: result }, { session }));
    },
    async done(numbers) {
      const found = await sessions.read((read) =>
        claims
          .find({ _id: idsOf(numbers), done: true }, { ...read, projection: { rows: 1, done: 1 } })
          .toArray(),
      );
      return new Map(found.map(({ _id, rows = 0 }) => [Number(_id.slice(prefix.length)), rows]));
    },
    async results(ids) {
      const ofShares = ids.filter((id) => id.startsWith(prefix));
      const found = await sessions.read((read) => claims.find({ _id: { $in: ofShares } }, read).toArray());
      const results: ShareResult[] = [];
      for (const { rows = 0, sums, uses } of found) {
        if (sums === undefined || uses === undefined) continue;
        const [ofSums, ofUses] = [await unpackTallies(sums.buffer), await unpackTallies(uses.buffer)];
        results.push({ rows, sums: ofSums, uses: ofUses });
      }
      return results;
    },
  };
}
