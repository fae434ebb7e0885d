import type { UnitLease, UnitLeaseRequest } from './units.ts';

export interface LeaseBatchDependencies {
  /**
   * Leases all of them by one write, and resolves, in their order, when it is durable; those that it could not serve are
   * promises, for which the next write does not wait.
   */
  readonly leaseAll: (
    requests: readonly UnitLeaseRequest[],
  ) => Promise<readonly (UnitLease | Promise<UnitLease>)[]>;
}

export interface LeaseBatchOptions {
  /** Writes that are under way at once; what is asked for meanwhile waits, and goes into fewer of them. */
  readonly underWayMax: number;
}

/** Leases in one write: a few milliseconds. */
export const leasesAtOnce = 200;

/** Leases by itself or with others; not any more once the signal is aborted. */
export type LeaseBatched = (request: UnitLeaseRequest, signal?: AbortSignal) => Promise<UnitLease>;

interface Waiting {
  readonly request: UnitLeaseRequest;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (lease: UnitLease | Promise<UnitLease>) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Leases that are asked for in one turn of the event loop, or while others are under way, go into one write, so that
 * the first use of many keys costs a commit a turn and not one a key.
 */
export function createLeaseBatches(
  { leaseAll }: LeaseBatchDependencies,
  { underWayMax }: LeaseBatchOptions,
): LeaseBatched {
  const waiting: Waiting[] = [];
  let underWay = 0;
  let isDue = false;

  return (request, signal) => {
    const { promise, resolve, reject } = Promise.withResolvers<UnitLease>();
    waiting.push({ request, signal, resolve, reject });
    leaseSoon();
    return promise;
  };

  function leaseSoon(): void {
    if (isDue || waiting.length === 0 || underWay >= underWayMax) return;
    isDue = true;
    setImmediate(leaseSome);
  }

  function leaseSome(): void {
    isDue = false;
    const asked = waiting.splice(0, leasesAtOnce);
    const batch = asked.filter(({ signal }) => signal?.aborted !== true);
    // Nobody waits for these any more: units that are leased for them would be lost.
    for (const { signal, reject } of asked) if (signal?.aborted) reject(signal.reason);
    if (batch.length > 0) void leaseTogether(batch);
    leaseSoon();
  }

  async function leaseTogether(batch: readonly Waiting[]): Promise<void> {
    underWay++;
    try {
      const leases = await leaseAll(batch.map(({ request }) => request));
      for (const [place, { resolve }] of batch.entries())
        resolve(leases[place] as UnitLease | Promise<UnitLease>);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    } finally {
      underWay--;
      leaseSoon();
    }
  }
}
