import type { JournalDraft } from '../journal/journal.ts';
import type { KeyRecord } from '../keys/key.ts';
import type { Store } from '../store/store.ts';
import { formatTime } from '../time/time.ts';
import { noticeDraft } from './notice.ts';
import { createNoticeQuota } from './notice-quota.ts';

const dayMs = 86_400_000;

/** How long before its end a key's end is told, the nearest first. */
const thresholds = [
  { within: '1d', ms: dayMs, laterMs: 0 },
  { within: '7d', ms: 7 * dayMs, laterMs: dayMs },
] as const;
type Threshold = (typeof thresholds)[number];

export interface ExpiryNoticesOptions {
  /** How long the duty is held without a sign of life. Default 120 000. */
  readonly leaseMs?: number;
  /** Keys in one read of the store. Default 500. */
  readonly pageSize?: number;
  /** Keys of one threshold that one look tells of one by one; of more one notice tells. Default 100. */
  readonly singlyMax?: number;
}

/**
 * Journals, once for each key and expiry time, that it ends within 7 days, and within 1. A key that never had that
 * long to live gets no such notice, nor does one that is within the nearer threshold by the time it is looked at.
 * Where many keys end at one time, as a batch that was imported does, one notice tells of all but the first.
 * One replica at a time looks, and each goes on where the last one stopped.
 */
export function createExpiryNotices(
  dependencies: {
    readonly store: Pick<Store, 'claimDuty' | 'recordDuty' | 'listExpiring' | 'appendJournal'>;
    /** Names this process among all. */
    readonly holder: string;
    /** Unix milliseconds. */
    readonly now: () => number;
  },
  { leaseMs = 120_000, pageSize = 500, singlyMax = 100 }: ExpiryNoticesOptions = {},
): () => Promise<void> {
  const { store, holder, now } = dependencies;
  const claim = () => store.claimDuty('expiring', holder, leaseMs);

  return async () => {
    const claimed = await claim();
    const at = now();
    if (claimed === null || claimed.progress >= at) return;
    for (const threshold of thresholds) if (!(await look(threshold, claimed.progress, at))) return;
    await store.recordDuty('expiring', holder, at);
  };

  /** False where the duty is another's by now. */
  async function look(threshold: Threshold, lookedAt: number, at: number): Promise<boolean> {
    const { ms, laterMs } = threshold;
    // Begun anew with each look: one that failed told of the same keys first, and looks at them all again.
    const quota = createNoticeQuota(now, {
      ...{ action: 'KeyExpiring', unit: 'keys', max: singlyMax },
      ...{ windowMs: Number.POSITIVE_INFINITY, about: { within: threshold.within } },
    });
    const range = { after: Math.max(lookedAt + ms, at + laterMs), until: at + ms };
    let page = await store.listExpiring(range, pageSize);
    for (;;) {
      const drafts: JournalDraft[] = [];
      for (const key of page) {
        const draft = draftOf(key, threshold);
        if (draft === null) continue;
        if (quota.take()) drafts.push(draft);
        else quota.count(key.id);
      }
      const last = page.length < pageSize ? undefined : page.at(-1);
      const many = last === undefined ? quota.summary(true) : null;
      if (many !== null) drafts.push({ ...many, once: `expiring many ${lookedAt} ${threshold.within}` });
      if (drafts.length > 0) await store.appendJournal(drafts);
      if (last?.expiresAt == null) return true;
      if ((await claim()) === null) return false;
      const { id, expiresAt } = last;
      page = await store.listExpiring({ ...range, last: { id, expiresAt } }, pageSize);
    }
  }
}

function draftOf(key: KeyRecord, { within, ms }: Threshold): JournalDraft | null {
  if (key.expiresAt === null || key.expiresAt - key.createdAt < ms) return null;
  return noticeDraft('KeyExpiring', {
    key,
    after: { name: key.name, expires_at: formatTime(key.expiresAt), within },
    once: `expiring ${key.id} ${key.expiresAt} ${within}`,
  });
}
