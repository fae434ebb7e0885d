import { Binary, type Collection, type Db, ObjectId } from 'mongodb';
import { usageRetentionMs } from '../../store/store.ts';
import type { UsageTally } from '../../store/usage/usage-tally.ts';
import { usageBatchesName } from '../collections.ts';
import type { Sessions } from '../sessions.ts';
import { bitsFor, bucketRows } from './open/open-rows.ts';
import { packTallies, unpackTallies } from './packed-tallies.ts';
import { type PlanDocument, planId, type UsagePlans } from './plan.ts';

/** What one replica wrote of the use of many keys at once, in the collection `usage_batches`, until it is folded. */
interface BatchDocument {
  /** In the order of time, about: hexadecimal digits. */
  _id: string;
  tallies: number;
  /** Of so many owners, and kinds of their keys; absent where a version before has written it. */
  abouts?: number;
  packed: Binary;
  purge_at: Date;
}

/** Batches that are to be folded as one. Whoever folds them again does so under the same number. */
export interface Fold {
  readonly number: number;
  readonly plan: PlanDocument;
  readonly batches: readonly string[];
  readonly tallies: readonly UsageTally[];
}

/** Use that is written and not folded yet. */
export interface UsageBatches {
  /** Durable when it resolves, to the id of the batch. */
  add(tallies: readonly UsageTally[]): Promise<string>;
  /** Whether one of these is left, or any at all. */
  isLeft(batches?: readonly string[]): Promise<boolean>;
  /**
   * What is to be folded next: what a fold was begun with that has not come to its end, or else the oldest. Null where
   * there is nothing, or somebody else has just begun.
   */
  begin(): Promise<Fold | null>;
  /** Everything of the fold is written. */
  end(fold: Fold): Promise<void>;
}

/** Of one fold: more together are fewer rows of the same keys. So many take some 40 MB while they are added up. */
const batchesMax = 500;
export const talliesOfFold = 100_000;

export function createUsageBatches(
  database: Db,
  sessions: Sessions,
  {
    plans,
    now,
    onError,
    rowsOfBucket = bucketRows,
  }: {
    readonly plans: UsagePlans;
    readonly now: () => number;
    readonly onError: (error: unknown) => void;
    /** Of a fold, about. */
    readonly rowsOfBucket?: number;
  },
): UsageBatches {
  const batches: Collection<BatchDocument> = database.collection(usageBatchesName);

  const read = (ids: readonly string[]) =>
    sessions.read((options) => batches.find({ _id: { $in: [...ids] } }, options).toArray());

  async function oldest(): Promise<{
    readonly ids: string[];
    readonly tallies: number;
    readonly owners: number;
  }> {
    const waiting = await sessions.read((options) =>
      batches
        .find(
          { _id: { $lt: planId } },
          { ...options, sort: { _id: 1 }, limit: batchesMax, projection: { tallies: 1, abouts: 1 } },
        )
        .toArray(),
    );
    const ids: string[] = [];
    const sum = { tallies: 0, owners: 0 };
    for (const { _id, tallies, abouts = tallies } of waiting) {
      if (ids.length > 0 && sum.tallies + tallies > talliesOfFold) break;
      sum.tallies += tallies;
      sum.owners += abouts;
      ids.push(_id);
    }
    return { ids, ...sum };
  }

  async function remove(ids: readonly string[]): Promise<void> {
    await sessions.write((session) => batches.deleteMany({ _id: { $in: [...ids] } }, { session }));
  }

  async function tallied(documents: readonly BatchDocument[]): Promise<UsageTally[]> {
    const tallies: UsageTally[][] = [];
    for (const { packed } of documents) {
      // One that cannot be read spoils itself alone.
      tallies.push(
        await unpackTallies(packed.buffer).catch((error) => {
          onError(error);
          return [];
        }),
      );
    }
    return tallies.flat();
  }

  return {
    async add(tallies) {
      const _id = new ObjectId().toHexString();
      const { packed, abouts } = await packTallies(tallies);
      const purge_at = new Date(now() + usageRetentionMs);
      const batch = { _id, tallies: tallies.length, abouts, packed: new Binary(packed), purge_at };
      await sessions.write((session) => batches.insertOne(batch, { session }));
      return _id;
    },
    async isLeft(ids) {
      const filter = { _id: ids === undefined ? { $lt: planId } : { $in: [...ids] } };
      const found = await sessions.read((options) =>
        batches.findOne(filter, { ...options, projection: { _id: 1 } }),
      );
      return found !== null;
    },
    async begin() {
      const last = await plans.read();
      // A slice of hours, which has to come to its end.
      if (last?.slice !== undefined) return null;
      const left = last === null ? [] : await read(last.batches);
      if (last !== null && left.length === last.batches.length && left.length > 0) {
        return { number: last.fold, plan: last, batches: last.batches, tallies: await tallied(left) };
      }
      // They are removed when all is written: nothing is left to do but that.
      if (left.length > 0) await remove(left.map(({ _id }) => _id));
      const { ids, tallies, owners } = await oldest();
      if (ids.length === 0) return null;
      const runOf = (rows: number) => ({ level: 0, bits: bitsFor(rows, rowsOfBucket), rows });
      const brings = { keys: runOf(tallies), owners: runOf(owners) };
      const plan = await plans.begin(last, { batches: ids, brings });
      if (plan === null) return null;
      return { number: plan.fold, plan, batches: ids, tallies: await tallied(await read(ids)) };
    },
    end: ({ batches: ids }) => remove(ids),
  };
}
