import type { Collection, Db } from 'mongodb';
import { usageRetentionMs } from '../../store/store.ts';
import { hourMs, startOf } from '../../store/usage/usage-sums.ts';
import { usageBatchesName, usageName } from '../collections.ts';
import { isDuplicate } from '../errors.ts';
import { earliest } from '../records/keys/records.ts';
import type { Sessions } from '../sessions.ts';
import type { Run } from './open/open-rows.ts';
import type { OpenChange, OpenState } from './open/open-state.ts';
import { firstOwners, type OwnerState } from './owners/owner-state.ts';
import { type SharesState, sharesOf } from './shares/share-state.ts';

/**
 * What is being done with use, one thing after another for the whole fleet, in the collection `usage_batches`: a fold of
 * batches, or a slice of hours. Each has a number, later than all before, which what it writes to notes: whoever makes it
 * again, or at the same time, counts nothing twice. The next begins when this one is at its end.
 */
export interface PlanDocument extends OpenState {
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
  /** Of use of owners what the rest says of keys; absent where versions before alone have folded. */
  owners?: OwnerState;
  /** What is given out to whoever has time for it; see {@link sharesOf}. */
  shares?: SharesState;
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

/** What is done to hours of keys at once, and how far that goes: they are added to sums, or get rows. */
export type Slice =
  /** Up to this place of keys in an hour. */
  | { readonly kind: 'close keys'; readonly to: number }
  /** As versions before do: all keys of an hour, up to this place. */
  | { readonly kind: 'close'; readonly to: Date }
  | { readonly kind: 'count'; readonly to: CountedPlace | null }
  /** Up to this part. */
  | {
      readonly kind: 'settle' | 'merge' | 'settle owners' | 'merge owners' | 'close owners';
      readonly to: number;
    };

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
  /** These dead runs are removed; of owners. */
  buried(runs: readonly number[]): Promise<void>;
  buriedOwners(runs: readonly number[]): Promise<void>;
  /** Of this hour keys' own documents are not told of all uses. */
  leaveUntold(hour: number): Promise<void>;
}

export interface PlanNext
  extends Pick<PlanDocument, 'batches' | 'slice' | 'settling' | 'merging' | 'closed' | 'closing' | 'owners'>,
    Pick<PlanDocument, 'runs' | 'dead' | 'untold' | 'shares'> {
  /** Its number, where it has given out earlier ones. */
  readonly fold?: number;
  /** What a fold brings of keys and of owners, which is then a run of its own of either. */
  readonly brings?: { readonly keys: Omit<Run, 'run'>; readonly owners: Omit<Run, 'run'> };
}

/** Null where it is said no more. */
export type PlanOutcome = Partial<Pick<PlanDocument, 'closed' | 'closed_by' | 'counted' | 'owners'>> &
  OpenChange & { readonly closing?: Closing | null };

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
    async begin(last, { brings, merging, shares = sharesOf(last), ...next }) {
      // Later than any of before, should the plan have been lost.
      const fold = next.fold ?? Math.max(now(), (last?.fold ?? 0) + 1);
      const members = {
        ...{ ...next, fold },
        ...((last?.shares ?? shares.shares[0]) !== undefined && { shares: { ...shares, at: fold } }),
        ...(brings !== undefined && { runs: [...(last?.runs ?? []), { run: fold, ...brings.keys }] }),
        owners: ownersOf(next.owners ?? last?.owners ?? firstOwners(now()), fold, brings?.owners),
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
    async buriedOwners(runs) {
      const update = { $pull: { 'owners.dead': { run: { $in: [...runs] } } } };
      await sessions.write((session) => plans.updateOne({ _id: planId }, update, { session }));
    },
    async leaveUntold(hour) {
      const update = { $max: { untold: new Date(hour) } };
      await sessions.write((session) => plans.updateOne({ _id: planId }, update, { session }));
    },
  };
}

function ownersOf(owners: OwnerState, fold: number, brings: Omit<Run, 'run'> | undefined): OwnerState {
  return brings === undefined
    ? owners
    : { ...owners, runs: [...(owners.runs ?? []), { run: fold, ...brings }] };
}

/**
 * What `read` finds by a plan that holds as long as it reads: what is settled is so at the end as well, and no run that it
 * has looked into is removed. Either is a moment in an hour.
 */
export async function byOnePlan<T>(
  plans: Pick<UsagePlans, 'read'>,
  read: (plan: PlanDocument | null) => Promise<T>,
  stateOf: (plan: PlanDocument | null) => unknown = (plan) => plan?.settled?.getTime(),
  runsOf: (plan: PlanDocument | null) => OpenState | null | undefined = (plan) => plan,
): Promise<T> {
  let plan = await plans.read();
  for (let tries = 1; ; tries++) {
    const found = await read(plan);
    const next = await plans.read();
    const isSame = stateOf(plan) === stateOf(next) && areThere(runsOf(plan), runsOf(next));
    if (isSame || tries === triesMax) return found;
    plan = next;
  }
}

function areThere(before: OpenState | null | undefined, next: OpenState | null | undefined): boolean {
  const there = new Set([...(next?.runs ?? []), ...(next?.dead ?? [])].map(({ run }) => run));
  return (before?.runs ?? []).every(({ run }) => there.has(run));
}

/** How often hours may be settled or closed while they are read; it is a moment every two seconds, for some time in an hour. */
const triesMax = 10;
