import type { JournalDraft } from '../journal/journal.ts';
import type { KeyRecord } from '../keys/key.ts';
import type { Store } from '../store/store.ts';
import { formatTime } from '../time/time.ts';
import { noticeDraft } from './notice.ts';

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
}

/**
 * Journals, once for each key and expiry time, that it ends within 7 days, and within 1. A key that never had that
 * long to live gets no such notice, nor does one that is within the nearer threshold by the time it is looked at.
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
  { leaseMs = 120_000, pageSize = 500 }: ExpiryNoticesOptions = {},
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
    const range = { after: Math.max(lookedAt + ms, at + laterMs), until: at + ms };
    let page = await store.listExpiring(range, pageSize);
    for (;;) {
      const drafts = page.flatMap((key) => draftOf(key, threshold));
      if (drafts.length > 0) await store.appendJournal(drafts);
      const last = page.at(-1);
      if (page.length < pageSize || last?.expiresAt == null) return true;
      if ((await claim()) === null) return false;
      const { id, expiresAt } = last;
      page = await store.listExpiring({ ...range, last: { id, expiresAt } }, pageSize);
    }
  }
}

function draftOf(key: KeyRecord, { within, ms }: Threshold): JournalDraft[] {
  if (key.expiresAt === null || key.expiresAt - key.createdAt < ms) return [];
  return [
    noticeDraft('KeyExpiring', {
      key,
      after: { name: key.name, expires_at: formatTime(key.expiresAt), within },
      once: `expiring ${key.id} ${key.expiresAt} ${within}`,
    }),
  ];
}
