import type { JournalDraft, NoticeAction } from '../journal/journal.ts';
import type { KeyId } from '../keys/key.ts';
import type { LimitNews } from '../limits/news.ts';
import { neverMs } from '../limits/period.ts';
import type { Store } from '../store/store.ts';
import { formatTime } from '../time/time.ts';
import { createNoticeQuota, type NoticeQuota } from './notice-quota.ts';

/** Journals that a limit of a period is nearly spent, and that it is exceeded: each once in each period. */
export interface LimitNotices {
  /** Costs no wait; what comes while very much waits is passed over. */
  note(news: LimitNews): void;
  /** Writes what was noted, and tells of many at the end of their minute. What cannot be written is tried again. */
  flush(isLast?: boolean): Promise<void>;
}

export interface LimitNoticesDependencies {
  readonly store: Pick<Store, 'appendJournal'>;
  /** Unix milliseconds. */
  readonly now: () => number;
}

const waitingMax = 10_000;
/** Notices of a kind that are told one by one within a minute; of more one tells, at its end. */
const singlyMax = 100;
const windowMs = 60_000;

const actions = {
  nearly_spent: 'LimitNearlySpent',
  exceeded: 'LimitExceeded',
} as const satisfies Readonly<Record<LimitNews['kind'], NoticeAction>>;

export function createLimitNotices({ store, now }: LimitNoticesDependencies): LimitNotices {
  const quotas = {
    nearly_spent: createNoticeQuota(now, {
      action: actions.nearly_spent,
      unit: 'keys',
      max: singlyMax,
      windowMs,
    }),
    exceeded: createNoticeQuota(now, { action: actions.exceeded, unit: 'keys', max: singlyMax, windowMs }),
  } satisfies Readonly<Record<LimitNews['kind'], NoticeQuota>>;
  let waiting: LimitNews[] = [];
  let drafts: JournalDraft[] = [];

  return {
    note(news) {
      if (waiting.length < waitingMax) waiting.push(news);
    },
    async flush(isLast = false) {
      const noted = waiting;
      waiting = [];
      for (const news of noted) {
        if (quotas[news.kind].take()) drafts.push(draftOf(news));
        else quotas[news.kind].count(news.spender as KeyId);
      }
      drafts.push(...Object.values(quotas).flatMap((quota) => quota.summary(isLast) ?? []));
      if (drafts.length === 0) return;
      const asked = drafts;
      drafts = [];
      try {
        await store.appendJournal(asked);
      } catch (error) {
        drafts = [...asked, ...drafts].slice(0, waitingMax);
        throw error;
      }
    },
  };
}

function draftOf({ kind, spender, owner, limit, counter, start, end }: LimitNews): JournalDraft {
  const isShared = limit.sharedBy === 'owner' && owner !== null;
  return {
    ...{
      kind: 'notice',
      actor: null,
      action: actions[kind],
      target: isShared ? owner : spender,
      targetName: null,
    },
    ...{ owner, outcome: 'ok', error: null, address: null, requestId: null, before: null },
    after: {
      ...{ limit: limit.name, units: limit.limit, period: String(limit.per), shared_by: limit.sharedBy },
      resets_at: end === neverMs ? null : formatTime(end),
    },
    once: `limit ${kind} ${counter} ${start}`,
  };
}
