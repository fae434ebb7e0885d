import type { AnyBulkWriteOperation, Collection, Db } from 'mongodb';
import type { KeyId } from '../../keys/key.ts';
import type { Reason } from '../../schemes/answer.ts';
import { type CountedUse, requestsOf } from '../../store/usage/usage-store.ts';
import { hourMs } from '../../store/usage/usage-sums.ts';
import { addressesMax, type UsageTally } from '../../store/usage/usage-tally.ts';
import { keysName, usageName } from '../collections.ts';
import { duplicatesOf } from '../errors.ts';
import type { KeyDocument } from '../records/keys/records.ts';
import type { Sessions } from '../sessions.ts';
import { isEmpty } from './packed-tallies.ts';
import { hourId as idOf, placeOf } from './plan-hours.ts';
import { portions } from './portions.ts';

/** What one key was used for in one hour, in the collection `usage`. */
export interface UsageDocument {
  /** The key and the hour, so that a key's hours are one range; what was open has one of its own. */
  _id: string;
  hour: Date;
  allowed: number;
  denied?: Partial<Record<Reason, number>>;
  observed?: Partial<Record<Reason, number>>;
  addresses?: string[];
  last_used_at?: Date;
  /** Absent where only versions before have added to it. */
  owner?: string | null;
  /** The last fold that added to it; absent where only versions before have, and of what was open. */
  fold?: number;
  /** Of what was open, and is never changed. It counts from when the plan says that the hour is settled. */
  was_open?: true;
  /** Its place among all, see {@link placeOf}; by versions before the hour's own. */
  purge_at: Date;
}

/** What keys were used for, by the hour. */
export interface UsageHours {
  /** Moves the last use of these keys on. */
  touch(tallies: readonly UsageTally[]): Promise<void>;
  /**
   * Adds these, of a key and an hour one at most. What a fold of this number or a later one has added to already is left
   * as it is: the same fold may be made again, by anybody.
   */
  add(tallies: readonly UsageTally[], fold: number): Promise<void>;
  /** All that was open of keys in hours that are over: once, whoever does it and however often. */
  settle(tallies: readonly UsageTally[]): Promise<void>;
  /** From the hour that holds `since` on, oldest first, of one hour several; of those that are not settled what was not open. */
  get(key: KeyId, since: number, settled: number): Promise<UsageTally[]>;
  /** The same. */
  count(keys: readonly KeyId[], hours: readonly number[], settled: number): Promise<CountedUse[]>;
  /** When these keys were used last, of hours from that one on. */
  lastUses(keys: readonly KeyId[], from: number): Promise<Map<KeyId, number>>;
}

/** Keys in one read. */
const keysAtOnce = 200;

export function createUsageHours(database: Db, sessions: Sessions): UsageHours {
  const usage: Collection<UsageDocument> = database.collection(usageName);
  const keys: Collection<KeyDocument> = database.collection(keysName);

  /** Answers which of them could not be made, since there is such a document that they are not for. */
  const write = (additions: AnyBulkWriteOperation<UsageDocument>[]) =>
    sessions.write((session) => duplicatesOf(usage.bulkWrite(additions, { ordered: false, session })));

  return {
    async touch(tallies) {
      const touches = tallies.flatMap(touch);
      if (touches.length > 0) {
        await sessions.write((session) => keys.bulkWrite(touches, { ordered: false, session }));
      }
    },
    async add(tallies, fold) {
      if (tallies.length === 0) return;
      const additions = tallies.map((tally) => addition(tally, fold));
      const refused = await write(additions);
      // Made by somebody else at the same moment, or of this fold already.
      if (refused.size > 0) await write(additions.filter((_, place) => refused.has(place)));
    },
    async settle(tallies) {
      if (tallies.length === 0) return;
      const rows = tallies.map(settledRow);
      // Those that are there already are the same.
      await sessions.write((session) => duplicatesOf(usage.insertMany(rows, { ordered: false, session })));
    },
    async count(asked, hours, settled) {
      const ids = asked.flatMap((key) =>
        hours.flatMap((hour) => [idOf(key, hour), ...(hour < settled ? [settledId(key, hour)] : [])]),
      );
      const projection = { hour: 1, allowed: 1, denied: 1, observed: 1 };
      const documents = await sessions.read((read) =>
        usage.find({ _id: { $in: ids } }, { ...read, projection }).toArray(),
      );
      return documents.map(({ _id, hour, allowed, denied = {}, observed = {} }) => ({
        key: keyOf(_id),
        hour: hour.getTime(),
        requests: requestsOf({ allowed, denied, observed }),
      }));
    },
    async get(key, since, settled) {
      // '!' is what comes next after the space in the id.
      const range = { $gte: idOf(key, since - (since % hourMs)), $lt: `${key}!` };
      const documents = await sessions.read((read) =>
        usage.find({ _id: range }, { ...read, sort: { _id: 1 } }).toArray(),
      );
      return documents
        .filter(({ was_open, hour }) => was_open === undefined || hour.getTime() < settled)
        .map(toTally);
    },
    async lastUses(asked, from) {
      const uses = new Map<KeyId, number>();
      for (const some of portions(asked, keysAtOnce)) {
        const ranges = some.map((key) => ({ _id: { $gte: idOf(key, from), $lt: `${key}!` } }));
        const options = { projection: { last_used_at: 1 } } as const;
        const found = await sessions.read((read) =>
          usage.find({ $or: ranges }, { ...read, ...options }).toArray(),
        );
        for (const { _id, last_used_at } of found) {
          const key = keyOf(_id);
          if (last_used_at) uses.set(key, Math.max(last_used_at.getTime(), uses.get(key) ?? 0));
        }
      }
      return uses;
    },
  };
}

