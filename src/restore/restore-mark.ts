import { eventId } from '../journal/journal.ts';
import type { Store } from '../store/store.ts';
import { formatTimeMs } from '../time/time.ts';

/**
 * Stands in a store that was restored from a backup, until somebody has made up for the changes that it lacks, or has
 * accepted that they are lost: a key that was revoked since the backup would be allowed again.
 */
export interface RestoreMark {
  /** When it was restored, Unix milliseconds. */
  readonly at: number;
  /** The last entry of the journal that the backup has: its sequence, 0 for none, and its hash. */
  readonly sequence: number;
  readonly hash: string;
}

/** A store that knows whether it was restored. */
export interface RestorableStore extends Store {
  /** Null where it was not, or what was lost is settled. */
  getRestoreMark(): Promise<RestoreMark | null>;
  /** Null takes the mark away. Durable when it resolves. */
  putRestoreMark(mark: RestoreMark | null): Promise<void>;
}

/** The store was restored and lacks what was changed since: it must not be served from. */
export class RestoredStore extends Error {
  constructor(mark: RestoreMark) {
    super(
      `the store was restored from a backup at ${formatTimeMs(mark.at)} and has no change after ` +
        `${eventId(mark.sequence)}: keys that were revoked since would be allowed; run "postern restore replay" with ` +
        'an export of the audit log, or "postern restore accept" to do without those changes',
    );
    this.name = 'RestoredStore';
  }
}

/** Reads a mark that was kept; one that cannot be read still is one. */
export function readMark(value: unknown): RestoreMark {
  const { at, sequence, hash } = Object(value) as Partial<Record<keyof RestoreMark, unknown>>;
  return { at: Number(at) || 0, sequence: Number(sequence) || 0, hash: String(hash) };
}
