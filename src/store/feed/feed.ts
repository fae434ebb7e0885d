import type { KeyId } from '../../keys/key.ts';
import type { Digest } from '../../keys/secret.ts';
import type { KeyPage } from '../records/key-pages.ts';

export interface Feed {
  /**
   * Called for every change of a key, on any replica, once or more. A change that this process made has been
   * delivered when its promise resolves. One subscriber, given before `Store.open`.
   */
  subscribe(subscriber: FeedSubscriber): void;
  /**
   * Whether memory may answer at this instant: everything that was committed before some instant no longer
   * ago than the staleness bound has been delivered to the subscriber.
   */
  isFresh(): boolean;
  /**
   * How long ago what memory knows was certainly all there is, in milliseconds: 0 where nobody else can change
   * it, or where nothing is remembered; Infinity where that cannot be told.
   */
  lagMs(): number;
  /**
   * At most `size` keys that are older than `before`, the newest where it is null. Whoever has read all pages, and was
   * told of each change meanwhile, with the digest of whatever is made or changed, knows all digests. Null where memory
   * is to read a key when it is asked for.
   */
  readonly readPage: ((before: KeyId | null, size: number) => Promise<KeyPage>) | null;
}

export interface FeedSubscriber {
  /** A key was made, changed or removed. `digest` is given where the feed carries it, always for a new key. */
  onChange(id: KeyId, digest: Digest | null): void;
  /** An owner was put. */
  onOwnerChange(id: string): void;
  /** A role was put or deleted. */
  onRoleChange(id: string): void;
  /** Changes may have been missed: nothing that is remembered may be used. */
  onGap(): void;
  /**
   * Resolves when what was told so far holds wherever memory answers: in this process that is at once, where the
   * subscriber has no such method.
   */
  applied?(): Promise<void>;
}
