import type { UnitLease, UnitLeaseRequest } from '../../store/store.ts';

export interface LeaseBatchDependencies {
  /** Leases one after another in one transaction, and resolves when they are on the disk. */
  readonly leaseAll: (requests: readonly UnitLeaseRequest[]) => Promise<readonly UnitLease[]>;
}

/** Leases in one transaction: a few milliseconds. */
export const leasesAtOnce = 200;

interface Waiting {
  readonly request: UnitLeaseRequest;
  readonly resolve: (lease: UnitLease) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Leases that are asked for in one turn of the event loop go into one transaction, so that the first use of many keys
 * costs a commit a turn and not one a key.
 */
export function createLeaseBatches({
  leaseAll,
}: LeaseBatchDependencies): (request: UnitLeaseRequest) => Promise<UnitLease> {
  const waiting: Waiting[] = [];

  return (request) => {
    const { promise, resolve, reject } = Promise.withResolvers<UnitLease>();
    waiting.push({ request, resolve, reject });
    if (waiting.length === 1) setImmediate(leaseSome);
    return promise;
  };

  function leaseSome(): void {
    const batch = waiting.splice(0, leasesAtOnce);
    if (waiting.length > 0) setImmediate(leaseSome);
    leaseAll(batch.map(({ request }) => request)).then(
      (leases) => {
        for (const [place, { resolve }] of batch.entries()) resolve(leases[place] as UnitLease);
      },
      (error: unknown) => {
        for (const { reject } of batch) reject(error);
      },
    );
  }
}
