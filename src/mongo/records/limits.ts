import type { Collection, Db } from 'mongodb';
import { type UnitLease, type UnitLeaseRequest, windowGraceMs } from '../../store/store.ts';
import { limitsName } from '../collections.ts';
import type { Sessions } from '../sessions.ts';

/** What has been leased of one window, in the collection `limits`. */
interface LimitDocument {
  /** The spender and its window. */
  _id: string;
  leased: number;
  /** What the lease that was written last has added. */
  granted: number;
  purge_at: Date;
}

/** Leased units of rate limits. */
export interface LimitCollection {
  lease(request: UnitLeaseRequest): Promise<UnitLease>;
}

export function createLimitCollection(database: Db, sessions: Sessions, timeoutMs: number): LimitCollection {
  const limits: Collection<LimitDocument> = database.collection(limitsName);

  return {
    async lease({ spender, windowStart, windowEnd, limit, units, unitsMin }) {
      const before = { $ifNull: ['$leased', 0] };
      const left = { $subtract: [limit, before] };
      const granted = { $cond: [{ $lt: [left, unitsMin] }, 0, { $min: [units, left] }] };
      const document = await sessions.write(
        (session) =>
          limits.findOneAndUpdate(
            { _id: `${spender} ${windowStart} ${windowEnd}` },
            [
              { $set: { granted, purge_at: new Date(windowEnd + windowGraceMs) } },
              { $set: { leased: { $add: [before, '$granted'] } } },
            ],
            { upsert: true, returnDocument: 'after', session },
          ),
        { timeoutMs },
      );
      return { granted: document?.granted ?? 0, leased: document?.leased ?? limit };
    },
  };
}
