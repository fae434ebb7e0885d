import type { Collection, Db } from 'mongodb';
import type { KeyId } from '../../keys/key.ts';
import { usageRetentionMs } from '../../store/store.ts';
import { hourMs, nextStart } from '../../store/usage/usage-sums.ts';
import type { UsageTally } from '../../store/usage/usage-tally.ts';
import { usageBatchesName } from '../collections.ts';
import { isDuplicate } from '../errors.ts';
import type { Sessions } from '../sessions.ts';

/**
 * What is being done with use, one thing after another for the whole fleet, in the collection `usage_batches`: a fold of
 * batches, or a slice of hours. Each has a number, later than all before, which what it writes to notes: whoever makes it
 * again, or at the same time, counts nothing twice. The next begins when this one is at its end.
 */
export interface PlanDocument {
  _id: typeof planId;
  fold: number;
  /** Of a fold, which is at its end when they are gone. */
  batches: readonly string[];
  /** Else: absent when it is at its end. */
  slice?: Slice;
  /** Hours of keys of an earlier place are in the days and months of their keys; absent where all are. */
  closed?: Date;
  /** The slice by which they came there. */
  closed_by?: number;
  /** Which hours of before there were sums are in them; null for all. */
  counted?: CountedPlace | null;
}

/** Hours of keys that are added to sums together, and how far that goes. */
export type Slice =
  | { readonly kind: 'close'; readonly to: Date }
  | { readonly kind: 'count'; readonly to: CountedPlace | null };

/** All hours whose places are not before this are counted, and of the hour before it those up to this id. */
export interface CountedPlace {
  readonly before: Date;
  readonly after: string;
}

export interface UsagePlans {
  read(): Promise<PlanDocument | null>;
  /** Begins what comes next, unless somebody else has since `last`, and then null. */
  begin(
    last: PlanDocument | null,
    next: Pick<PlanDocument, 'batches' | 'slice'>,
  ): Promise<PlanDocument | null>;
  /** Everything of the slice is written. */
  endSlice(plan: PlanDocument): Promise<void>;
}

/** Comes after all ids of batches. */
export const planId = 'plan';

export function createUsagePlans(database: Db, sessions: Sessions, now: () => number): UsagePlans {
  const plans: Collection<PlanDocument> = database.collection(usageBatchesName);

  /** Up to the end of the present hour sums of keys are written with their hours, as by versions before. */
  function firstPlaces(): Required<Pick<PlanDocument, 'closed' | 'closed_by' | 'counted'>> {
    const before = new Date(nextStart('hour', now()) + usageRetentionMs);
    return { closed: before, closed_by: 0, counted: { before, after: '' } };
  }

  return {
    read: () => sessions.read((options) => plans.findOne({ _id: planId }, options)),
    async begin(last, { batches, slice }) {
      // Later than any of before, should the plan have been lost.
      const fold = Math.max(now(), (last?.fold ?? 0) + 1);
      const members = {
        ...{ fold, batches, ...(slice !== undefined && { slice }) },
        ...(last?.closed === undefined && firstPlaces()),
      };
      try {
        const { matchedCount, upsertedCount } = await sessions.write((session) =>
          plans.updateOne(
            { _id: planId, ...(last !== null && { fold: last.fold }) },
            last === null ? { $setOnInsert: members } : { $set: members },
            { upsert: last === null, session },
          ),
        );
        const isBegun = upsertedCount > 0 || (last !== null && matchedCount > 0);
        return isBegun ? { ...last, _id: planId, ...members } : null;
      } catch (error) {
        if (isDuplicate(error)) return null;
        throw error;
      }
    },
    async endSlice({ fold, slice }) {
      if (slice === undefined) return;
      const members = slice.kind === 'close' ? { closed: slice.to, closed_by: fold } : { counted: slice.to };
      await sessions.write((session) =>
        plans.updateOne({ _id: planId, fold }, { $set: members, $unset: { slice: true } }, { session }),
      );
    },
  };
}

/**
 * Where the hour of a key is among all, and when it is removed: hours one after another, and within each keys spread over
 * it, so that a part of an hour's keys is a range of the index.
 */
export function placeOf(key: KeyId, hour: number): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193) >>> 0;
  return hour + usageRetentionMs + (hash % hourMs);
}

/** The id of a key's hour. */
export function hourId(key: KeyId, hour: number): string {
  return `${key} ${new Date(hour).toISOString()}`;
}

/** Whether what comes for this hour is to be added to the day and the month of its key at once. */
export function isClosed({ closed }: PlanDocument, { key, hour }: Pick<UsageTally, 'key' | 'hour'>): boolean {
  return closed === undefined || placeOf(key, hour) < closed.getTime();
}

/** Whether sums have this hour; else it is counted later, with what comes now. */
export function isCounted(
  { counted = null }: PlanDocument,
  { key, hour }: Pick<UsageTally, 'key' | 'hour'>,
): boolean {
  if (counted === null || hour + usageRetentionMs >= counted.before.getTime()) return true;
  const isPartly = hour + usageRetentionMs + hourMs === counted.before.getTime();
  return isPartly && hourId(key, hour) <= counted.after;
}
