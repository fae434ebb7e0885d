import type { Timestamp } from 'mongodb';
import type { Told } from './told.ts';

/** Everything that a change stream has told of after one time and up to another. */
export interface RelayedPage {
  readonly from: Timestamp;
  readonly upTo: Timestamp;
  /** The latest that the stream had seen: reads that are made for these changes are no older. */
  readonly seen: Timestamp;
  readonly told: readonly Told[];
}

/** Where pages are kept, and how readers come by them. */
export interface Pages {
  /** Durable by majority when it resolves. */
  write(page: RelayedPage): Promise<void>;
  /**
   * Pages that lead beyond this time, those of one relay in their order. Resolves to none when what `wait` returned has
   * resolved, and there are none; pages that cannot be waited for are looked for then.
   */
  read(after: Timestamp, wait: () => Promise<void>): Promise<RelayedPage[]>;
  /** Where the last pages lead from and to, in their order. */
  latest(): Promise<readonly Pick<RelayedPage, 'from' | 'upTo'>[]>;
  /** Rejects with `NotCapped` where they cannot be waited for, as `read` and `latest` do. */
  check(): Promise<void>;
  /** Ends what `read` has begun. */
  close(): void;
}

/** As many are read at once, at most, where they are looked for. */
export const pagesAtOnce = 100;