export function toTally(document: UsageDocument): UsageTally {
  return {
    key: keyOf(document._id),
    hour: document.hour.getTime(),
    allowed: document.allowed,
    denied: document.denied ?? {},
    observed: document.observed ?? {},
    addresses: document.addresses ?? [],
    lastUsedAt: document.last_used_at?.getTime() ?? null,
  };
}

function keyOf(id: string): KeyId {
  return id.slice(0, id.indexOf(' ')) as KeyId;
}

function settledId(key: KeyId, hour: number): string {
  return `${idOf(key, hour)} open`;
}

function settledRow(tally: UsageTally): UsageDocument {
  const { key, hour, allowed, denied, observed, addresses, lastUsedAt, about } = tally;
  return {
    ...{ _id: settledId(key, hour), hour: new Date(hour), purge_at: new Date(placeOf(key, hour)) },
    ...{ allowed, owner: about?.owner ?? null, was_open: true },
    ...(!isEmpty(denied) && { denied }),
    ...(!isEmpty(observed) && { observed }),
    ...(addresses.length > 0 && { addresses: [...addresses] }),
    ...(lastUsedAt !== null && { last_used_at: new Date(lastUsedAt) }),
  };
}

function addition(tally: UsageTally, fold: number): AnyBulkWriteOperation<UsageDocument> {
  const { key, hour, allowed, addresses, lastUsedAt, about } = tally;
  const plus = (field: string, count: number) => ({ $add: [{ $ifNull: [`$${field}`, 0] }, count] });
  const counts = (['denied', 'observed'] as const).flatMap((kind) =>
    Object.entries(tally[kind]).map(([reason, count]) => [
      `${kind}.${reason}`,
      plus(`${kind}.${reason}`, count),
    ]),
  );
  const union = {
    $setUnion: [{ $ifNull: ['$addresses', []] }, addresses.map((address) => ({ $literal: address }))],
  };
  const members = {
    hour: new Date(hour),
    purge_at: { $ifNull: ['$purge_at', new Date(placeOf(key, hour))] },
    allowed: plus('allowed', allowed),
    ...Object.fromEntries(counts),
    ...(addresses.length > 0 && { addresses: { $slice: [union, addressesMax] } }),
    fold,
    ...(about !== undefined && { owner: { $literal: about.owner } }),
    ...(lastUsedAt !== null && { last_used_at: { $max: ['$last_used_at', new Date(lastUsedAt)] } }),
  };
  const filter = { _id: idOf(key, hour), fold: { $not: { $gte: fold } } };
  return { updateOne: { filter, update: [{ $set: members }], upsert: true } };
}

function touch({ key, lastUsedAt }: UsageTally): AnyBulkWriteOperation<KeyDocument>[] {
  if (lastUsedAt === null) return [];
  const update = { $max: { last_used_at: new Date(lastUsedAt) } };
  return [{ updateOne: { filter: { _id: key }, update } }];
}
