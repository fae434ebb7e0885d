import type { Collection, Db } from 'mongodb';
import type { JournalStore } from '../../journal/journal-store.ts';
import { dutiesName } from '../collections.ts';
import type { Sessions } from '../sessions.ts';

/** Who has a duty, and how far it has been done, in the collection `duties`. */
interface DutyDocument {
  _id: string;
  holder: string;
  /** By the server's clock. */
  until: Date;
  progress: number;
}

/** Duties that one replica at a time has. */
export type DutyCollection = Pick<JournalStore, 'claimDuty' | 'recordDuty'>;

export function createDutyCollection(database: Db, sessions: Sessions): DutyCollection {
  const duties: Collection<DutyDocument> = database.collection(dutiesName);

  return {
    async claimDuty(duty, holder, forMs) {
      // Absent members compare below any time: a duty that nobody has taken on is free.
      const isFree = { $or: [{ $eq: ['$holder', { $literal: holder }] }, { $lte: ['$until', '$$NOW'] }] };
      const members = {
        holder: { $cond: [isFree, { $literal: holder }, '$holder'] },
        until: { $cond: [isFree, { $add: ['$$NOW', forMs] }, '$until'] },
        progress: { $ifNull: ['$progress', 0] },
      };
      const options = { upsert: true, returnDocument: 'after' } as const;
      const document = await sessions.write((session) =>
        duties.findOneAndUpdate({ _id: { $eq: duty } }, [{ $set: members }], { ...options, session }),
      );
      return document?.holder === holder ? { progress: document.progress } : null;
    },
    async recordDuty(duty, holder, progress) {
      const isHeld = {
        _id: { $eq: duty },
        holder: { $eq: holder },
        $expr: { $gt: ['$until', '$$NOW'] },
      };
      const { matchedCount } = await sessions.write((session) =>
        duties.updateOne(isHeld, { $set: { progress } }, { session }),
      );
      return matchedCount > 0;
    },
  };
}
