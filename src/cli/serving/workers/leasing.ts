import { createAdvances } from '../../../limits/advances.ts';
import { createFencedAdvances } from '../../../limits/fenced-advances.ts';
import { createSubleases } from '../../../limits/subleases.ts';
import type { Store } from '../../../store/store.ts';
import type { CheckWorkers } from './check-workers.ts';

/** How units of limits come to those who answer Checks, and what this replica holds of them. */
export interface Leasing
  extends Pick<Store, 'leaseUnits' | 'returnUnits'>,
    Pick<CheckWorkers, 'held' | 'charged'> {
  start(): void;
  /** To be called when nobody answers Checks any more. */
  stop(): Promise<void>;
}

export interface LeasingDependencies {
  readonly store: Pick<Store, 'kind' | 'leaseUnits' | 'returnUnits'>;
  readonly workers: Pick<CheckWorkers, 'held' | 'charged'>;
  /** How many replicas lease from the store, as far as is known. */
  readonly replicas: () => number;
  readonly now: () => number;
}

const keepEveryMs = 1_000;

/** One who answers Checks leases from the store; several lease from this process, which does so for them. */
export function createLeasing(
  { store, workers, replicas, now }: LeasingDependencies,
  { count, windowsMax }: { readonly count: number; readonly windowsMax: number },
): Leasing {
  const { leaseUnits, returnUnits } = store;
  if (count === 1) return { leaseUnits, returnUnits, ...workers, start() {}, stop: async () => {} };
  // One process has the file of SQLite; of MongoDB there may be others.
  const advances = store.kind === 'sqlite' ? createAdvances(store) : createFencedAdvances(store, replicas);
  const subleases = createSubleases(store, { advances, lessees: count, windowsMax, now });
  let timer: NodeJS.Timeout | null = null;

  return {
    leaseUnits: subleases.leaseUnits,
    returnUnits: subleases.returnUnits,
    async held(windows) {
      await subleases.know(windows);
      // Before and after: what is given out, or comes back, in between is not told as unspent twice.
      const before = subleases.held(windows);
      const given = await workers.held(windows);
      const after = subleases.held(windows);
      return windows.map((_, at) => (given[at] ?? 0) + Math.min(before[at] ?? 0, after[at] ?? 0));
    },
    charged: (counts) =>
      workers.charged(counts.map(([window, leased]) => [window, subleases.charged(window, leased)] as const)),
    start() {
      timer ??= setInterval(() => void subleases.keep(now()).catch(() => {}), keepEveryMs).unref();
    },
    async stop() {
      if (timer !== null) clearInterval(timer);
      timer = null;
      await subleases.close(now()).catch(() => {});
    },
  };
}
