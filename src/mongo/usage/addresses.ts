import { randomUUID } from 'node:crypto';
import type { AnyBulkWriteOperation, Collection, Db } from 'mongodb';
import { type AddressUse, type JournalStore, keyAddressesMax } from '../../journal/journal-store.ts';
import type { KeyId } from '../../keys/key.ts';
import { usageRetentionMs } from '../../store/store.ts';
import { addressesName } from '../collections.ts';
import { duplicatesOf } from '../errors.ts';
import type { Sessions } from '../sessions.ts';

/** The addresses that a key was used from, in the collection `addresses`. */
interface AddressDocument {
  /** The key. */
  _id: string;
  /** In the order of their first use, at most {@link keyAddressesMax}. */
  addresses: readonly string[];
  /** By whom they were added last, and how many there were before; at most {@link additionsMax}. */
  additions?: readonly { readonly by: string; readonly before: number }[];
  /** A TTL index removes the document at this time, which moves on while the key is used. */
  purge_at: Date;
}

/** Where keys are used from. */
export type AddressCollection = Pick<JournalStore, 'noteAddresses'>;

/** A key and the addresses that it was used from, each once. */
type Used = readonly [key: KeyId, addresses: readonly string[]];

/** Far more than add to one key between a write and the read that follows it. */
const additionsMax = 16;

export function createAddressCollection(
  database: Db,
  sessions: Sessions,
  now: () => number,
): AddressCollection {
  const known: Collection<AddressDocument> = database.collection(addressesName);
  const purgeAt = () => new Date(now() + usageRetentionMs);

  async function find(keys: readonly KeyId[]): Promise<Map<string, AddressDocument>> {
    const documents = await sessions.read((read) => known.find({ _id: { $in: [...keys] } }, read).toArray());
    return new Map(documents.map((document) => [document._id, document]));
  }

  /** Keeps what is known of keys that are still used; once in half the retention is enough. */
  async function keep(documents: Iterable<AddressDocument>): Promise<void> {
    const soon = now() + usageRetentionMs / 2;
    const ids = [...documents].filter(({ purge_at }) => purge_at.getTime() < soon).map(({ _id }) => _id);
    if (ids.length === 0) return;
    await sessions.write((session) =>
      known.updateMany({ _id: { $in: ids } }, { $set: { purge_at: purgeAt() } }, { session }),
    );
  }

  /** Begins with keys of which nothing was known; answers those that another replica has begun with meanwhile. */
  async function begin(used: readonly Used[]): Promise<readonly Used[]> {
    if (used.length === 0) return [];
    const documents = used.map(([key, addresses]) => ({
      _id: key,
      addresses: addresses.slice(0, keyAddressesMax),
      purge_at: purgeAt(),
    }));
    const taken = await sessions.write((session) =>
      duplicatesOf(known.insertMany(documents, { ordered: false, session })),
    );
    return used.filter((_, index) => taken.has(index));
  }

  /** Adds what is new, and answers it: once, whoever adds at the same time. */
  async function add(used: readonly Used[]): Promise<AddressUse[]> {
    if (used.length === 0) return [];
    const by = randomUUID();
    await sessions.write((session) =>
      known.bulkWrite(
        used.map((one) => addition(one, by, purgeAt())),
        { ordered: false, session },
      ),
    );
    const documents = await find(used.map(([key]) => key));
    return used.flatMap((one) => {
      const { addresses = [], additions = [] } = documents.get(one[0]) ?? {};
      const mine = additions.find((each) => each.by === by);
      return mine === undefined ? [] : news(one, addresses.slice(0, mine.before));
    });
  }

  return {
    async noteAddresses(uses) {
      const all = usedOf(uses);
      const documents = await find(all.map(([key]) => key));
      await keep(documents.values());
      const unknown = all.filter(([key]) => !documents.has(key));
      const grown = all.filter((used) => {
        const before = documents.get(used[0])?.addresses;
        return before !== undefined && news(used, before).length > 0;
      });
      const late = await begin(unknown);
      const begun = unknown.filter((used) => !late.includes(used));
      const found = begun.flatMap((used) => news(used, []));
      return [...found, ...(await add([...grown, ...late]))];
    },
  };
}

/** What is appended, and nothing else: whoever knows how many there were before knows which. */
function addition(
  [key, addresses]: Used,
  by: string,
  purge_at: Date,
): AnyBulkWriteOperation<AddressDocument> {
  const isNew = { $not: { $in: ['$$this', '$addresses'] } };
  const added = { $filter: { input: addresses.map((address) => ({ $literal: address })), cond: isNew } };
  const before = { $size: '$addresses' };
  // Who adds nothing leaves no trace: many that come at once do not push each other out.
  const mine = { $cond: [{ $eq: [added, []] }, [], [{ by, before }]] };
  const additions = [{ $ifNull: ['$additions', []] }, mine];
  const members = {
    addresses: { $slice: [{ $concatArrays: ['$addresses', added] }, keyAddressesMax] },
    additions: { $slice: [{ $concatArrays: additions }, -additionsMax] },
    purge_at,
  };
  return { updateOne: { filter: { _id: key }, update: [{ $set: members }] } };
}

function usedOf(uses: readonly AddressUse[]): readonly Used[] {
  const used = new Map<KeyId, Set<string>>();
  for (const { key, address } of uses) used.set(key, (used.get(key) ?? new Set()).add(address));
  return [...used].map(([key, addresses]) => [key, [...addresses]]);
}

/** What is new, one address after another: the very first that a key has is not. */
function news([key, addresses]: Used, before: readonly string[]): AddressUse[] {
  return addresses
    .filter((address) => !before.includes(address))
    .slice(0, Math.max(keyAddressesMax - before.length, 0))
    .slice(before.length === 0 ? 1 : 0)
    .map((address) => ({ key, address }));
}
