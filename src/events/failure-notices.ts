import { BoundedCache } from '../cache/bounded-cache.ts';
import type { JournalDraft } from '../journal/journal.ts';
import { networkOf } from '../net/caller-network.ts';
import type { Reason } from '../schemes/answer.ts';
import type { Store } from '../store/store.ts';
import { formatSeconds, formatTime } from '../time/time.ts';
import { noticeDraft } from './notice.ts';
import { createNoticeQuota } from './notice-quota.ts';

/** Counts denials that look like guesses by where they come from, and journals when they are many. */
export interface FailureNotices {
  /**
   * Counts `times` denials, 1 unless it is given, that ended at `now` (Unix milliseconds). Costs no wait, and nothing
   * but the count unless they are many.
   */
  count(reason: Reason, address: string, now: number, times?: number): void;
  /** Writes what there is to tell, at the end all of it; what cannot be written is kept for the next time. */
  flush(isLast?: boolean): Promise<void>;
}

export interface FailureNoticesOptions {
  /** So many within the window are many. */
  readonly failures: number;
  /** A window begins with the first failure after the one before. */
  readonly windowMs: number;
  /** Addresses that are counted at once; past it the one that was counted longest ago is forgotten. Default 10 000. */
  readonly addressesMax?: number;
  /** Notices that wait to be written; more are lost. Default 1 000. */
  readonly waitingMax?: number;
  /** Addresses that are told one by one within a minute; of more one tells, at its end. Default 100. */
  readonly singlyMax?: number;
}

/** Reasons that one who has a key of their own and uses it rightly never meets. */
export const failures: ReadonlySet<Reason> = new Set([
  ...(['malformed', 'unknown', 'wrong_environment', 'revoked'] as const),
  ...(['disabled', 'expired', 'ambiguous', 'address_denied', 'principal_denied'] as const),
]);

const hourMs = 3_600_000;

interface Counter {
  readonly network: string;
  since: number;
  failures: number;
  /** The hour in which it was told last. */
  toldIn: number;
}

export interface FailureNoticesDependencies {
  readonly store: Pick<Store, 'appendJournal'>;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** Once for each address and hour; an IPv6 address counts by its /64, of which one caller has all. */
export function createFailureNotices(
  { store, now: clock }: FailureNoticesDependencies,
  options: FailureNoticesOptions,
): FailureNotices {
  const { windowMs, addressesMax = 10_000, waitingMax = 1_000, singlyMax: max = 100 } = options;
  const quota = createNoticeQuota(clock, {
    action: 'ManyFailures',
    unit: 'addresses',
    max,
    windowMs: 60_000,
  });
  const counters = new BoundedCache<string, Counter>(addressesMax);
  let waiting: JournalDraft[] = [];

  return {
    count(reason, address, now, times = 1) {
      if (!failures.has(reason)) return;
      const counter = counters.get(address) ?? counterOf(address, now);
      if (counter === null) return;
      if (now - counter.since >= windowMs) {
        counter.since = now;
        counter.failures = 0;
      }
      const before = counter.failures;
      counter.failures += times;
      if (before >= options.failures || counter.failures < options.failures) return;
      const hour = Math.floor(now / hourMs);
      if (counter.toldIn === hour || waiting.length >= waitingMax) return;
      counter.toldIn = hour;
      if (quota.take()) waiting.push(draftOf(address, counter, hour));
      else quota.count(counter.network);
    },
    async flush(isLast = false) {
      const many = quota.summary(isLast);
      if (many !== null) waiting.push(many);
      if (waiting.length === 0) return;
      const drafts = waiting;
      waiting = [];
      try {
        await store.appendJournal(drafts);
      } catch (error) {
        waiting = [...drafts, ...waiting].slice(0, waitingMax);
        throw error;
      }
    },
  };

  /** Kept by the network, and by the address as it is written, so that the one is not made of the other each time. */
  function counterOf(address: string, now: number): Counter | null {
    const network = networkOf(address);
    if (network === null) return null;
    const counter = counters.get(network) ?? { network, since: now, failures: 0, toldIn: Number.NaN };
    counters.set(network, counter);
    if (network !== address) counters.set(address, counter);
    return counter;
  }

  function draftOf(address: string, { network, since }: Counter, hour: number): JournalDraft {
    return noticeDraft('ManyFailures', {
      address,
      after: {
        ...{ address: network, failures: options.failures },
        ...{ window: formatSeconds(windowMs), since: formatTime(since) },
      },
      once: `failures ${network} ${hour}`,
    });
  }
}
