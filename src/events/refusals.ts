import type { JournalDraft } from '../journal/journal.ts';
import type { Store } from '../store/store.ts';

/** Journals refused admin calls and sign-ins, many at a time, and of a flood of them the number. */
export interface Refusals {
  /** Resolves once it is in the journal, or could not be, or was only counted; never rejects. */
  record(draft: JournalDraft): Promise<void>;
  /** Writes what is left, the numbers too; nothing may be recorded after it. */
  stop(): Promise<void>;
}

export interface RefusalsOptions {
  /**
   * Refusals of callers who are known that are journalled one by one within a window; of more only the number is, at
   * its end. After each window that had more it is half as many, down to {@link floodMax}. Default 10 000.
   */
  readonly knownMax?: number;
  /** The same of callers who are not known. Default 1 000. */
  readonly unknownMax?: number;
  /** Default 60 000. */
  readonly windowMs?: number;
  /** Refusals that wait to be written; more are only counted. Default 1 000. */
  readonly waitingMax?: number;
}

/** Refusals of a flood that goes on are journalled one by one up to this number in each window. */
export const floodMax = 10;

export interface RefusalsDependencies {
  readonly store: Pick<Store, 'appendJournal'>;
  /** Milliseconds on a clock that nobody sets. */
  readonly monotonic: () => number;
  readonly onError: (error: unknown) => void;
}

export function createRefusals(
  { store, monotonic, onError }: RefusalsDependencies,
  { knownMax = 10_000, unknownMax = 1_000, windowMs = 60_000, waitingMax = 1_000 }: RefusalsOptions = {},
): Refusals {
  let waiting: JournalDraft[] = [];
  let writing = Promise.resolve();
  let next: Promise<void> | null = null;
  const known = createQuota(knownMax);
  const unknown = createQuota(unknownMax);
  let windowEnd = -Infinity;
  let timer: NodeJS.Timeout | null = null;

  return {
    async record(draft) {
      if (monotonic() >= windowEnd) endWindow();
      const quota = draft.actor === null ? unknown : known;
      if (waiting.length < waitingMax && quota.take()) {
        waiting.push(draft);
        return write();
      }
      quota.count();
      timer ??= setTimeout(endWindow, Math.max(0, windowEnd - monotonic())).unref();
    },
    stop() {
      endWindow();
      return write();
    },
  };

  function endWindow(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    windowEnd = monotonic() + windowMs;
    const counts = { known: known.renew(), unknown: unknown.renew() };
    if (counts.known + counts.unknown === 0) return;
    waiting.push(summary(counts));
    void write();
  }

  /** Those who come while one write is under way share the one after it. */
  function write(): Promise<void> {
    next ??= writing.then(() => {
      next = null;
      writing = append();
      return writing;
    });
    return next;
  }

  async function append(): Promise<void> {
    const drafts = waiting;
    waiting = [];
    if (drafts.length === 0) return;
    try {
      await store.appendJournal(drafts);
    } catch (error) {
      onError(error);
    }
  }
}

/** How many may be journalled one by one within a window, and how many were not. */
function createQuota(max: number) {
  let [size, taken, counted] = [max, 0, 0];
  return {
    take(): boolean {
      if (taken >= size) return false;
      taken += 1;
      return true;
    },
    count(): void {
      counted += 1;
    },
    /** Begins the next window; answers how many were only counted in the one before. */
    renew(): number {
      const before = counted;
      size = before > 0 ? Math.min(size, Math.max(floodMax, Math.floor(size / 2))) : max;
      [taken, counted] = [0, 0];
      return before;
    },
  };
}

function summary({ known, unknown }: Readonly<Record<'known' | 'unknown', number>>): JournalDraft {
  return {
    ...{ kind: 'call', actor: null, action: 'RefusedCalls', target: null, owner: null, outcome: 'refused' },
    ...{ error: 'RESOURCE_EXHAUSTED', address: null, requestId: null, before: null, once: null },
    after: { calls_of_known_callers: known, calls_of_unknown_callers: unknown },
  };
}
