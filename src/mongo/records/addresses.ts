import type { Collection, Db } from 'mongodb';
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
  /** A TTL index removes the document at this time, which moves on while the key is used. */
  purge_at: Date;
}

/** Where keys are used from. */
export type AddressCollection = Pick<JournalStore, 'noteAddresses'>;

/** A key and the addresses that it was used from, each once. */
type Used = readonly [key: KeyId, addresses: readonly string[]];

/** Updates that are under way at once. There are few: a key that is known seldom comes from somewhere new. */
const updatesMax = 16;

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

  /** Adds what is new, and answers it. */
  async function add([key, addresses]: Used): Promise<AddressUse[]> {
    const there = { $ifNull: ['$addresses', []] };
    const isNew = { $not: { $in: ['$$this', there] } };
    const added = { $filter: { input: addresses.map((address) => ({ $literal: address })), cond: isNew } };
    const members = {
      addresses: { $slice: [{ $concatArrays: [there, added] }, keyAddressesMax] },
      purge_at: purgeAt(),
    };
    const options = { upsert: true, returnDocument: 'before' } as const;
    const before = await sessions.write((session) =>
      known.findOneAndUpdate({ _id: key }, [{ $set: members }], { ...options, session }),
    );
    return news([key, addresses], before?.addresses ?? []);
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
      const rest = [...grown, ...late];
      while (rest.length > 0) found.push(...(await Promise.all(rest.splice(0, updatesMax).map(add))).flat());
      return found;
    },
  };
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
