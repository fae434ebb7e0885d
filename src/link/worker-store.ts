import type { KeyId } from '../keys/key.ts';
import type { CheckStore } from '../store/breaker.ts';
import type { Feed } from '../store/feed/feed.ts';
import type { KeyPage } from '../store/records/key-pages.ts';
import { StaleAnswer } from '../store/stale-answer.ts';
import type { Store } from '../store/store.ts';
import type { PlainTallies } from '../store/usage/plain-tallies.ts';
import type { Dated, ServiceAnswers } from './messages.ts';
import type { Peer } from './peer.ts';
import { takeKey, takeKeyPage } from './sent-keys.ts';
import { sendPlain, sendTallies, talliesAtOnce } from './sent-tallies.ts';

/** What a Check worker asks of the store. */
export type WorkerStore = CheckStore &
  Pick<Store, 'recordUsage'> & {
    /** The same of tallies that are plain, by columns. */
    recordPlain(tallies: PlainTallies): Promise<void>;
    /** Of a store that has pages of keys: see {@link Feed.readPage}. */
    readKeyPage(before: KeyId | null, size: number): Promise<KeyPage>;
    /** How many Check workers lease from the same store, as far as is known. */
    readonly sharers: () => number;
  };

export interface WorkerStoreDependencies {
  readonly service: Pick<Peer<ServiceAnswers, never>, 'ask'>;
  /** How many Check workers there are of this service. */
  readonly workers: number;
  readonly stalenessMaxMs: number;
  readonly monotonic: () => number;
}

/**
 * The store by way of the service. What is read counts only for as long as memory of that age would: an answer that
 * lay on the way while this process stood still may be older than a revocation that has taken effect.
 */
export function createWorkerStore(dependencies: WorkerStoreDependencies): WorkerStore {
  const { service, workers, stalenessMaxMs, monotonic } = dependencies;
  let sharers = workers;

  return {
    async findKey(digests) {
      const found = await inTime(() => service.ask('findKey', digests));
      return found === null ? null : takeKey(found);
    },
    readKeyPage: async (before, size) =>
      takeKeyPage(await inTime(() => service.ask('readKeyPage', before, size))),
    getOwner: (id) => inTime(() => service.ask('getOwner', id)),
    getRole: (id) => inTime(() => service.ask('getRole', id)),
    async leaseUnits(request) {
      const { sharers: told, ...lease } = await service.ask('leaseUnits', request);
      sharers = told;
      return lease;
    },
    returnUnits: (returns) => service.ask('returnUnits', returns),
    sharers: () => sharers,
    async recordUsage(tallies) {
      let held = 0;
      for (; tallies.length - held > talliesAtOnce; held += talliesAtOnce)
        await service.ask('holdUsage', sendTallies(tallies.slice(held, held + talliesAtOnce)), held);
      await service.ask('recordUsage', sendTallies(tallies.slice(held)), held);
    },
    recordPlain: (tallies) => service.ask('recordUsage', sendPlain(tallies), 0),
  };

  async function inTime<Value>(read: () => Promise<Dated<Value>>): Promise<Value> {
    const asked = monotonic();
    const { value, lagMs } = await read();
    if (monotonic() - asked + lagMs < stalenessMaxMs) return value;
    throw new StaleAnswer('the answer of the store came too late to count');
  }
}
