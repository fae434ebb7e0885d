import type { KeyId } from '../../keys/key.ts';
import type { Digest } from '../../keys/secret.ts';
import type { FeedSubscriber } from '../../store/feed/feed.ts';

/** A subscriber that hears of a key which this process has made once: when it was made, or by the feed. */
export interface ToldOnce {
  /** For the feed. */
  readonly feed: FeedSubscriber;
  /** For whatever else this process has changed. */
  readonly own: FeedSubscriber;
  /** This process has made this key, and a majority has it. */
  made(id: KeyId, digest: Digest): void;
  /** This process is about to make this key, of which nobody has heard: that it was made is told to nobody. */
  makes(id: KeyId, digest: Digest): void;
}

/** Keys that were told by one and not yet by the other; of more the oldest are told twice. */
const keptMax = 10_000;

/**
 * Whoever makes a key says so as soon as it is there, since its caller may use it at once; the feed says the same a moment
 * later or, at times, before. Either comes after the commit, and reads that begin after it find the key, so one is
 * enough. An import of many keys would else be told to each Check worker twice.
 *
 * That is so of keys that are made alone. Of what becomes of them later the feed always tells, in its order.
 */
export function createToldOnce(subscriber: FeedSubscriber): ToldOnce {
  const madeHere = createRecent();
  const toldByFeed = createRecent();

  return {
    own: subscriber,
    feed: {
      ...subscriber,
      onChange(id, digest) {
        // A digest comes with a key that is made, or gets another one; never with what else changes of it.
        if (digest !== null && madeHere.take(id, digest)) return;
        if (digest !== null) toldByFeed.add(id, digest);
        subscriber.onChange(id, digest);
      },
      onGap() {
        madeHere.clear();
        toldByFeed.clear();
        subscriber.onGap();
      },
    },
    made(id, digest) {
      if (toldByFeed.take(id, digest)) return;
      madeHere.add(id, digest);
      subscriber.onChange(id, digest);
    },
    // Before the commit, as the feed often knows of it sooner than whoever waits for the answer.
    makes: (id, digest) => madeHere.add(id, digest),
  };
}

function createRecent() {
  const kept = new Map<KeyId, Digest>();
  return {
    add(id: KeyId, digest: Digest): void {
      if (kept.size >= keptMax) for (const oldest of kept.keys()) if (kept.delete(oldest)) break;
      kept.set(id, digest);
    },
    /** Whether it was there; it is not any more. */
    take: (id: KeyId, digest: Digest) => kept.get(id) === digest && kept.delete(id),
    clear: () => kept.clear(),
  };
}
