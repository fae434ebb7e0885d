import { setImmediate } from 'node:timers/promises';
import type { KeyId } from '../keys/key.ts';
import type { Digest } from '../keys/secret.ts';
import type { KeyPage, StoredKey } from '../store/records/key-pages.ts';

/** Puts all keys into memory before anybody asks for them, and knows when the store has no others. */
export interface Filling {
  /** Whether no key has that digest, for certain: all keys are in memory, but for those that changed since. */
  isNobodys(digest: Digest): boolean;
  /** A key was made or changed, or removed where no digest is given. Memory must have forgotten it. */
  onChange(id: KeyId, digest: Digest | null): void;
  /** Memory was cleared. */
  onGap(): void;
  /** A key that was read by itself is in memory. */
  onKept(digest: Digest): void;
  /** Memory has forgotten a key to make room. */
  onForgotten(): void;
  /** Begins to read, until memory has all keys or is full. */
  start(): void;
  stop(): void;
}

export interface FillingDependencies {
  /**
   * Reads those that are older than `before`, the newest where it is null. What changed after they were read is told
   * after the answer, or while it is waited for.
   */
  readonly readPage: (before: KeyId | null) => Promise<KeyPage>;
  /** Puts one into memory; false where there is no room without forgetting another. */
  readonly hold: (stored: StoredKey) => boolean;
  /** Whether memory may answer, and so be filled. */
  readonly isFresh: () => boolean;
  /** A timer that does not keep the process alive. */
  readonly wait: (ms: number) => Promise<unknown>;
}

/** Keys that were told of and not read since; of more it is not known which these are, and all are read again. */
const changedMax = 50_000;
/** After the last of these: an import of many is over by then. */
const againMs = 60_000;
/** Until the store, or the feed, is there. */
const retryMs = 250;

/**
 * The first Check of a key then costs what every other does, and so does one of a key that nobody made: a flood of
 * either asks the store for nothing. A page never undoes a change: a key that was told of while the page was read is
 * left out of it, and read when it is asked for.
 */
export function createFilling({ readPage, hold, isFresh, wait }: FillingDependencies): Filling {
  let isStarted = false;
  let state: 'partial' | 'filling' | 'whole' = 'partial';
  /** Grows whenever what was read so far is worth nothing. */
  let attempt = 0;
  /** Digests of keys that changed since the attempt began: what has them, and whether a key has, the store knows. */
  const changed = new Set<Digest>();
  /** Keys that changed since the page was asked for that is waited for. */
  const overtaken = new Set<KeyId>();

  return {
    isNobodys: (digest) => state === 'whole' && (changed.size === 0 || !changed.has(digest)),
    onChange(id, digest) {
      if (state === 'partial') return;
      if (state === 'filling') overtaken.add(id);
      if (digest !== null) changed.add(digest);
      if (changed.size > changedMax) begin(againMs);
    },
    onKept(digest) {
      if (changed.size > 0) changed.delete(digest);
    },
    onForgotten: giveUp,
    onGap: () => begin(0),
    start() {
      isStarted = true;
      begin(0);
    },
    stop() {
      isStarted = false;
      giveUp();
    },
  };

  /** To look for an id interns it, whose name V8 then keeps in a table of its own: there are seldom any to look among. */
  function isOvertaken({ key: { id } }: StoredKey): boolean {
    return overtaken.size > 0 && overtaken.has(id);
  }

  function giveUp(): void {
    state = 'partial';
    attempt++;
    changed.clear();
    overtaken.clear();
  }

  function begin(waitMs: number): void {
    giveUp();
    if (!isStarted) return;
    state = 'filling';
    void fill(attempt, waitMs);
  }

  async function fill(own: number, waitMs: number): Promise<void> {
    if (waitMs > 0) await wait(waitMs);
    for (let before: KeyId | null = null; attempt === own; ) {
      overtaken.clear();
      const page: KeyPage | null = isFresh() ? await readPage(before).catch(() => null) : null;
      if (attempt !== own) return;
      // One that was read while memory was not to be trusted is read again.
      if (page === null || !isFresh()) {
        await wait(retryMs);
        continue;
      }
      for (const digest of page.unreadable) changed.add(digest);
      if (!page.keys.every((stored) => isOvertaken(stored) || hold(stored))) return giveUp();
      before = page.next;
      if (before === null) {
        state = 'whole';
        return;
      }
      await setImmediate();
    }
  }
}
