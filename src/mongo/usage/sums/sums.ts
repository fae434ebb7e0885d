import { setImmediate } from 'node:timers/promises';
import type { AnyBulkWriteOperation, Collection, Db } from 'mongodb';
import type { KeyId } from '../../../keys/key.ts';
import { addReasons } from '../../../store/usage/usage-ranking.ts';
import { startOf, usageUnits } from '../../../store/usage/usage-sums.ts';
import {
  aboutPlaces,
  type UsageAbout,
  type UsageTally,
  type Writable,
} from '../../../store/usage/usage-tally.ts';
import { keysName, ownersName, usageSumsName } from '../../collections.ts';
import { duplicatesOf } from '../../errors.ts';
import type { KeyDocument } from '../../records/keys/records.ts';
import type { OwnerDocument } from '../../records/owners.ts';
import type { Sessions } from '../../sessions.ts';
import { aboutOf } from '../open/open-rows.ts';
import { portions } from '../portions.ts';
import { addition, closedSum, type Sum, type SumDocument, sumId } from './sum-documents.ts';

/** A tally that says what the key was. */
export type KnownTally = UsageTally & { readonly about: UsageAbout };

/** What keys were used for, by what they were. */
export interface UsageSums {
  /** Those that do not say what the key was get what it is now. */
  resolve(tallies: readonly UsageTally[]): Promise<KnownTally[]>;
  /** Adds these to the days and months of their keys, once for a fold of this number, whoever makes it and however often. */
  addToKeys(tallies: readonly KnownTally[], fold: number): Promise<void>;
  /** The same of what {@link byAbout} gives, to the sums of all, and to those of owners but for what is in rows of theirs. */
  addToOwners(
    tallies: readonly KnownTally[],
    fold: number,
    isInRows?: (tally: KnownTally) => boolean,
  ): Promise<void>;
  /**
   * Adds to the days and months of keys whole hours, which are closed by it, as often. Days and months that begin at `newFrom`
   * or later are taken for new ones, which costs a tenth of what an addition does, and is none the worse where they are not.
   */
  close(tallies: readonly KnownTally[], fold: number, newFrom?: number): Promise<void>;
}

const nothing = aboutOf(null);
/** Sums in one write, and keys in one read. */
const atOnce = 500;
/** Tallies that are added up in one turn of the event loop. */
const turnSize = 5_000;

export function createUsageSums(database: Db, sessions: Sessions): UsageSums {
  const sums: Collection<SumDocument> = database.collection(usageSumsName);
  const keys: Collection<KeyDocument> = database.collection(keysName);
  const owners: Collection<OwnerDocument> = database.collection(ownersName);

  const write = (additions: readonly AnyBulkWriteOperation<SumDocument>[]) =>
    sessions.write((session) => duplicatesOf(sums.bulkWrite(additions, { ordered: false, session })));

  /** What these keys are now. */
  async function readAbouts(ids: readonly KeyId[]): Promise<Map<KeyId, UsageAbout>> {
    const projection = { owner: 1, plan: 1, scheme: 1, environment: 1 };
    const found = await sessions.read((read) =>
      keys.find({ _id: { $in: [...ids] } }, { ...read, projection }).toArray(),
    );
    const named = new Set(found.flatMap(({ owner, plan }) => (plan == null && owner != null ? [owner] : [])));
    const owned = await sessions.read((read) =>
      owners.find({ _id: { $in: [...named] } }, { ...read, projection: { plan: 1 } }).toArray(),
    );
    const plans = new Map(owned.map(({ _id, plan }) => [_id, plan]));
    return new Map(
      found.map(({ _id, owner, plan, scheme, environment }) => {
        const held = plan ?? plans.get(owner ?? '') ?? null;
        return [_id as KeyId, { owner: owner ?? null, plan: held, scheme, environment }];
      }),
    );
  }

  return {
    async resolve(tallies) {
      const unknown = [...new Set(tallies.flatMap(({ key, about }) => (about === undefined ? [key] : [])))];
      const abouts = new Map<KeyId, UsageAbout>();
      for (const some of portions(unknown, atOnce)) {
        for (const [key, about] of await readAbouts(some)) abouts.set(key, about);
      }
      return tallies.map((tally) =>
        isKnown(tally) ? tally : { ...tally, about: abouts.get(tally.key) ?? nothing },
      );
    },
    async addToKeys(tallies, fold) {
      const sums = new Map<string, Sum>();
      for (const tally of tallies) addToKeys(sums, tally);
      await writeAll([...sums].map(([id, sum]) => addition(id, sum, fold, false)));
    },
    async addToOwners(tallies, fold, isInRows = () => false) {
      const sums = new Map<string, Sum>();
      for (const tally of tallies) if (!isInRows(tally)) addToLevel(sums, 'owner', tally);
      // There may be as many owners as keys, and there are few kinds of keys: what names a sum is made once for each.
      for (const tally of await byAbout(withoutOwners(tallies))) addToLevel(sums, 'all', tally);
      await writeAll([...sums].map(([id, sum]) => addition(id, sum, fold, false)));
    },
    async close(tallies, fold, newFrom = Number.POSITIVE_INFINITY) {
      const sums = new Map<string, Sum>();
      for (const tally of tallies) addToKeys(sums, tally);
      const known = await makeNew(
        [...sums].filter(([, { start }]) => start >= newFrom),
        fold,
      );
      const others = [...[...sums].filter(([, { start }]) => start < newFrom), ...known];
      await writeAll(others.map(([id, sum]) => addition(id, sum, fold, true)));
    },
  };

  /** Answers those that are there already. */
  async function makeNew(
    all: readonly (readonly [id: string, sum: Sum])[],
    fold: number,
  ): Promise<(readonly [id: string, sum: Sum])[]> {
    const known: (readonly [id: string, sum: Sum])[] = [];
    for (const some of portions(all, atOnce)) {
      const documents = some.map(([id, sum]) => closedSum(id, sum, fold));
      const refused = await sessions.write((session) =>
        duplicatesOf(sums.insertMany(documents, { ordered: false, session })),
      );
      known.push(...some.filter((_, place) => refused.has(place)));
    }
    return known;
  }

  async function writeAll(additions: AnyBulkWriteOperation<SumDocument>[]): Promise<void> {
    for (const some of portions(additions, atOnce)) {
      const refused = await write(some);
      // Made by somebody else at the same moment, or of this fold already.
      if (refused.size > 0) await write(some.filter((_, place) => refused.has(place)));
    }
  }
}

