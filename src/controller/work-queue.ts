import { backoffMs, pause } from './pause.ts';

/** Things that are to be looked at, each by one worker at a time, the sooner those that are due. */
export interface WorkQueue {
  /** Looks at it in so many milliseconds at the latest, default at once. */
  add(name: string, inMs?: number): void;
  /** Looks at it no more, unless it is added again. */
  forget(name: string): void;
  /** What could not be done at the last look. */
  failing(): readonly string[];
  /** Works until the signal aborts, and ends when the last worker has. */
  run(signal: AbortSignal): Promise<void>;
}

export interface WorkQueueOptions {
  /** Returns in how many milliseconds it is to be looked at again; what it throws is tried again later. */
  readonly work: (name: string, signal: AbortSignal) => Promise<number>;
  readonly onFailure: (name: string, error: unknown) => void;
  readonly workersMax: number;
  /** Milliseconds, never set back. */
  readonly monotonic: () => number;
}

const retryMs = { first: 500, longest: 60_000 };
/** Timers hold 2^31 - 1 ms. */
const waitMsMax = 3_600_000;

export function createWorkQueue({ work, onFailure, workersMax, monotonic }: WorkQueueOptions): WorkQueue {
  const dueAt = new Map<string, number>();
  const failures = new Map<string, number>();
  const underWay = new Set<string>();
  let wake = () => {};

  return {
    add(name, inMs = 0) {
      const at = monotonic() + inMs;
      dueAt.set(name, Math.min(at, dueAt.get(name) ?? Infinity));
      wake();
    },
    forget(name) {
      dueAt.delete(name);
      failures.delete(name);
    },
    failing: () => [...failures.keys()],
    async run(signal) {
      const workers = new Set<Promise<void>>();
      while (!signal.aborted) {
        const next = workers.size < workersMax ? soonest() : null;
        const waitMs = next === null ? waitMsMax : next.at - monotonic();
        if (next !== null && waitMs <= 0) {
          const worker = doOne(next.name, signal).finally(() => {
            workers.delete(worker);
            wake();
          });
          workers.add(worker);
        } else await woken(Math.min(waitMs, waitMsMax), signal);
      }
      await Promise.all(workers);
      dueAt.clear();
      failures.clear();
    },
  };

  function soonest(): { name: string; at: number } | null {
    let found: { name: string; at: number } | null = null;
    for (const [name, at] of dueAt) {
      if (!underWay.has(name) && (found === null || at < found.at)) found = { name, at };
    }
    return found;
  }

  async function woken(ms: number, signal: AbortSignal): Promise<void> {
    const woke = new AbortController();
    wake = () => woke.abort();
    await pause(ms, AbortSignal.any([signal, woke.signal]));
    wake = () => {};
  }

  async function doOne(name: string, signal: AbortSignal): Promise<void> {
    dueAt.delete(name);
    underWay.add(name);
    let inMs: number;
    try {
      inMs = await work(name, signal);
      failures.delete(name);
    } catch (error) {
      const count = (failures.get(name) ?? 0) + 1;
      failures.set(name, count);
      inMs = backoffMs(count, retryMs);
      if (!signal.aborted) onFailure(name, error);
    }
    underWay.delete(name);
    if (inMs !== Infinity) dueAt.set(name, Math.min(monotonic() + inMs, dueAt.get(name) ?? Infinity));
  }
}
