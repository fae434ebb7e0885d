import type { AnyBulkWriteOperation, Collection, Db } from 'mongodb';
import type { KeyId } from '../../keys/key.ts';
import type { Reason } from '../../schemes/answer.ts';
import { usageRetentionMs } from '../../store/store.ts';
import { addressesMax, type UsageTally } from '../../store/usage-tally.ts';
import { keysName, usageName } from '../collections.ts';
import type { Sessions } from '../sessions.ts';
import type { KeyDocument } from './records.ts';

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
  purge_at: Date;
}

/** What keys were used for. */
export interface UsageCollection {
  record(tallies: readonly UsageTally[]): Promise<void>;
  /** From the hour that holds `since` on, oldest first. */
  get(key: KeyId, since: number): Promise<UsageTally[]>;
}

const hourMs = 3_600_000;

export function createUsageCollection(database: Db, sessions: Sessions): UsageCollection {
  const usage: Collection<UsageDocument> = database.collection(usageName);
  const keys: Collection<KeyDocument> = database.collection(keysName);

  return {
    async record(tallies) {
      if (tallies.length === 0) return;
      const touches = tallies.flatMap(touch);
      await sessions.write(async (session) => {
        await usage.bulkWrite(tallies.map(addition), { ordered: false, session });
        if (touches.length > 0) await keys.bulkWrite(touches, { ordered: false, session });
      });
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

function addition(tally: UsageTally): AnyBulkWriteOperation<UsageDocument> {
  const { key, hour, allowed, addresses, lastUsedAt } = tally;
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
    addresses: { $slice: [union, addressesMax] },
    ...(lastUsedAt !== null && { last_used_at: { $max: ['$last_used_at', new Date(lastUsedAt)] } }),
  };
  return { updateOne: { filter: { _id: idOf(key, hour) }, update: [{ $set: members }], upsert: true } };
}

function touch({ key, lastUsedAt }: UsageTally): AnyBulkWriteOperation<KeyDocument>[] {
  if (lastUsedAt === null) return [];
  const update = { $max: { last_used_at: new Date(lastUsedAt) } };
  return [{ updateOne: { filter: { _id: key }, update } }];
}
