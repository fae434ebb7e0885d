import type { Collection, Db } from 'mongodb';
import { usageRetentionMs } from '../../store/store.ts';
import { hourMs, startOf } from '../../store/usage/usage-sums.ts';
import { usageBatchesName, usageName } from '../collections.ts';
import { isDuplicate } from '../errors.ts';
import { earliest } from '../records/keys/records.ts';
import type { Sessions } from '../sessions.ts';
import type { Run } from './open/open-rows.ts';

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
  /** Hours of keys of an earlier place are in the days and months of their keys, but for those of `closing`; absent where all are. */
  closed?: Date;
  /** The slice by which they came there last. */
  closed_by?: number;
  closing?: Closing;
  /** The latest hour of which some keys' own documents were not told at once; those of hours that are closed are told of all. */
  untold?: Date;
  /** Which hours of before there were sums are in them; null for all. */
  counted?: CountedPlace | null;
  /** Use of hours before this has rows; of later ones it is in open documents besides. */
  settled?: Date;
  /** What is open: of each fold since then, merged or not. What no run that is named here has written counts nothing. */
  runs?: readonly Run[];
  /** Of these hours rows are being made. */
  settling?: Settling;
  merging?: Merging;
  /** Runs that count no more, as others have what they had, or rows; they are removed some time after. */
  dead?: readonly DeadRun[];
}

/** Of runs that do not change meanwhile: keys are taken in parts of equal size, those before `after` are done. */
interface Sweep {
  readonly runs: readonly Run[];
  /** There are 2 to the power of so many parts. */
  readonly bits: number;
  readonly after: number;
}

export interface Settling extends Sweep {
  readonly before: Date;
}

export interface Merging extends Sweep {
  readonly into: Omit<Run, 'run'>;
  /** The number of the slice that has begun with it. */
  readonly run?: number;
}

/**
 * Hours from one on and before another, which are being added to days and months, one part of the keys after another: those whose place
 * in an hour is not before `after` are not done. Versions before take all of these hours for closed, and so do not add them again.
 */
export interface Closing {
  readonly from: Date;
  readonly before: Date;
  readonly after: number;
}

export interface DeadRun {
  readonly run: number;
  readonly at: Date;
}

/** What is done to hours of keys at once, and how far that goes: they are added to sums, or get rows. */
export type Slice =
  /** Up to this place of keys in an hour. */
  | { readonly kind: 'close keys'; readonly to: number }
  /** As versions before do: all keys of an hour, up to this place. */
  | { readonly kind: 'close'; readonly to: Date }
  | { readonly kind: 'count'; readonly to: CountedPlace | null }
  /** Up to this part. */
  | { readonly kind: 'settle' | 'merge'; readonly to: number };

/** All hours whose places are not before this are counted, and of the hour before it those up to this id. */
export interface CountedPlace {
  readonly before: Date;
  readonly after: string;
}

export interface UsagePlans {
  read(): Promise<PlanDocument | null>;
  /** Begins what comes next, unless somebody else has since `last`, and then null. */
  begin(last: PlanDocument | null, next: PlanNext): Promise<PlanDocument | null>;
  /** Everything of the slice is written: this is what the plan says from now on. */
  endSlice(plan: PlanDocument, outcome: PlanOutcome): Promise<void>;
  /** These dead runs are removed. */
  buried(runs: readonly number[]): Promise<void>;
  /** Of this hour keys' own documents are not told of all uses. */
  leaveUntold(hour: number): Promise<void>;
}

export interface PlanNext
  extends Pick<PlanDocument, 'batches' | 'slice' | 'settling' | 'merging' | 'closed' | 'closing'> {
  /** What a fold brings, which is then a run of its own. */
  readonly brings?: Omit<Run, 'run'>;
}

/** Null where it is said no more. */
export type PlanOutcome = Partial<
  Pick<PlanDocument, 'closed' | 'closed_by' | 'counted' | 'settled' | 'runs' | 'dead'>
