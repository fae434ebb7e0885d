import type { JournalDraft, NoticeAction } from '../journal/journal.ts';
import type { KeyId, KeyRecord } from '../keys/key.ts';
import { nullIfBad, type Store } from '../store/store.ts';
import { createNoticeQuota, type NoticeQuota } from './notice-quota.ts';

/** Journals notices about keys: so many of a kind one by one in a minute, and of more one that tells of all. */
export interface KeyNotices<Action extends NoticeAction> {
  /**
   * Resolves once they are written, or counted. Where it rejects none of them is. Past the quota a key costs no read
   * and no entry of its own; keys that are gone or broken are left out.
   */
  tell<T extends { readonly key: KeyId }>(
    action: Action,
    about: readonly T[],
    draftOf: (one: T, key: KeyRecord) => JournalDraft,
  ): Promise<void>;
  /** Tells of those that were only counted, where their minute is over, or `isLast`. */
  tellMany(isLast: boolean): Promise<void>;
}

export interface KeyNoticesDependencies {
  readonly store: Pick<Store, 'getKey' | 'appendJournal'>;
  /** Unix milliseconds. */
  readonly now: () => number;
}

const windowMs = 60_000;
/** Notices of many that wait for the store. */
const untoldMax = 10;

/** @param singlyMax notices of a kind that are told one by one within a minute */
export function createKeyNotices<Action extends NoticeAction>(
  { store, now }: KeyNoticesDependencies,
  actions: readonly Action[],
  singlyMax = 100,
): KeyNotices<Action> {
  const quotas = new Map(
    actions.map((action): [Action, NoticeQuota] => [
      action,
      createNoticeQuota(now, { action, unit: 'keys', max: singlyMax, windowMs }),
    ]),
  );
  let untold: JournalDraft[] = [];

  return {
    async tell(action, about, draftOf) {
      const quota = quotas.get(action) as NoticeQuota;
      const drafts = summaries(false, [quota]);
      let taken = 0;
      while (taken < about.length && quota.take()) taken++;
      const singly = about.slice(0, taken);
      try {
        for (const one of singly) {
          const key = await store.getKey(one.key).catch(nullIfBad);
          if (key !== null) drafts.push(draftOf(one, key));
        }
        if (drafts.length > 0) await store.appendJournal(drafts);
        untold = [];
      } catch (error) {
        quota.giveBack(taken);
        throw error;
      }
      for (const { key } of about.slice(taken)) quota.count(key);
    },
    async tellMany(isLast) {
      const drafts = summaries(isLast, [...quotas.values()]);
      if (drafts.length === 0) return;
      await store.appendJournal(drafts);
      untold = [];
    },
  };

  /** Of these that are due, and of those that could not be written yet. */
  function summaries(isLast: boolean, due: readonly NoticeQuota[]): JournalDraft[] {
    untold.push(...due.flatMap((quota) => quota.summary(isLast) ?? []));
    untold = untold.slice(-untoldMax);
    return [...untold];
  }
}
