import type { Registry } from '../../../changes/registry.ts';
import type { ServiceAnswers } from '../../../link/messages.ts';
import { sendKey, sendKeyPage } from '../../../link/sent-keys.ts';
import { createSentUsage } from '../../../link/sent-tallies.ts';
import type { ToldWorker } from '../../../link/told-changes.ts';
import type { Store } from '../../../store/store.ts';
import type { RequestSink } from '../../../usage/requests/request-sink.ts';
import type { Events } from '../events.ts';
import { giveBackMemorySoon } from '../heap.ts';

export interface ServiceAnswersDependencies {
  readonly leasing: Pick<Store, 'leaseUnits' | 'returnUnits'>;
  readonly chargeHits: ServiceAnswers['chargeHits'];
  /** How many Check workers lease from the same store. */
  readonly sharers: () => number;
  readonly registry: Pick<Registry, 'revokeInClear'>;
  /** What a Check reads, and admin calls do. */
  readonly reads: Pick<Store, 'findKey' | 'getOwner' | 'getRole'>;
  readonly store: Pick<Store, 'feed'>;
  readonly events: Pick<Events, 'usageStore' | 'countFailures' | 'noteLimit'>;
  readonly requestSink: RequestSink;
  /** Writes lines of the log as they are. */
  readonly writeLines: (lines: string) => void;
}

/** What the service answers to one of its Check workers. */
export function serviceAnswers(
  { leasing, sharers, chargeHits, registry, reads, events, ...others }: ServiceAnswersDependencies,
  worker: ToldWorker,
): ServiceAnswers {
  return {
    lagMs: () => worker.lagMs(),
    findKey: (digests) =>
      worker.dated(async () => {
        const key = await reads.findKey(digests, 'check');
        return key === null ? null : sendKey(key);
      }),
    readKeyPage: (before, size) =>
      worker.dated(async () => {
        const { readPage } = others.store.feed;
        if (readPage === null) throw new Error('this store has no pages of keys');
        const page = await readPage(before, size);
        if (page.next === null) giveBackMemorySoon();
        return sendKeyPage(page);
      }),
    getOwner: (id) => worker.dated(() => reads.getOwner(id, 'check')),
    getRole: (id) => worker.dated(() => reads.getRole(id, 'check')),
    leaseUnits: async (request) => ({ ...(await leasing.leaseUnits(request)), sharers: sharers() }),
    chargeHits,
    returnUnits: (returns) => leasing.returnUnits(returns),
    ...createSentUsage((tallies) => events.usageStore.recordUsage(tallies)),
    recordRequests: (rows) => others.requestSink.record(rows),
    leaveRequestsOut: (requests) => others.requestSink.leaveOut(requests),
    writeLines: others.writeLines,
    revokeInClear: (id) => registry.revokeInClear(id),
    noteLimit: events.noteLimit,
    countFailures(failures) {
      for (const [reason, address, times] of failures) events.countFailures(reason, address, times);
    },
  };
}
