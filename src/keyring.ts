import { LRUCache } from 'lru-cache';
import type { KeyId, KeyRecord } from './key.ts';
import { type Digest, pepperOf } from './secret.ts';
import { type Feed, StoreUnavailable } from './store.ts';

/** What memory knows of keys, by digest. */
export interface Keyring {
  /** The record; null for a digest that is known to be nobody's; undefined when memory may not answer. */
  peek(digest: Digest): KeyRecord | null | undefined;
  /**
   * Asks the store, once for however many callers wait for the same digest. What it resolves to was read
   * after the call began. Rejects with `StoreUnavailable` when the store can not be asked.
   */
  load(digest: Digest, candidates: readonly Digest[]): Promise<KeyRecord | null>;
  /** How many keys and misses are remembered, and how many reads are under way. */
  size(): { readonly keys: number; readonly misses: number; readonly loads: number };
}

export interface KeyringOptions {
  readonly keysMax: number;
  /** Bounded apart from the keys, so that a flood of unknown ones pushes out no key. */
  readonly missesMax: number;
  /** Reads under way at once; past it callers are told that the store is not available. */
  readonly loadsMax: number;
}

/** A read that keeps being overtaken by changes of the very key it reads is given up after so many tries. */
const triesMax = 3;

/** Changes noted while reads are under way; past it every read under way counts as overtaken. */
const notedChangesMax = 10_000;

/**
 * A fill never undoes a change: each change moves the generation on and is noted while reads are under way,
 * and a read that a change of its own key overtook is made again. So while the feed is fresh, a caller may
 * join a read that began before it; while it is not, a caller waits for one that begins after it.
 */
export function createKeyring(
  dependencies: { readonly find: (digests: readonly Digest[]) => Promise<KeyRecord | null>; readonly feed: Feed },
  options: KeyringOptions,
): Keyring {
  const { find, feed } = dependencies;
  const keys = new LRUCache<Digest, KeyRecord>({ max: options.keysMax, dispose: forget });
  const misses = new LRUCache<Digest, true>({ max: options.missesMax });
  const digestsById = new Map<KeyId, Set<Digest>>();
  const loads = new Map<Digest, Promise<KeyRecord | null>>();

  let generation = 0;
  /** The generation of the last change of each id or digest; of those not listed, `changedBefore` or earlier. */
  const changed = new Map<string, number>();
  let changedBefore = 0;

  feed.subscribe({
    onChange(id, digest) {
      generation++;
      noteChange(id);
      for (const known of [...(digestsById.get(id) ?? [])]) keys.delete(known);
      if (digest === null) return;
      noteChange(digest);
      dropMiss(digest);
    },
    onGap() {
      generation++;
      changed.clear();
      changedBefore = generation;
      keys.clear();
      misses.clear();
    },
  });

  return {
    peek(digest) {
      if (!feed.isFresh()) return undefined;
      return keys.get(digest) ?? (misses.get(digest) === true ? null : undefined);
    },
    async load(digest, candidates) {
      const underWay = loads.get(digest);
      if (underWay === undefined) return start(digest, candidates);
      const wasFresh = feed.isFresh();
      const record = await underWay;
      if (wasFresh && feed.isFresh()) return record;
      return loads.get(digest) ?? start(digest, candidates);
    },
    size: () => ({ keys: keys.size, misses: misses.size, loads: loads.size }),
  };

  function start(digest: Digest, candidates: readonly Digest[]): Promise<KeyRecord | null> {
    if (loads.size >= options.loadsMax) {
      return Promise.reject(new StoreUnavailable('too many reads of the store are under way'));
    }
    const result = read(digest, candidates).finally(() => {
      loads.delete(digest);
      if (loads.size === 0) changed.clear();
    });
    loads.set(digest, result);
    return result;
  }

  async function read(digest: Digest, candidates: readonly Digest[]): Promise<KeyRecord | null> {
    for (let tries = 0; tries < triesMax; tries++) {
      const began = generation;
      const record = await find(candidates);
      if (lastChange(record, candidates) > began) continue;
      if (feed.isFresh()) keep(digest, record);
      return record;
    }
    throw new StoreUnavailable('the key changes faster than it can be read');
  }

  function lastChange(record: KeyRecord | null, candidates: readonly Digest[]): number {
    const names = record === null ? candidates : [record.id, ...candidates];
    return Math.max(changedBefore, ...names.map((name) => changed.get(name) ?? 0));
  }

  function noteChange(name: string): void {
    if (loads.size === 0) return;
    if (changed.size >= notedChangesMax) {
      changed.clear();
      changedBefore = generation;
    }
    changed.set(name, generation);
  }

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

  function forget(record: KeyRecord, digest: Digest): void {
    const digests = digestsById.get(record.id);
    digests?.delete(digest);
    if (digests?.size === 0) digestsById.delete(record.id);
  }
}
