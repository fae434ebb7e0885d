import { changeDraft, type Origin } from '../journal/journal.ts';
import { createKeyIds, type KeyRecord } from '../keys/key.ts';
import type { Digest } from '../keys/secret.ts';
import type { OwnedExternalId } from '../store/records/key-filter.ts';
import type { Store } from '../store/store.ts';
import { yieldToOthers } from '../time/yield-to-others.ts';

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
  | 'roles'
  | 'ipAllowlist'
  | 'principals'
  | 'plan'
  | 'rateLimits'
  | 'labels'
  | 'externalId'
  | 'expiresAt'
> & {
  readonly isDisabled: boolean;
  /** Every digest that its secret may be stored under, as far as it is known, `digest` among them. */
  readonly candidates: readonly Digest[];
};

export interface KeyImportDependencies {
  readonly store: Pick<
    Store,
    'insertsAtOnce' | 'digestsAtOnce' | 'insertKeys' | 'findDigests' | 'findExternalIds' | 'appendJournal'
  >;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly retentionMs: number;
}

/**
 * Takes in keys that were made elsewhere and answers the places of those that were not, since the same key, or another
 * by the same external id, is there already or among those before. A dry run only answers that. As many go in at once as hold up the thread for some
 * milliseconds. One entry of the journal says how many they are in all; it goes in with the first of them, so that none
 * is there without, and each key names it. Where fewer come to be there, a second entry says how many are missing, but
 * for a process that ends in the middle. Where it rejects, some may be in: to be tried again, when they are answered
 * as being there.
 */
export type ImportKeys = (
  keys: readonly ImportedKey[],
  origin: Origin,
  options: { readonly isDryRun: boolean },
) => Promise<NotImported>;

/** By their places, in order; none is in both. */
export interface NotImported {
  readonly duplicates: readonly number[];
  /** Their external id is that of another key of the same owner. */
  readonly taken: readonly number[];
}

export function createKeyImport({ store, now, retentionMs }: KeyImportDependencies): ImportKeys {
  const nextId = createKeyIds(now);

  return async (keys, origin, { isDryRun }) => {
    const duplicates = repeated(keys);
    const asked = range(0, keys.length).filter((place) => !duplicates.has(place));
    // A key has a digest for each pepper.
    const perKey = Math.max(1, ...asked.map((place) => at(keys, place).candidates.length));
    for (const places of batches(asked, Math.ceil(store.digestsAtOnce / perKey))) {
      for (const place of await takenAmong(keys, places)) duplicates.add(place);
      await yieldToOthers();
    }
    const others = range(0, keys.length).filter((place) => !duplicates.has(place));
    const taken = await namedAsOthers(keys, others);
    const free = others.filter((place) => !taken.has(place));
    if (!isDryRun) for (const place of await insertAll(keys, free, origin)) duplicates.add(place);
    return { duplicates: inOrder(duplicates), taken: inOrder(taken) };
  };

  /** Those whose external id another key of the same owner has, there or among those before. */
  async function namedAsOthers(
    keys: readonly ImportedKey[],
    places: readonly number[],
  ): Promise<ReadonlySet<number>> {
    const seen = new Set<string>();
    const taken = new Set<number>();
    for (const batch of batches(places.filter((place) => at(keys, place).externalId !== null))) {
      const asked = batch.map((place) => at(keys, place) as OwnedExternalId);
      const held = await store.findExternalIds(asked);
      for (const [index, { owner, externalId }] of asked.entries()) {
        const name = JSON.stringify([owner, externalId]);
        if (held.has(index) || seen.has(name)) taken.add(batch[index] ?? -1);
        seen.add(name);
      }
      await yieldToOthers();
    }
    return taken;
  }

  function batches(places: readonly number[], size = store.insertsAtOnce): number[][] {
    return range(0, Math.ceil(places.length / size)).map((batch) =>
      places.slice(batch * size, (batch + 1) * size),
    );
  }

  /** Those that the store has, under any digest of theirs. */
  async function takenAmong(
    keys: readonly ImportedKey[],
    places: readonly number[],
  ): Promise<ReadonlySet<number>> {
    const known = await store.findDigests(places.flatMap((place) => at(keys, place).candidates));
    return new Set(places.filter((place) => at(keys, place).candidates.some((digest) => known.has(digest))));
  }

  /** The places of those that others have made meanwhile. */
  async function insertAll(
    keys: readonly ImportedKey[],
    places: readonly number[],
    origin: Origin,
  ): Promise<number[]> {
    const importId = nextId().replace(/^key_/, 'imp_');
    const owners = new Set(places.map((place) => at(keys, place).owner));
    const owner = owners.size === 1 ? (owners.values().next().value ?? null) : null;
    const entry = (after: object) => changeDraft(origin, { target: importId, owner, before: null, after });
    let [announced, inserted, unsure] = [0, 0, 0];
    const lost: number[] = [];
    try {
      for (const batch of batches(places)) {
        const records = batch.map((place) => recordOf(at(keys, place), importId, origin.actor));
        const rest = places.length - lost.length - batch.length;
        unsure = batch.length;
        const taken = await store.insertKeys(
          records,
          retentionMs,
          announced > 0 ? undefined : (first) => entry({ imported: first + rest }),
        );
        unsure = 0;
        const made = batch.length - taken.length;
        if (announced === 0 && made > 0) announced = made + rest;
        inserted += made;
        lost.push(...taken.flatMap((place) => batch[place] ?? []));
        await yieldToOthers();
      }
    } finally {
      // What may be there all the same, since an answer was lost, does not count as missing.
      const missing = announced - inserted - unsure;
      if (missing > 0) await store.appendJournal([entry({ missing })]);
    }
    return lost;
  }

  function recordOf(
    { candidates: _, isDisabled, ...members }: ImportedKey,
    importId: string,
    createdBy: string | null,
  ): KeyRecord {
    const [id, at] = [nextId(), now()];
    return {
      ...members,
      id,
      createdAt: at,
      updatedAt: at,
      lastUsedAt: null,
      disabledAt: isDisabled ? at : null,
      ...{ revokedAt: null, revivedAt: null },
      rotatedFrom: null,
      rotatedTo: null,
      spender: id,
      createdBy,
      importId,
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

function inOrder(places: ReadonlySet<number>): number[] {
  return [...places].toSorted((one, other) => one - other);
}

function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, place) => start + place);
}

function at(keys: readonly ImportedKey[], place: number): ImportedKey {
  const key = keys[place];
  if (key === undefined) throw new RangeError('no key at this place');
  return key;
}
