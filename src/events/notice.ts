import type { JournalDraft, NoticeAction } from '../journal/journal.ts';
import type { KeyRecord } from '../keys/key.ts';

export interface Notice {
  /** The key that it is about; absent for none. */
  readonly key?: Pick<KeyRecord, 'id' | 'name' | 'owner'>;
  /** Absent for none, or for more than one. */
  readonly address?: string | undefined;
  /** What it says, as JSON values. */
  readonly after: Readonly<Record<string, unknown>>;
  /** A second notice with the same is not written. */
  readonly once: string;
}

/** What is written into the journal of something that an operator wants to hear of. */
export function noticeDraft(action: NoticeAction, { key, address, after, once }: Notice): JournalDraft {
  return {
    ...{ kind: 'notice', actor: null, action, target: key?.id ?? null },
    ...{ targetName: key?.name ?? null, owner: key?.owner ?? null },
    ...{ outcome: 'ok', error: null, address: address ?? null, requestId: null, before: null, after, once },
  };
}
