/**
 * Room `cache/`: The keys in memory. Here: cache hits, misses and their budget, one read for many waiters,
 * invalidation, eviction. Not here: the decision, and any database.
 */

import type { CheckedKey } from '../keys/key.ts';
import type { OwnerRecord } from '../keys/owner.ts';
import { type Digest, pepperOf } from '../keys/secret.ts';
import type { CheckStore } from '../store/breaker.ts';
import type { Feed } from '../store/feed/feed.ts';
import { BoundedCache } from './bounded-cache.ts';
import { createGrants } from './grants.ts';
import { createHeldKeys } from './held-key.ts';
import { KeyTable } from './key-table.ts';
import type { MissBudget } from './miss-budget.ts';
import { createSharedReads } from './shared-reads.ts';

/** What memory knows of keys, by digest, and of their owners. */
export interface Keyring {
  /** The key; null for a digest that is known to be nobody's; undefined when memory may not answer. */
  peek(digest: Digest): CheckedKey | null | undefined;
  /**
   * Asks the store, once for however many callers wait for the same digest. What it resolves to was read
   * after the call began, or known to hold then. Rejects with `StoreUnavailable` when the store cannot be asked,
   * or is not to be, since too many unknown keys are asked for. `address` is where the key came from, as far as
   * is known.
   */
  load(digest: Digest, candidates: readonly Digest[], address: string): Promise<CheckedKey | null>;
  /** The owner; null for one that nobody has put; undefined when memory may not answer. */
  peekOwner(id: string): OwnerRecord | null | undefined;
  /** Asks the store for an owner, as {@link Keyring.load} does for a key. */
  loadOwner(id: string): Promise<OwnerRecord | null>;
  /** What a key holds in all, by its own permissions and its roles; undefined when memory may not answer. */
  peekGrants(key: CheckedKey): readonly string[] | undefined;
  /** Asks the store for its roles, as {@link Keyring.load} does for a key. */
  loadGrants(key: CheckedKey): Promise<readonly string[]>;
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
  readonly store: Pick<CheckStore, 'findKey' | 'getOwner' | 'getRole'>;
  readonly feed: Pick<Feed, 'subscribe' | 'isFresh'>;
  readonly missBudget: MissBudget;
}

export function createKeyring(dependencies: KeyringDependencies, options: KeyringOptions): Keyring {
  const { store, feed, missBudget } = dependencies;
  const keys = new KeyTable<CheckedKey>(options.keysMax);
  const misses = new BoundedCache<Digest, null>(options.missesMax);
  /** Of the digests in `misses`: memory is searched by one pepper's alone. */
  let missesPepper = '';
  const owners = new BoundedCache<string, OwnerRecord | null>(options.ownersMax);
  const grants = createGrants(dependencies, options);
  const held = createHeldKeys();
  const keyReads = createSharedReads<CheckedKey | null>(feed.isFresh, options);
  const ownerReads = createSharedReads<OwnerRecord | null>(feed.isFresh, options);

  feed.subscribe({
    onChange(id, digest) {
      keyReads.change(id);
      keys.forget(id);
      if (digest === null) return;
      keyReads.change(digest);
      dropMiss(digest);
    },
    onOwnerChange(id) {
      ownerReads.change(id);
      owners.delete(id);
    },
    onRoleChange: grants.onRoleChange,
    onGap() {
      grants.onGap();
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
      // To look for a digest among texts costs as much as all else here, and there are seldom any.
      return keys.get(digest) ?? (misses.size === 0 ? undefined : misses.get(digest));
    },
    load: (digest, candidates, address) =>
      keyReads.read(digest, {
        find: () => missBudget.read(address, () => find(candidates)),
        namesOf: (record) => (record === null ? candidates : [record.id, ...candidates]),
        keep: (record) => keep(digest, record),
      }),
    peekOwner(id) {
      return feed.isFresh() ? owners.get(id) : undefined;
    },
    loadOwner: (id) =>
      ownerReads.read(id, {
        find: () => store.getOwner(id),
        namesOf: () => [id],
        keep: (record) => owners.set(id, record),
      }),
    peekGrants: grants.peek,
    loadGrants: grants.load,
    size: () => ({
      keys: keys.size,
      misses: misses.size,
      owners: owners.size,
      reads: keyReads.underWay() + ownerReads.underWay() + grants.reads(),
    }),
  };

  async function find(candidates: readonly Digest[]): Promise<CheckedKey | null> {
    const record = await store.findKey(candidates);
    return record === null ? null : held(record);
  }

  function keep(digest: Digest, record: CheckedKey | null): void {
    if (record === null) {
      misses.set(digest, null);
      missesPepper = pepperOf(digest);
      return;
    }
    // From now on a Check finds this one, and counts its use there.
    if (record.uses !== undefined && record.uses < 0) record.uses = 0;
    keys.set(digest, record);
  }

  /** Misses are remembered by one pepper's digests; of a key made under another, any of them may be the one. */
  function dropMiss(digest: Digest): void {
    if (missesPepper === pepperOf(digest)) misses.delete(digest);
    else misses.clear();
  }
}