function isKnown(tally: UsageTally): tally is KnownTally {
  return tally.about !== undefined;
}

/** Hours of keys have documents of their own. */
function addToKeys(sums: Map<string, Sum>, tally: KnownTally): void {
  const { key, hour, about } = tally;
  const { owner } = about;
  for (const unit of ['day', 'month'] as const) {
    const start = startOf(unit, hour);
    addTo(sums, sumId('key', unit, start, owner, key), { unit, start, owner, key }, tally);
  }
}

/** One tally for all keys that were the same, in an hour: tens of thousands of keys have few owners together. */
export async function byAbout(tallies: readonly KnownTally[]): Promise<KnownTally[]> {
  const found = new Map<UsageAbout, Map<number, Writable<KnownTally>>>();
  for (const [at, tally] of tallies.entries()) {
    if (at % turnSize === turnSize - 1) await setImmediate();
    const { about, hour } = tally;
    const hours = found.get(about) ?? new Map<number, Writable<KnownTally>>();
    if (hours.size === 0) found.set(about, hours);
    const sum = hours.get(hour);
    if (sum === undefined) {
      hours.set(hour, { ...tally });
      continue;
    }
    sum.allowed += tally.allowed;
    sum.denied = addReasons(sum.denied, tally.denied);
    sum.observed = addReasons(sum.observed, tally.observed);
  }
  return [...found.values()].flatMap((hours) => [...hours.values()]);
}

/** As of nobody's keys: the same object for all that were the same. */
export function withoutOwners(tallies: readonly KnownTally[]): KnownTally[] {
  const kinds: UsageAbout[] = [];
  const placeOf = aboutPlaces((kind) => kinds.push(kind ?? nothing) - 1);
  return tallies.map((tally) => {
    const about = kinds[placeOf({ ...tally.about, owner: null })] ?? nothing;
    return { ...tally, about };
  });
}

function addToLevel(sums: Map<string, Sum>, level: 'owner' | 'all', { about, ...tally }: KnownTally): void {
  const { plan, scheme, environment } = about;
  const owner = level === 'owner' ? about.owner : null;
  const item = JSON.stringify([plan, scheme, environment]);
  for (const unit of usageUnits) {
    const start = startOf(unit, tally.hour);
    const what = { unit, start, owner, plan, scheme, environment };
    addTo(sums, sumId(level, unit, start, owner, item), what, tally);
  }
}

function addTo(
  sums: Map<string, Sum>,
  id: string,
  what: Omit<Sum, 'allowed' | 'denied' | 'observed'>,
  { allowed, denied, observed }: Pick<UsageTally, 'allowed' | 'denied' | 'observed'>,
): void {
  const sum = sums.get(id);
  if (sum === undefined) {
    sums.set(id, { ...what, allowed, denied, observed });
    return;
  }
  sum.allowed += allowed;
  sum.denied = addReasons(sum.denied, denied);
  sum.observed = addReasons(sum.observed, observed);
}
