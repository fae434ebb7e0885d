import type { KeyId, KeyRecord } from '../keys/key.ts';
import type { JournalDraft, JournalEntry } from './journal.ts';

/**
 * The part of the store's contract that is about the journal, and about what is told to operators. All that
 * `store.ts` says of every method holds here too.
 */
export interface JournalStore {
  /** Writes the drafts in their order, but for those whose `once` was written before. Durable when it resolves. */
  appendJournal(drafts: readonly JournalDraft[]): Promise<void>;
  /** Entries that the filter keeps, at most `size`. A page sees every entry that was committed before the call. */
  listJournal(filter: JournalFilter, page: JournalPage): Promise<JournalEntry[]>;
  /**
   * Remembers that these addresses used these keys, and answers those that are new to a key which had used another
   * before, the uses taken one after another. Of one key {@link keyAddressesMax} are remembered; past it nothing is new any more.
   */
  noteAddresses(uses: readonly AddressUse[]): Promise<readonly AddressUse[]>;
  /** Keys that are not revoked and whose `expiresAt` lies in the range, by `expiresAt` and then id, at most `size`. */
  listExpiring(range: ExpiryRange, size: number): Promise<KeyRecord[]>;
  /**
   * Keys in whatever state of which the moment that the range is about lies in it, in the order of these moments, from at
   * most `size` of them. A key whose latest use is later than the range may be among them, too.
   */
  listIdle(range: IdleRange, size: number): Promise<IdlePage>;
  /**
   * Takes on, or keeps, a duty that one replica at a time has, for `forMs` by the store's own clock. Answers how far
   * it has been done, 0 if never; null while another holder has it.
   */
  claimDuty(duty: string, holder: string, forMs: number): Promise<DutyProgress | null>;
  /** Records how far a duty has been done; false, and nothing recorded, where the holder has it no more. */
  recordDuty(duty: string, holder: string, progress: number): Promise<boolean>;
}

/** Absent members do not filter. */
export interface JournalFilter {
  readonly kind?: JournalEntry['kind'];
  readonly owner?: string;
  readonly actor?: string;
  readonly action?: string;
  readonly target?: string;
  readonly outcome?: JournalEntry['outcome'];
  /** At this time (Unix milliseconds) or later. */
  readonly since?: number;
  /** Before this time. */
  readonly until?: number;
}

export interface JournalPage {
  readonly order: 'newest' | 'oldest';
  /** The sequence after which, in that order, the page begins; null for the beginning. */
  readonly after: number | null;
  readonly size: number;
  /** It may lack what others have committed last, for whoever looks again soon. Default false. */
  readonly mayLag?: boolean;
}

export interface AddressUse {
  readonly key: KeyId;
  /** An IP address. */
  readonly address: string;
}

/** Addresses that are remembered of one key. */
export const keyAddressesMax = 100;

/** Unix milliseconds: after `after` and up to `until`; a page goes on after the key that was its last. */
export interface ExpiryRange {
  readonly after: number;
  readonly until: number;
  readonly last?: { readonly id: KeyId; readonly expiresAt: number };
}

/** From when on a key may have been idle: its latest use, its creation where it was never used, its revival. */
export const idleMoments = ['use', 'creation', 'revival'] as const;

/** Unix milliseconds: after `after` and up to `until`; a page goes on behind the last place of the one before. */
export interface IdleRange {
  readonly by: (typeof idleMoments)[number];
  readonly after: number;
  readonly until: number;
  readonly last?: IdlePlace;
}

export interface IdlePlace {
  /** Unix milliseconds, as the store has it. */
  readonly at: number;
  readonly id: KeyId;
}

export interface IdlePage {
  readonly keys: readonly KeyRecord[];
  /** Null where there is no more. */
  readonly last: IdlePlace | null;
  /** How far the store knows all uses so that it finds these keys: the end of the range, or earlier, and no further is looked. */
  readonly until: number;
}

export interface DutyProgress {
  readonly progress: number;
}
