/**
 * Room `cache/`: The keys in memory. Here: cache hits, misses and their budget, one read for many waiters,
 * invalidation, eviction. Not here: the decision, and any database.
 */

import type { CheckedKey } from '../keys/key.ts';
import type { OwnerRecord } from '../keys/owner.ts';
import { type Digest, pepperOf } from '../keys/secret.ts';
import type { CheckStore } from '../store/breaker.ts';
import type { Feed } from '../store/feed/feed.ts';
import type { StoredKey } from '../store/records/key-pages.ts';
import { BoundedCache } from './bounded-cache.ts';
import { createFilling, type FillingDependencies } from './filling.ts';
import { createGrants } from './grants.ts';
import { KeyTable } from './key-table.ts';
import type { MissBudget } from './miss-budget.ts';
import { createSharedReads } from './shared-reads.ts';
import { createSharedTerms } from './shared-terms.ts';

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
  /** From now on puts all keys into memory ahead of their Checks, where the store has pages of them. */
  startFilling(): void;
  stopFilling(): void;
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
  /** Of a store that names the digest of whatever is made or changed. Default: keys are read when they are asked for. */
  readonly pages?: KeyringPages | undefined;
}

/** What memory is filled with, and what it takes to say that a key is not among all that there are. */
export interface KeyringPages extends Pick<FillingDependencies, 'readPage' | 'wait'> {
  /**
   * Whether memory was told of every key that somebody may have been given. A process that stood still was not, though
   * it may answer from memory: a key that is nobody's there may have been made meanwhile.
   */
  readonly isHeard: () => boolean;
  /** Sees to it. Rejects with `StoreUnavailable`. */
  readonly hear: () => Promise<void>;
}

export function createKeyring(dependencies: KeyringDependencies, options: KeyringOptions): Keyring {
  const { store, feed, missBudget, pages } = dependencies;
  const terms = createSharedTerms();
  const keys = new KeyTable(options.keysMax, terms);
  const misses = new BoundedCache<Digest, null>(options.missesMax);
  /** Of the digests in `misses`: memory is searched by one pepper's alone. */
  let missesPepper = '';
  const owners = new BoundedCache<string, OwnerRecord | null>(options.ownersMax);
  const grants = createGrants(dependencies, options);
  const keyReads = createSharedReads<CheckedKey | null>(feed.isFresh, options);
  const ownerReads = createSharedReads<OwnerRecord | null>(feed.isFresh, options);
  const filling = pages === undefined ? null : createFilling({ ...pages, hold, isFresh: feed.isFresh });

  feed.subscribe({
    onChange(id, digest) {
      keyReads.change(id);
      keys.forget(id);
      filling?.onChange(id, digest);
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
      filling?.onGap();
    },
  });

  return {
    peek(digest) {
      if (!feed.isFresh()) return undefined;
      // To look for a digest among texts costs as much as all else here, and there are seldom any.
      return keys.get(digest) ?? (misses.size > 0 && misses.get(digest) === null ? null : soleMiss(digest));
    },
    load(digest, candidates, address) {
      const areNobodys = () => feed.isFresh() && candidates.every(isNobodys);
      const read = () =>
        keyReads.read(digest, {
          find: () => missBudget.read(address, () => find(candidates)),
          namesOf: (record) => (record === null ? candidates : [record.id, ...candidates]),
          keep: (record) => keep(digest, record),
        });
      if (pages === undefined || !areNobodys()) return read();
      if (pages.isHeard()) return Promise.resolve(null);
      return pages.hear().then(() => (pages.isHeard() && areNobodys() ? null : read()));
    },
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
    startFilling: () => filling?.start(),
    stopFilling: () => filling?.stop(),
  };

  async function find(candidates: readonly Digest[]): Promise<CheckedKey | null> {
    const record = await store.findKey(candidates);
    return record === null ? null : terms.share(record);
  }

  function keep(digest: Digest, record: CheckedKey | null): void {
    if (record === null) {
      misses.set(digest, null);
      missesPepper = pepperOf(digest);
      return;
    }
    if (keys.size >= options.keysMax) filling?.onForgotten();
    filling?.onKept(digest);
    keys.set(digest, record);
  }

  /** One that is there was put there by a Check, and has its use beside it. */
  function hold({ digest, key }: StoredKey): boolean {
    if (keys.has(digest)) return true;
    if (keys.size >= options.keysMax) return false;
    keep(digest, key);
    return true;
  }

  function isNobodys(digest: Digest): boolean {
    return filling?.isNobodys(digest) === true && !keys.has(digest);
  }

  /** Null for a digest of nobody's that a key could be stored under by no other, since there are no peppers. */
  function soleMiss(digest: Digest): null | undefined {
    return filling?.isNobodys(digest) === true && pages?.isHeard() === true && pepperOf(digest) === ''
      ? null
      : undefined;
  }

  /** Misses are remembered by one pepper's digests; of a key made under another, any of them may be the one. */
  function dropMiss(digest: Digest): void {
    if (missesPepper === pepperOf(digest)) misses.delete(digest);
    else misses.clear();
  }
}
