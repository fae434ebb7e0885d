import type { JournalDraft } from '../journal/journal.ts';
import { type IdleRange, idleMoments } from '../journal/journal-store.ts';
import { isAdmin } from '../keys/admin-permissions.ts';
import { type KeyId, type KeyRecord, keyState } from '../keys/key.ts';
import type { Store } from '../store/store.ts';
import { formatTime } from '../time/time.ts';
import { noticeDraft } from './notice.ts';
import { createNoticeQuota, type NoticeQuota } from './notice-quota.ts';

/** What becomes of keys that nobody uses, after how long; null for nothing. */
export interface UnusedKeySettings {
  readonly notifyAfterMs: number | null;
  /** No less than the other. */
  readonly disableAfterMs: number | null;
}

export interface UnusedKeysDependencies {
  readonly store: Pick<Store, 'claimDuty' | 'recordDuty' | 'listIdle' | 'appendJournal'>;
  /** Disables those of the keys of which it is still true, each with its entry in the journal, and says how many. */
  readonly disable: (ids: readonly KeyId[], isStillIdle: (key: KeyRecord) => boolean) => Promise<number>;
  /** The scheme that admin keys are of. */
  readonly adminScheme: string;
  /** Names this process among all. */
  readonly holder: string;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Keys that were told of, and that were disabled. */
  readonly count: (what: 'notified' | 'disabled', keys: number) => void;
}

export interface UnusedKeysOptions extends UnusedKeySettings {
  /** The latest that a use of a key is seen in the store. */
  readonly usageLagMs: number;
  /** How long the duty is held without a sign of life. Default 120 000. */
  readonly leaseMs?: number;
  /** Keys in one read of the store. Default 500. */
  readonly pageSize?: number;
  /** Keys that one look tells of one by one; of more one notice tells. Default 100. */
  readonly singlyMax?: number;
}

/** A key that nobody used since that moment. */
interface Idle {
  readonly key: KeyRecord;
  readonly since: number;
}

/**
 * Journals, once for each time that a key is idle, that it has been for so long, and later disables it. A key that ends
 * by itself after its rotation is left to its end, and an admin key is told of and never disabled. One replica at a time
 * looks, at the keys whose time has come since the last look, and each goes on where the last one stopped.
 */
export function createUnusedKeys(
  { store, disable, adminScheme, holder, now, count }: UnusedKeysDependencies,
  options: UnusedKeysOptions,
): () => Promise<void> {
  const { notifyAfterMs, disableAfterMs, usageLagMs, leaseMs = 120_000 } = options;
  const { pageSize = 500, singlyMax = 100 } = options;

  return async () => {
    if (notifyAfterMs !== null) await look('unused-notices', notifyAfterMs, notify());
    if (disableAfterMs !== null) await look('unused-disabling', disableAfterMs, disableAll);
  };

  /** Does this with all whose time has come; nothing where the duty is another's. */
  async function look(
    duty: string,
    afterMs: number,
    work: (idle: readonly Idle[], until: number, isLast: boolean) => Promise<void>,
  ): Promise<void> {
    const claim = () => store.claimDuty(duty, holder, leaseMs);
    const progress = (await claim())?.progress ?? null;
    // A use that is not written yet is no less a use.
    let until = now() - afterMs - usageLagMs;
    if (progress === null || progress >= until) return;
    for (const by of idleMoments) {
      let range: IdleRange = { by, after: progress, until };
      for (;;) {
        const page = await store.listIdle(range, pageSize);
        // What the store does not know for certain yet is for a later look.
        until = Math.min(until, page.until);
        if (until <= progress) return;
        await work(idleOf(page.keys, { ...range, until }), until, false);
        if (page.last === null) break;
        if ((await claim()) === null) return;
        range = { ...range, until, last: page.last };
      }
    }
    await work([], until, true);
    await store.recordDuty(duty, holder, until);
  }

  function idleOf(keys: readonly KeyRecord[], { by, until }: IdleRange): Idle[] {
    return keys.flatMap((key) => {
      const idle = idleSince(key);
      // Of a key that was used or came back later, a later look is told by that.
      return idle.by === by && isIdle(idle, until) && mayBeUsed(key) ? [{ key, since: idle.at }] : [];
    });
  }

  function mayBeUsed(key: KeyRecord): boolean {
    return keyState(key, now()) === 'active' && key.rotatedTo === null;
  }

  function notify() {
    const quota = createNoticeQuota(now, {
      ...{ action: 'KeyUnused', unit: 'keys', max: singlyMax },
      windowMs: Number.POSITIVE_INFINITY,
    });
    return async (idle: readonly Idle[], until: number, isLast: boolean) => {
      const drafts = idle.flatMap((one) => draftOf(one, quota));
      const many = isLast ? quota.summary(true) : null;
      if (many !== null) drafts.push({ ...many, once: `unused many ${until}` });
      if (drafts.length > 0) await store.appendJournal(drafts);
      count('notified', idle.length);
    };
  }

  function draftOf({ key, since }: Idle, quota: NoticeQuota): JournalDraft[] {
    if (!quota.take()) {
      quota.count(key.id);
      return [];
    }
    const { id, name, lastUsedAt } = key;
    const isSpared = disableAfterMs === null || isAdminKey(key);
    const after = {
      ...{ name, last_used_at: lastUsedAt === null ? null : formatTime(lastUsedAt) },
      idle_since: formatTime(since),
      disabled_from: isSpared ? null : formatTime(since + disableAfterMs),
    };
    return [noticeDraft('KeyUnused', { key, after, once: `unused ${id} ${since}` })];
  }

  async function disableAll(idle: readonly Idle[], until: number): Promise<void> {
    const isStillIdle = (key: KeyRecord) =>
      isIdle(idleSince(key), until) && mayBeUsed(key) && !isAdminKey(key);
    const ids = idle.filter(({ key }) => !isAdminKey(key)).map(({ key }) => key.id);
    if (ids.length > 0) count('disabled', await disable(ids, isStillIdle));
  }

  function isAdminKey(key: KeyRecord): boolean {
    return key.scheme === adminScheme && isAdmin(key);
  }
}

/** From when on a key has been idle: from its latest use, or when it could be used again, and else from its creation. */
function idleSince({ createdAt, lastUsedAt, revivedAt }: KeyRecord): {
  readonly by: IdleRange['by'];
  readonly at: number;
} {
  if (revivedAt !== null && revivedAt > (lastUsedAt ?? 0)) return { by: 'revival', at: revivedAt };
  return lastUsedAt === null ? { by: 'creation', at: createdAt } : { by: 'use', at: lastUsedAt };
}

/** A creation is found by the time in the id, which may differ by a moment. */
function isIdle({ by, at }: ReturnType<typeof idleSince>, until: number): boolean {
  return by === 'creation' || at <= until;
}
