import type { Timestamp } from 'mongodb';
import { pagesAtOnce, type RelayedPage, type Relays } from './relays.ts';
import { hurriedForMs } from './tick.ts';

export interface FollowDependencies {
  readonly relays: Pick<Relays, 'read' | 'claim'>;
  readonly take: (page: RelayedPage) => void;
  /** Whether it is to go on: the fleet is large, and the feed not stopped. */
  readonly goesOn: () => boolean;
  readonly onProgress: () => void;
  /** Ends early when the feed stops. */
  readonly pause: (ms: number) => Promise<void>;
  /** So long it waits between two reads, sooner just after there was news. */
  readonly tickMsOf: (isHurried: boolean) => number;
  /** So often a lease is renewed. */
  readonly everyMs: number;
}

/** In renewals: where nothing has come for so long the relays may be gone. */
const standRenewals = 0.75;
/** And for so long it is better to have a stream of its own for a moment. */
const standRenewalsMax = 1.5;
/** So often, in renewals, each replica tries whether a relay is missing: a large fleet does so all the time. */
const tryRenewals = 5;

/**
 * Reads what relays hand on, from this time on. Resolves to the place of a relay that this replica has taken; to null
 * where it is to read the stream itself, since the fleet is small, or relays have left something out or are gone.
 */
export async function followRelays(
  from: Timestamp,
  dependencies: FollowDependencies,
): Promise<number | null> {
  const { relays, take, goesOn, onProgress, pause, tickMsOf, everyMs } = dependencies;
  const standMs = everyMs * standRenewals;
  let at = from;
  let movedAt = performance.now();
  let toldAt = Number.NEGATIVE_INFINITY;
  /** Whether it has tried to be a relay since. */
  let hasTried = false;
  let tryAt = movedAt + everyMs * tryRenewals * Math.random();
  // At once where a fleet has just become large.
  let standingTryAt = movedAt;
  // Replicas that began at the same moment do not read at the same moment.
  await pause(tickMsOf(false) * Math.random());
  while (goesOn()) {
    const before = at;
    const pages = await relays.read(at);
    for (const page of pages) {
      // One that begins later says nothing of what is between.
      if (page.from.greaterThan(at)) continue;
      take(page);
      at = page.upTo;
      if (page.told.length > 0) toldAt = performance.now();
    }
    const now = performance.now();
    if (at !== before) {
      onProgress();
      movedAt = now;
      hasTried = false;
      standingTryAt = now + standMs * (1 + Math.random());
      if (pages.length === pagesAtOnce) continue;
    } else if (pages.length > 0 || (hasTried && now - movedAt > everyMs * standRenewalsMax)) return null;
    if (now >= Math.min(tryAt, standingTryAt)) {
      const place = await relays.claim(null);
      if (place !== null) return place;
      hasTried = true;
      tryAt = now + everyMs * tryRenewals * (0.5 + Math.random());
      standingTryAt = now + standMs * (1 + Math.random());
    }
    await pause(tickMsOf(now - toldAt < hurriedForMs));
  }
  return null;
}
