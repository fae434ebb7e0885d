import { StoreUnavailable } from '../store/store.ts';

/** A read that keeps being overtaken by changes of the very thing it reads is given up after so many tries. */
const triesMax = 3;

/** Changes noted while reads are under way; past it every read under way counts as overtaken. */
const notedChangesMax = 10_000;

export interface SharedRead<Value> {
  readonly find: () => Promise<Value>;
  /** Every name under which a change of what was found would be told. */
  readonly namesOf: (value: Value) => readonly string[];
  /** Called with what may be remembered, in the same turn in which it was known to be current. */
  readonly keep: (value: Value) => void;
}

/** Reads of the store, one at a time for each name however many wait for it. */
export interface SharedReads<Value> {
  /**
   * Resolves to what was read after the call began, or was known to hold then. Rejects with
   * `StoreUnavailable` when the store cannot be asked.
   */
  read(name: string, of: SharedRead<Value>): Promise<Value>;
  /** Something of that name changed. */
  change(name: string): void;
  /** Anything may have changed. */
  gap(): void;
  underWay(): number;
}

/**
 * A fill never undoes a change: each change moves the generation on and is noted while reads are under way,
 * and a read that a change of its own subject overtook is made again. So while the feed is fresh, a caller
 * may join a read that began before it; while it is not, a caller waits for one that begins after it.
 */
export function createSharedReads<Value>(
  isFresh: () => boolean,
  options: { readonly readsMax: number },
): SharedReads<Value> {
  const reads = new Map<string, Promise<Value>>();
  let generation = 0;
  /** The generation of the last change of each name; of those not listed, `changedBefore` or earlier. */
  const changed = new Map<string, number>();
  let changedBefore = 0;

  return {
    async read(name, of) {
      const underWay = reads.get(name);
      if (underWay === undefined) return start(name, of);
      const wasFresh = isFresh();
      const value = await underWay;
      if (wasFresh && isFresh()) return value;
      return reads.get(name) ?? start(name, of);
    },
    change(name) {
      generation++;
      if (reads.size === 0) return;
      if (changed.size >= notedChangesMax) forgetChanges();
      changed.set(name, generation);
    },
    gap() {
      generation++;
      forgetChanges();
    },
    underWay: () => reads.size,
  };

  function start(name: string, of: SharedRead<Value>): Promise<Value> {
    if (reads.size >= options.readsMax) {
      return Promise.reject(new StoreUnavailable('too many reads of the store are under way'));
    }
    const result = untilCurrent(name, of);
    reads.set(name, result);
    return result;
  }

  async function untilCurrent(name: string, { find, namesOf, keep }: SharedRead<Value>): Promise<Value> {
    try {
      for (let tries = 0; tries < triesMax; tries++) {
        const began = generation;
        const value = await find();
        const last = Math.max(changedBefore, ...namesOf(value).map((each) => changed.get(each) ?? 0));
        if (last > began) continue;
        if (isFresh()) keep(value);
        return value;
      }
      throw new StoreUnavailable('it changes faster than it can be read');
    } finally {
      // In the same turn: a change may be told in the next, and nobody may join this read after it.
      reads.delete(name);
      if (reads.size === 0) changed.clear();
    }
  }

  function forgetChanges(): void {
    changed.clear();
    changedBefore = generation;
  }
}
