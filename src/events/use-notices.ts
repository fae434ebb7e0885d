import { LRUCache } from 'lru-cache';
import { Sieve } from '../cache/bounded-cache.ts';
import type { JournalDraft } from '../journal/journal.ts';
import type { AddressUse } from '../journal/journal-store.ts';
import type { KeyId, KeyRecord } from '../keys/key.ts';
import { BadRecord, type Store } from '../store/store.ts';
import type { UsageTally } from '../store/usage-tally.ts';
import { formatTime } from '../time/time.ts';
import { noticeDraft } from './notice.ts';

export interface UseNoticesOptions {
  /** Keys of which one address is known to be no news, so that the store is not asked of it again. Default 200 000. */
  readonly keysMax?: number;
  /** Uses from other addresses than that one, and denials, that are known to be no news. Default 50 000. */
  readonly knownMax?: number;
}

/** Uses in one question to the store, which SQLite answers while all else waits. */
const usesMax = 500;

/**
 * Sees from what is written of the use of keys what an operator wants to hear of, and journals it: a key that came
 * from a new address, once for each, and one that was denied for its permissions, once an hour. Never rejects: what
 * could not be journalled is looked at again with the next use.
 */
export function createUseNotices(
  dependencies: {
    readonly store: Pick<Store, 'noteAddresses' | 'getKey' | 'appendJournal'>;
    readonly onError: (error: unknown) => void;
  },
  { keysMax = 200_000, knownMax = 50_000 }: UseNoticesOptions = {},
): (tallies: readonly UsageTally[]) => Promise<void> {
  const { store, onError } = dependencies;
  /** Most keys have one address, and it is found without making a name: 0.2 µs for 4. */
  const firstOf = new Sieve<KeyId, string>(keysMax);
  const known = new LRUCache<string, true>({ max: knownMax });

  return async (tallies) => {
    try {
      const uses = tallies.flatMap(newsOf);
      for (let start = 0; start < uses.length; start += usesMax) {
        await noteAddresses(uses.slice(start, start + usesMax));
      }
      await noteDenials(tallies.filter((tally) => isDenied(tally) && !known.has(denialOf(tally))));
    } catch (error) {
      onError(error);
    }
  };

  function newsOf({ key, addresses }: UsageTally): AddressUse[] {
    const first = firstOf.get(key);
    return addresses
      .filter((address) => address !== first && !known.has(nameOf({ key, address })))
      .map((address) => ({ key, address }));
  }

  async function noteAddresses(uses: readonly AddressUse[]): Promise<void> {
    const fresh = await store.noteAddresses(uses);
    await append(fresh, ({ key, address }, record) =>
      noticeDraft('NewAddress', {
        ...{ key: record, address },
        after: { name: record.name, address },
        once: `address ${key} ${address}`,
      }),
    );
    for (const use of uses) {
      if (firstOf.get(use.key) === undefined) firstOf.set(use.key, use.address);
      else known.set(nameOf(use), true);
    }
  }

  async function noteDenials(tallies: readonly UsageTally[]): Promise<void> {
    await append(tallies, (tally, record) =>
      noticeDraft('PermissionDenied', {
        ...{ key: record, address: tally.addresses.length === 1 ? tally.addresses[0] : undefined },
        after: { name: record.name, hour: formatTime(tally.hour), addresses: tally.addresses },
        once: denialOf(tally),
      }),
    );
    for (const tally of tallies) known.set(denialOf(tally), true);
  }

  async function append<T extends { readonly key: KeyId }>(
    about: readonly T[],
    draftOf: (one: T, key: KeyRecord) => JournalDraft,
  ): Promise<void> {
    const drafts: JournalDraft[] = [];
    for (const one of about) {
      const key = await find(one.key);
      if (key !== null) drafts.push(draftOf(one, key));
    }
    if (drafts.length > 0) await store.appendJournal(drafts);
  }

  async function find(id: KeyId): Promise<KeyRecord | null> {
    try {
      return await store.getKey(id);
    } catch (error) {
      if (error instanceof BadRecord) return null;
      throw error;
    }
  }
}

function nameOf({ key, address }: AddressUse): string {
  return `${key} ${address}`;
}

function isDenied({ denied }: UsageTally): boolean {
  return (denied.permission_denied ?? 0) > 0;
}

function denialOf({ key, hour }: UsageTally): string {
  return `permission ${key} ${hour}`;
}