> & {
  readonly settling?: Settling | null;
  readonly merging?: Merging | null;
  readonly closing?: Closing | null;
};

/** Comes after all ids of batches. */
export const planId = 'plan';

export function createUsagePlans(database: Db, sessions: Sessions, now: () => number): UsagePlans {
  const plans: Collection<PlanDocument> = database.collection(usageBatchesName);
  const rows = database.collection<{ _id: string; purge_at: Date }>(usageName);

  /**
   * Where nothing was closed yet. Versions before there were sums write them with their hours: if there is something of the
   * present one, that is taken for closed up to its end.
   */
  async function firstPlaces(): Promise<Required<Pick<PlanDocument, 'closed' | 'closed_by' | 'counted'>>> {
    const place = startOf('hour', now()) + usageRetentionMs;
    const used = await sessions.read((read) =>
      rows.findOne({ purge_at: { $gte: new Date(place) } }, { ...read, projection: { _id: 1 } }),
    );
    const before = new Date(used === null ? place : place + hourMs);
    return { closed: before, closed_by: 0, counted: { before, after: '' } };
  }

  return {
    read: () => sessions.read((options) => plans.findOne({ _id: planId }, options)),
    async begin(last, { brings, merging, ...next }) {
      // Later than any of before, should the plan have been lost.
      const fold = Math.max(now(), (last?.fold ?? 0) + 1);
      const members = {
        ...{ fold, ...next },
        ...(brings !== undefined && { runs: [...(last?.runs ?? []), { run: fold, ...brings }] }),
        ...(merging !== undefined && { merging: { ...merging, run: merging.run ?? fold } }),
        ...(last?.closed === undefined && (await firstPlaces())),
        ...(last?.settled === undefined && { settled: new Date(startOf('hour', now())) }),
        // What a version before has folded of this hour it would tell when the hour is over, and this one does later.
        ...(last?.untold === undefined && {
          untold: new Date(last === null ? earliest : startOf('hour', now())),
        }),
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
    async endSlice({ fold }, outcome) {
      const said = Object.entries(outcome).filter(([name, value]) => value !== null || name === 'counted');
      const unsaid = Object.entries(outcome).filter(([name, value]) => value === null && name !== 'counted');
      const $unset = Object.fromEntries([['slice', true], ...unsaid.map(([name]) => [name, true])]);
      await sessions.write((session) =>
        plans.updateOne({ _id: planId, fold }, { $set: Object.fromEntries(said), $unset }, { session }),
      );
    },
    async buried(runs) {
      const update = { $pull: { dead: { run: { $in: [...runs] } } } };
      await sessions.write((session) => plans.updateOne({ _id: planId }, update, { session }));
    },
    async leaveUntold(hour) {
      const update = { $max: { untold: new Date(hour) } };
      await sessions.write((session) => plans.updateOne({ _id: planId }, update, { session }));
    },
  };
}

/**
 * What `read` finds by a plan that holds as long as it reads: what is settled is so at the end as well, and no run that it
 * has looked into is removed. Either is a moment in an hour.
 */
export async function byOnePlan<T>(
  plans: Pick<UsagePlans, 'read'>,
  read: (plan: PlanDocument | null) => Promise<T>,
  stateOf: (plan: PlanDocument | null) => unknown = (plan) => plan?.settled?.getTime(),
): Promise<T> {
  let plan = await plans.read();
  for (let tries = 1; ; tries++) {
    const found = await read(plan);
    const next = await plans.read();
    if ((stateOf(plan) === stateOf(next) && areThere(plan, next)) || tries === triesMax) return found;
    plan = next;
  }
}

function areThere(plan: PlanDocument | null, next: PlanDocument | null): boolean {
  const there = new Set([...(next?.runs ?? []), ...(next?.dead ?? [])].map(({ run }) => run));
  return (plan?.runs ?? []).every(({ run }) => there.has(run));
}

/** How often hours may be settled or closed while they are read; it is a moment every two seconds, for some time in an hour. */
const triesMax = 10;
