import { changeDraft, type Origin } from '../journal/journal.ts';
import { createKeyIds, type KeyRecord } from '../keys/key.ts';
import type { Digest } from '../keys/secret.ts';
import type { Store } from '../store/store.ts';
import { giveWay } from '../time/yield-to-others.ts';

/** What a key that was made elsewhere is to be; the rest of the record follows from it. */
export type ImportedKey = Pick<
  KeyRecord,
  | 'digest'
  | 'name'
  | 'scheme'
  | 'environment'
  | 'prefix'
  | 'last4'
  | 'owner'
  | 'permissions'
  | 'ipAllowlist'
  | 'plan'
  | 'rateLimit'
  | 'labels'
  | 'expiresAt'
> & {
  readonly isDisabled: boolean;
  /** Every digest that its secret may be stored under, as far as it is known, `digest` among them. */
  readonly candidates: readonly Digest[];
};

export interface KeyImportDependencies {
  readonly store: Pick<Store, 'insertsAtOnce' | 'insertKeys' | 'findDigests'>;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly retentionMs: number;
}

/**
 * Takes in keys that were made elsewhere and answers the places of those that were not, since the same key is there
 * already or among those before. A dry run only answers that. As many go in at once as hold up the thread for some
 * milliseconds; each time one entry of the journal says how many, so that none is there without. Where it rejects,
 * some may be in: to be tried again, when they are answered as being there.
 */
export type ImportKeys = (
  keys: readonly ImportedKey[],
  origin: Origin,
  options: { readonly isDryRun: boolean },
) => Promise<readonly number[]>;

export function createKeyImport({ store, now, retentionMs }: KeyImportDependencies): ImportKeys {
  const nextId = createKeyIds(now);

  return async (keys, origin, { isDryRun }) => {
    const duplicates = repeated(keys);
    for (let start = 0; start < keys.length; start += store.insertsAtOnce) {
      const end = Math.min(start + store.insertsAtOnce, keys.length);
      const places = range(start, end).filter((place) => !duplicates.has(place));
      const taken = await takenAmong(keys, places, isDryRun);
      for (const place of taken) duplicates.add(place);
      const free = places.filter((place) => !taken.has(place));
      if (!isDryRun) for (const place of await insert(keys, free, origin)) duplicates.add(place);
      await giveWay();
    }
    return [...duplicates].toSorted((one, other) => one - other);
  };

  /** Those that the store has: under the digest they would get, as an insert finds out by itself, or another. */
  async function takenAmong(
    keys: readonly ImportedKey[],
    places: readonly number[],
    isDryRun: boolean,
  ): Promise<ReadonlySet<number>> {
    const asked = places.map((place) => {
      const { digest, candidates } = at(keys, place);
      return { place, digests: isDryRun ? candidates : candidates.filter((one) => one !== digest) };
    });
    const digests = asked.flatMap((one) => one.digests);
    const known = digests.length === 0 ? new Set<Digest>() : await store.findDigests(digests);
    return new Set(
      asked.filter((one) => one.digests.some((digest) => known.has(digest))).map((one) => one.place),
    );
  }

  async function insert(
    keys: readonly ImportedKey[],
    places: readonly number[],
    origin: Origin,
  ): Promise<number[]> {
    if (places.length === 0) return [];
    const records = places.map((place) => recordOf(at(keys, place), origin.actor));
    const owners = new Set(records.map(({ owner }) => owner));
    const owner = owners.size === 1 ? (records[0]?.owner ?? null) : null;
    const taken = await store.insertKeys(records, retentionMs, (imported) =>
      changeDraft(origin, { target: null, owner, before: null, after: { imported } }),
    );
    return taken.flatMap((place) => places[place] ?? []);
  }

  function recordOf({ candidates: _, isDisabled, ...members }: ImportedKey, by: string | null): KeyRecord {
    const [id, at] = [nextId(), now()];
    return {
      ...members,
      id,
      createdAt: at,
      updatedAt: at,
      lastUsedAt: null,
      disabledAt: isDisabled ? at : null,
      revokedAt: null,
      rotatedFrom: null,
      rotatedTo: null,
      spender: id,
      createdBy: by,
      importId: null,
      requestKey: null,
      version: 1,
    };
  }
}

/** The places of keys of which the same is among those before, by any digest of it. */
function repeated(keys: readonly ImportedKey[]): Set<number> {
  const seen = new Set<Digest>();
  const places = new Set<number>();
  for (const [place, { candidates }] of keys.entries()) {
    if (candidates.some((digest) => seen.has(digest))) places.add(place);
    for (const digest of candidates) seen.add(digest);
  }
  return places;
}

function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, place) => start + place);
}

function at(keys: readonly ImportedKey[], place: number): ImportedKey {
  const key = keys[place];
  if (key === undefined) throw new RangeError('no key at this place');
  return key;
}
