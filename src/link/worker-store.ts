import { type Store, StoreUnavailable } from '../store/store.ts';
import type { Dated, ServiceAnswers } from './messages.ts';
import type { Peer } from './peer.ts';

/** What a Check worker asks of the store. */
export type WorkerStore = Pick<Store, 'findKey' | 'getOwner' | 'leaseUnits' | 'recordUsage'>;

export interface WorkerStoreDependencies {
  readonly service: Pick<Peer<ServiceAnswers, never>, 'ask'>;
  readonly stalenessMaxMs: number;
  readonly monotonic: () => number;
}

/**
 * The store by way of the service. What is read counts only for as long as memory of that age would: an answer that
 * lay on the way while this process stood still may be older than a revocation that has taken effect.
 */
export function createWorkerStore(dependencies: WorkerStoreDependencies): WorkerStore {
  const { service, stalenessMaxMs, monotonic } = dependencies;

  return {
    findKey: (digests) => inTime(() => service.ask('findKey', digests)),
    getOwner: (id) => inTime(() => service.ask('getOwner', id)),
    leaseUnits: (request) => service.ask('leaseUnits', request),
    recordUsage: (tallies) => service.ask('recordUsage', tallies),
  };

  async function inTime<Value>(read: () => Promise<Dated<Value>>): Promise<Value> {
    const asked = monotonic();
    const { value, lagMs } = await read();
    if (monotonic() - asked + lagMs < stalenessMaxMs) return value;
    throw new StoreUnavailable('the answer of the store came too late to count');
  }
}
