import { Failure } from '../failure.ts';
import type { JournalEntry } from '../journal/journal.ts';
import type { Store } from '../store/store.ts';

/**
 * The end of the journal, for as many as want to follow it: one of them costs the store as much as all. Nothing is
 * read while nobody waits.
 */
export interface JournalTail {
  /** The sequence of the last entry that there is; 0 for none. */
  head(): Promise<number>;
  /** Entries after that one, oldest first, at most {@link tailPageSize}; none where more are to be waited for. */
  read(after: number): Promise<readonly JournalEntry[]>;
  /**
   * Resolves to whether there are entries after that one: `false` when `ms` are over or the signal aborts. Who need not
   * know at once gives a `restMs`: so long after the store was last asked it is asked again, or sooner for another.
   */
  wait(after: number, ms: number, signal: AbortSignal, restMs?: number): Promise<boolean>;
  /** Looks at once: something was written. Of many words of that at one moment the store is asked once. */
  wake(): void;
  /** Ends it: whoever reads or waits is told UNAVAILABLE. */
  close(): void;
}

export interface JournalTailOptions {
  /** How often the store is asked for what other replicas wrote. Default 500. */
  readonly pollMs?: number;
  /** How often at the most, however much is written. Default 20. */
  readonly restMs?: number;
  /** Entries that are held for those who are a little behind. Default 2 000. */
  readonly recentMax?: number;
}

/** Entries in one read: SQLite's, and what is made of them, hold up the thread for some milliseconds. */
export const tailPageSize = 200;

interface Waiter {
  readonly after: number;
  readonly restMs: number;
  readonly end: (isThere: boolean) => void;
  readonly fail: (error: unknown) => void;
}

export function createJournalTail(
  dependencies: { readonly store: Pick<Store, 'listJournal'>; readonly onError: (error: unknown) => void },
  { pollMs = 500, restMs = 20, recentMax = 2_000 }: JournalTailOptions = {},
): JournalTail {
  const { store, onError } = dependencies;
  const waiters = new Set<Waiter>();
  // All entries after `from` and up to `to`, as they were read.
  let recent: JournalEntry[] = [];
  let from = 0;
  let to = 0;
  let timer: NodeJS.Timeout | null = null;
  let isPolling = false;
  let isWoken = false;
  /** When the journal was last found to end at `to`, by `performance.now()`. */
  let endSeenAt = Number.NEGATIVE_INFINITY;
  /** When the store was last asked, by `performance.now()`. */
  let askedAt = Number.NEGATIVE_INFINITY;
  let isClosed = false;

  return {
    async head() {
      const [last] = await store.listJournal({}, { order: 'newest', after: null, size: 1 });
      return last?.sequence ?? 0;
    },
    async read(after) {
      if (isClosed) throw stopping();
      if (after === to) return [];
      if (after < from || after > to) return list(after);
      const start = recent.findIndex(({ sequence }) => sequence > after);
      return start === -1 ? [] : recent.slice(start, start + tailPageSize);
    },
    wait(after, ms, signal, rest = restMs) {
      if (isClosed) return Promise.reject(stopping());
      if (signal.aborted) return Promise.resolve(false);
      // What was read long ago is no news to those who are past it.
      if (waiters.size === 0 && after > to) restart(after);
      if (after < to) return Promise.resolve(true);
      const waited = add(after, ms, signal, rest);
      // Whoever has just read all that there is looks no sooner than others.
      if (timer === null || isWoken)
        schedule(isWoken ? 0 : Math.max(0, endSeenAt + pollMs - performance.now()));
      return waited;
    },
    wake() {
      isWoken = true;
      if (waiters.size > 0) schedule(0);
    },
    close() {
      isClosed = true;
      if (timer !== null) clearTimeout(timer);
      for (const waiter of waiters) waiter.fail(stopping());
    },
  };

  function add(after: number, ms: number, signal: AbortSignal, rest: number): Promise<boolean> {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const giveUp = () => waiter.end(false);
    const over = setTimeout(giveUp, ms);
    const leave = () => {
      waiters.delete(waiter);
      clearTimeout(over);
      signal.removeEventListener('abort', giveUp);
    };
    const waiter: Waiter = {
      after,
      restMs: rest,
      end(isThere) {
        leave();
        resolve(isThere);
      },
      fail(error) {
        leave();
        reject(error);
      },
    };
    signal.addEventListener('abort', giveUp);
    waiters.add(waiter);
    return promise;
  }

  function schedule(ms: number): void {
    if (isPolling || isClosed) return;
    if (timer !== null) clearTimeout(timer);
    let rest = Number.POSITIVE_INFINITY;
    for (const waiter of waiters) rest = Math.min(rest, waiter.restMs);
    timer = setTimeout(poll, Math.max(ms, askedAt + rest - performance.now()));
    timer.unref();
  }

  async function poll(): Promise<void> {
    isPolling = true;
    isWoken = false;
    askedAt = performance.now();
    try {
      let page: readonly JournalEntry[];
      do {
        const after = to;
        page = await store.listJournal({}, { order: 'oldest', after, size: tailPageSize, mayLag: true });
        // It may have begun anew meanwhile.
        if (after !== to) continue;
        take(page);
        if (page.length < tailPageSize) endSeenAt = askedAt;
      } while (page.length === tailPageSize && waiters.size > 0);
    } catch (error) {
      onError(error);
    }
    isPolling = false;
    timer = null;
    if (waiters.size > 0) schedule(isWoken ? 0 : pollMs);
  }

  function take(page: readonly JournalEntry[]): void {
    const last = page.at(-1);
    if (last === undefined) return;
    recent.push(...page);
    to = last.sequence;
    const dropped = recent.splice(0, Math.max(0, recent.length - recentMax)).at(-1);
    if (dropped !== undefined) from = dropped.sequence;
    for (const waiter of waiters) if (waiter.after < to) waiter.end(true);
  }

  function restart(at: number): void {
    recent = [];
    from = at;
    to = at;
    endSeenAt = Number.NEGATIVE_INFINITY;
  }

  function list(after: number): Promise<JournalEntry[]> {
    return store.listJournal({}, { order: 'oldest', after, size: tailPageSize });
  }
}

/** The same store, which wakes whoever follows the journal when this process has written into it. */
export function waking(store: Store, wake: () => void): Store {
  const told =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      const result = await call(...args);
      wake();
      return result;
    };
  return {
    ...store,
    insertKey: told(store.insertKey),
    insertFirstKey: told(store.insertFirstKey),
    insertKeys: told(store.insertKeys),
    replaceKey: told(store.replaceKey),
    rotateKey: told(store.rotateKey),
    putOwner: told(store.putOwner),
    appendJournal: told(store.appendJournal),
  };
}

function stopping(): Failure {
  const message = 'The service is stopping; go on with the last resume token.';
  return new Failure('UNAVAILABLE', 'STOPPING', message);
}
