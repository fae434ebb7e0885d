import { randomUUID } from 'node:crypto';
import type { JournalDraft, NoticeAction } from '../journal/journal.ts';
import { formatTime } from '../time/time.ts';
import { noticeDraft } from './notice.ts';

/** What many notices of one kind come to: so many are told one by one, and of more one that speaks of all. */
export interface NoticeQuota {
  /** Whether one more may be told by itself; counted as told. */
  take(): boolean;
  /** What could not be told is not counted as told. */
  giveBack(count: number): void;
  /** One that is not told by itself: a key, or an address. */
  count(name: string): void;
  /** What is to be told of those that were counted, where the window is over, or `isLast`; null for nothing. */
  summary(isLast?: boolean): JournalDraft | null;
}

export interface NoticeQuotaOptions {
  readonly action: NoticeAction;
  /** What is counted, as the notice calls it. */
  readonly unit: 'keys' | 'addresses';
  /** Told one by one within a window. */
  readonly max: number;
  readonly windowMs: number;
  /** What holds for all of them, which the notice of many says as well. */
  readonly about?: Readonly<Record<string, unknown>>;
}

/** Names that a notice of many quotes. */
const sampleMax = 10;

/** `now` is in Unix milliseconds. */
export function createNoticeQuota(
  now: () => number,
  { action, unit, max, windowMs, about }: NoticeQuotaOptions,
): NoticeQuota {
  let since = Number.NEGATIVE_INFINITY;
  let taken = 0;
  let counted = 0;
  let sample: string[] = [];

  return {
    take() {
      // What was counted is told before the next window begins.
      if (isOver() && counted === 0) [since, taken] = [now(), 0];
      if (taken >= max) return false;
      taken++;
      return true;
    },
    giveBack(count) {
      taken = Math.max(0, taken - count);
    },
    count(name) {
      counted++;
      if (sample.length < sampleMax) sample.push(name);
    },
    summary(isLast = false) {
      if (counted === 0 || !(isLast || isOver())) return null;
      const after = { [unit]: counted, ...about, since: formatTime(since), sample };
      [counted, sample] = [0, []];
      return noticeDraft(action, { after, once: `many ${action} ${randomUUID()}` });
    },
  };

  /** Also where the clock was set back. */
  function isOver(): boolean {
    return now() - since >= windowMs || now() < since;
  }
}
