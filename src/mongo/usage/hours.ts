import type { AnyBulkWriteOperation, Collection, Db } from 'mongodb';
import type { KeyId } from '../../keys/key.ts';
import type { Reason } from '../../schemes/answer.ts';
import { usageRetentionMs } from '../../store/store.ts';
import { requestsOf, type UsageStore } from '../../store/usage/usage-store.ts';
import { addressesMax, type UsageTally } from '../../store/usage/usage-tally.ts';
import { keysName, usageName } from '../collections.ts';
import { duplicatesOf } from '../errors.ts';
import type { KeyDocument } from '../records/keys/records.ts';
import type { Sessions } from '../sessions.ts';

/** What one key was used for in one hour, in the collection `usage`. */
interface UsageDocument {
  /** The key and the hour, so that a key's hours are one range. */
  _id: string;
  hour: Date;
  allowed: number;
  denied?: Partial<Record<Reason, number>>;
  observed?: Partial<Record<Reason, number>>;
  addresses?: string[];
  last_used_at?: Date;
  /** Absent where only versions before have added to it. */
  owner?: string | null;
  /** The last fold that added to it; absent where only versions before have. */
  fold?: number;
  purge_at: Date;
}

/** What keys were used for, by the hour. */
export interface UsageHours {
  /**
   * Adds these, of a key and an hour one at most, and moves the last use of the keys on. What a fold of this number or
   * a later one has added to already is left as it is: the same fold may be made again, by anybody.
   */
  add(tallies: readonly UsageTally[], fold: number): Promise<void>;
  /** From the hour that holds `since` on, oldest first. */
  get(key: KeyId, since: number): Promise<UsageTally[]>;
  count: UsageStore['countUse'];
}

const hourMs = 3_600_000;

export function createUsageHours(database: Db, sessions: Sessions): UsageHours {
  const usage: Collection<UsageDocument> = database.collection(usageName);
  const keys: Collection<KeyDocument> = database.collection(keysName);

  /** Answers which of them could not be made, since there is such a document that they are not for. */
  const write = (additions: AnyBulkWriteOperation<UsageDocument>[]) =>
    sessions.write((session) => duplicatesOf(usage.bulkWrite(additions, { ordered: false, session })));

  return {
    async add(tallies, fold) {
      if (tallies.length === 0) return;
      // Whoever finds a use counted finds it as the last one.
      const touches = tallies.flatMap(touch);
      if (touches.length > 0) {
        await sessions.write((session) => keys.bulkWrite(touches, { ordered: false, session }));
      }
      const additions = tallies.map((tally) => addition(tally, fold));
      const refused = await write(additions);
      // Made by somebody else at the same moment, or of this fold already.
      if (refused.size > 0) await write(additions.filter((_, place) => refused.has(place)));
    },
    async count(asked, hours) {
      const ids = asked.flatMap((key) => hours.map((hour) => idOf(key, hour)));
      const projection = { hour: 1, allowed: 1, denied: 1, observed: 1 };
      const documents = await sessions.read((read) =>
        usage.find({ _id: { $in: ids } }, { ...read, projection }).toArray(),
      );
      return documents.map(({ _id, hour, allowed, denied = {}, observed = {} }) => ({
        key: _id.slice(0, _id.indexOf(' ')) as KeyId,
        hour: hour.getTime(),
        requests: requestsOf({ allowed, denied, observed }),
      }));
    },
    async get(key, since) {
      // '!' is what comes next after the space in the id.
      const range = { $gte: idOf(key, since - (since % hourMs)), $lt: `${key}!` };
      const documents = await sessions.read((read) =>
        usage.find({ _id: range }, { ...read, sort: { _id: 1 } }).toArray(),
      );
      return documents.map((document) => ({
        key,
        hour: document.hour.getTime(),
        allowed: document.allowed,
        denied: document.denied ?? {},
        observed: document.observed ?? {},
        addresses: document.addresses ?? [],
        lastUsedAt: document.last_used_at?.getTime() ?? null,
      }));
    },
  };
}

function idOf(key: KeyId, hour: number): string {
  return `${key} ${new Date(hour).toISOString()}`;
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
    purge_at: new Date(hour + usageRetentionMs),
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
