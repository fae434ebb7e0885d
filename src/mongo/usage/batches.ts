import { Binary, type Collection, type Db, ObjectId } from 'mongodb';
import { usageRetentionMs } from '../../store/store.ts';
import type { UsageTally } from '../../store/usage/usage-tally.ts';
import { usageBatchesName } from '../collections.ts';
import { earliest } from '../records/keys/records.ts';
import type { Sessions } from '../sessions.ts';
import { bitsFor, bucketRows } from './open/open-rows.ts';
import { packTallies, unpackTallies } from './packed-tallies.ts';
import { type PlanDocument, planId, type UsagePlans } from './plan.ts';
import { givenFrom, hoursOver } from './plan-hours.ts';
import { createShareClaims, type ShareClaims, type ShareResult } from './shares/share-claims.ts';
import { isFold, sharesOf } from './shares/share-state.ts';

/** What one replica wrote of the use of many keys at once, in the collection `usage_batches`, until it is folded. */
interface BatchDocument {
  /** In the order of time, about: hexadecimal digits. */
  _id: string;
  tallies: number;
  /** Of so many owners, and kinds of their keys; absent where a version before has written it. */
  abouts?: number;
  /** The earliest and the latest hour; absent where a version before has written it. */
  hours?: readonly [first: Date, last: Date];
  packed: Binary;
  purge_at: Date;
}

/** Batches that are to be folded as one. Whoever folds them again does so under the same number. */
export interface Fold {
  readonly number: number;
  readonly plan: PlanDocument;
  readonly batches: readonly string[];
  readonly tallies: readonly UsageTally[];
  /** Else: what was given out and counts since this step has begun, but for what is left to write of it. */
  readonly taken?: readonly ShareResult[];
}

/** A batch that is not folded yet. */
export interface WaitingBatch {
  readonly id: string;
  readonly tallies: number;
  readonly abouts: number;
  /** Absent where a version before has written it. */
  readonly hours?: readonly [first: Date, last: Date] | undefined;
}

/** Use that is written and not folded yet. */
export interface UsageBatches {
  /** Durable when it resolves, to the id of the batch. */
  add(tallies: readonly UsageTally[]): Promise<string>;
  /** One of these that is left, or of all; null where none is. */
  findLeft(batches?: readonly string[]): Promise<string | null>;
  /**
   * What is to be folded next: what a fold was begun with that has not come to its end, or else the oldest. Null where
   * there is nothing, or somebody else has just begun. Where work is given out it is what cannot be, alone.
   */
  begin(isShared?: boolean): Promise<Fold | null>;
  /** The oldest, but for these. */
  waiting(without: readonly string[]): Promise<WaitingBatch[]>;
  /** Of all these batches; null where some are gone. */
  tallies(batches: readonly string[]): Promise<UsageTally[] | null>;
  /** Everything of the fold is written. */
  end(fold: Fold): Promise<void>;
}

/** Of one fold: more together are fewer rows of the same keys. So many take some 40 MB while they are added up. */
const batchesMax = 500;
export const talliesOfFold = 100_000;
/**
 * Among the batches of a step there is none of this id: who goes on with it, of whichever version, finds some of them gone, and
 * removes the others, since all of it is written.
 */
export const takenMark = 'taken';

export function createUsageBatches(
  database: Db,
  sessions: Sessions,
  {
    plans,
    now,
    overBefore = () => hoursOver(now()),
    onError,
    claims = createShareClaims(database, sessions),
    rowsOfBucket = bucketRows,
  }: {
    readonly plans: UsagePlans;
    readonly claims?: Pick<ShareClaims, 'results'>;
    readonly now: () => number;
    /** Hours before this are over. */
    readonly overBefore?: () => number;
    readonly onError: (error: unknown) => void;
    /** Of a fold, about. */
    readonly rowsOfBucket?: number;
  },
): UsageBatches {
  const batches: Collection<BatchDocument> = database.collection(usageBatchesName);

  const read = (ids: readonly string[]) =>
    sessions.read((options) => batches.find({ _id: { $in: [...ids] } }, options).toArray());

  async function waiting(without: readonly string[]): Promise<WaitingBatch[]> {
    const filter = { _id: { $lt: planId, ...(without.length > 0 && { $nin: [...without] }) } };
    const projection = { tallies: 1, abouts: 1, hours: 1 };
    const options = { sort: { _id: 1 }, limit: batchesMax, projection } as const;
    const found = await sessions.read((read) => batches.find(filter, { ...read, ...options }).toArray());
    return found.map(({ _id, tallies, abouts = tallies, hours }) => ({ id: _id, tallies, abouts, hours }));
  }

  async function oldest(plan: PlanDocument | null, isShared: boolean) {
    const taken = sharesOf(plan).shares.flatMap((share) => (isFold(share) ? share.batches : []));
    const from =
      (isShared && plan !== null ? givenFrom(plan, overBefore()) : null) ?? Number.POSITIVE_INFINITY;
    const ids: string[] = [];
    const sum = { tallies: 0, owners: 0 };
    for (const { id, tallies, abouts, hours } of await waiting(taken)) {
      if ((hours?.[0].getTime() ?? earliest) >= from) continue;
      if (ids.length > 0 && sum.tallies + tallies > talliesOfFold) break;
      sum.tallies += tallies;
      sum.owners += abouts;
      ids.push(id);
    }
    return { ids, ...sum };
  }

  async function findLeft(ids?: readonly string[]): Promise<string | null> {
    const filter = { _id: ids === undefined ? { $lt: planId } : { $in: [...ids] } };
    const found = await sessions.read((options) =>
      batches.findOne(filter, { ...options, projection: { _id: 1 } }),
    );
    return found === null ? null : found._id;
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
      const hours = hoursOf(tallies);
      const batch = { _id, tallies: tallies.length, abouts, hours, packed: new Binary(packed), purge_at };
      await sessions.write((session) => batches.insertOne(batch, { session }));
      return _id;
    },
    findLeft,
    waiting,
    async tallies(ids) {
      const found = await read(ids);
      return found.length < ids.length ? null : tallied(found);
    },
    async begin(isShared = false) {
      const last = await plans.read();
      // A slice of hours, which has to come to its end.
      if (last?.slice !== undefined) return null;
      if (last?.batches.includes(takenMark) && (await findLeft(last.batches)) !== null) {
        const taken = await claims.results(last.batches);
        return { number: last.fold, plan: last, batches: last.batches, tallies: [], taken };
      }
      const left = last === null ? [] : await read(last.batches);
      if (last !== null && left.length === last.batches.length && left.length > 0) {
        return { number: last.fold, plan: last, batches: last.batches, tallies: await tallied(left) };
      }
      // They are removed when all is written: nothing is left to do but that.
      if (left.length > 0) await remove(left.map(({ _id }) => _id));
      const { ids, tallies, owners } = await oldest(last, isShared);
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

function hoursOf(tallies: readonly UsageTally[]): [first: Date, last: Date] {
  let [first, last] = [Number.POSITIVE_INFINITY, earliest];
  for (const { hour } of tallies) [first, last] = [Math.min(first, hour), Math.max(last, hour)];
  return [new Date(first), new Date(last)];
}
