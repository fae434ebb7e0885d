import { LRUCache } from 'lru-cache';
import type { KeyId, KeyRecord } from './key.ts';
import type { MissBudget } from './miss-budget.ts';
import type { OwnerRecord } from './owner.ts';
import { createReads } from './reads.ts';
import { type Digest, pepperOf } from './secret.ts';
import type { Feed, Store } from './store.ts';

/** What memory knows of keys, by digest, and of their owners. */
export interface Keyring {
  /** The key; null for a digest that is known to be nobody's; undefined when memory may not answer. */
  peek(digest: Digest): KeyRecord | null | undefined;
  /**
   * Asks the store, once for however many callers wait for the same digest. What it resolves to was read
   * after the call began, or known to hold then. Rejects with `StoreUnavailable` when the store can not be asked,
   * or is not to be, since too many unknown keys are asked for. `address` is where the key came from, as far as
   * is known.
   */
  load(digest: Digest, candidates: readonly Digest[], address: string): Promise<KeyRecord | null>;
  /** The owner; null for one that nobody has put; undefined when memory may not answer. */
  peekOwner(id: string): OwnerRecord | null | undefined;
  /** Asks the store for an owner, as {@link Keyring.load} does for a key. */
  loadOwner(id: string): Promise<OwnerRecord | null>;
  /** How much is remembered, and how many reads are under way. */
  size(): { readonly keys: number; readonly misses: number; readonly owners: number; readonly reads: number };
}

export interface KeyringOptions {
  readonly keysMax: number;
  /** Bounded apart from the keys, so that a flood of unknown ones pushes out no key. */
  readonly missesMax: number;
  readonly ownersMax: number;
  /** Reads under way at once; past it callers are told that the store is not available. */
  readonly readsMax: number;
}

export interface KeyringDependencies {
  readonly store: Pick<Store, 'findKey' | 'getOwner'>;
  readonly feed: Pick<Feed, 'subscribe' | 'isFresh'>;
  readonly missBudget: MissBudget;
}

export function createKeyring(dependencies: KeyringDependencies, options: KeyringOptions): Keyring {
  const { store, feed, missBudget } = dependencies;
  const keys = new LRUCache<Digest, KeyRecord>({ max: options.keysMax, dispose: unlist });
  const misses = new LRUCache<Digest, true>({ max: options.missesMax });
  const owners = new LRUCache<string, { readonly record: OwnerRecord | null }>({ max: options.ownersMax });
  const digestsById = new Map<KeyId, Set<Digest>>();
  const keyReads = createReads<KeyRecord | null>(feed.isFresh, options);
  const ownerReads = createReads<OwnerRecord | null>(feed.isFresh, options);

  feed.subscribe({
    onChange(id, digest) {
      keyReads.change(id);
      for (const known of [...(digestsById.get(id) ?? [])]) keys.delete(known);
      if (digest === null) return;
      keyReads.change(digest);
      dropMiss(digest);
    },
    onOwnerChange(id) {
      ownerReads.change(id);
      owners.delete(id);
    },
    onGap() {
      keyReads.gap();
      ownerReads.gap();
      keys.clear();
      misses.clear();
      owners.clear();
    },
  });

  return {
    peek(digest) {
      if (!feed.isFresh()) return undefined;
      return keys.get(digest) ?? (misses.get(digest) === true ? null : undefined);
    },
    load: (digest, candidates, address) =>
      keyReads.read(digest, {
        find: () => missBudget.read(address, () => store.findKey(candidates)),
        namesOf: (record) => (record === null ? candidates : [record.id, ...candidates]),
        keep: (record) => keep(digest, record),
      }),
    peekOwner(id) {
      return feed.isFresh() ? owners.get(id)?.record : undefined;
    },
    loadOwner: (id) =>
      ownerReads.read(id, {
        find: () => store.getOwner(id),
        namesOf: () => [id],
        keep: (record) => owners.set(id, { record }),
      }),
    size: () => ({
      keys: keys.size,
      misses: misses.size,
      owners: owners.size,
      reads: keyReads.underWay() + ownerReads.underWay(),
    }),
  };

  function keep(digest: Digest, record: KeyRecord | null): void {
    if (record === null) {
      misses.set(digest, true);
      return;
    }
    keys.set(digest, record);
    const digests = digestsById.get(record.id);
    if (digests === undefined) digestsById.set(record.id, new Set([digest]));
    else digests.add(digest);
  }

  /** Misses are remembered by one pepper's digests; of a key made under another, any of them may be the one. */
  function dropMiss(digest: Digest): void {
    const [remembered] = misses.keys();
    if (remembered === undefined) return;
    if (pepperOf(remembered) === pepperOf(digest)) misses.delete(digest);
    else misses.clear();
  }

  function unlist(record: KeyRecord, digest: Digest): void {
    const digests = digestsById.get(record.id);
    digests?.delete(digest);
    if (digests?.size === 0) digestsById.delete(record.id);
  }
}
