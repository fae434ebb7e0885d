import type { Timestamp } from 'mongodb';
import { pagesAtOnce, type RelayedPage } from './pages.ts';
import type { Relays } from './relays.ts';
import { hurriedForMs } from './tick.ts';

export interface FollowDependencies {
  readonly relays: Pick<Relays, 'read' | 'close' | 'isAwaited' | 'claim'>;
  readonly take: (page: RelayedPage) => void;
  /** Whether it is to go on: the fleet is large, and the feed not stopped. */
  readonly goesOn: () => boolean;
  readonly onProgress: () => void;
  /** Ends early when the feed stops. */
  readonly pause: (ms: number) => Promise<void>;
  /** About how many replicas there are. */
  readonly size: () => number;
  /** Where pages cannot be waited for, so long it waits between two looks, sooner just after there was news. */
  readonly tickMsOf: (isHurried: boolean) => number;
  /** So often a lease is renewed. */
  readonly everyMs: number;
}

/** In renewals: where nothing has come for so long the relays may be gone. */
const standRenewals = 0.75;
/** And for so long it is better to have a stream of its own for a moment; not before it has looked once more for so long. */
const standRenewalsMax = 1.5;
const lastLookRenewals = 0.25;
/** So often, in renewals, each replica tries whether a relay is missing, and each of more than so many as much less often. */
const tryRenewals = 5;
const tryReplicas = 40;
const beginMaxMs = 250;
/** Of a renewal: those who find at one moment that a page is missing do not begin streams at one moment. */
const tornPart = 0.1;

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
  const tryMs = () => everyMs * tryRenewals * Math.max(1, dependencies.size() / tryReplicas);
  let at = from;
  let movedAt = performance.now();
  let toldAt = Number.NEGATIVE_INFINITY;
  /** When it has tried to be a relay, if it has since. */
  let triedAt: number | null = null;
  let tryAt = movedAt + tryMs() * Math.random();
  // At once where a fleet has just become large.
  let standingTryAt = movedAt;
  const standsUntil = () =>
    triedAt === null
      ? Number.POSITIVE_INFINITY
      : Math.max(movedAt + everyMs * standRenewalsMax, triedAt + everyMs * lastLookRenewals);
  /** Until there is something to do though no page has come. */
  const waitMs = (now: number) =>
    relays.isAwaited()
      ? Math.max(1, Math.min(tryAt, standingTryAt, standsUntil()) - now)
      : tickMsOf(now - toldAt < hurriedForMs);
  // Replicas that began at the same moment do not read at the same moment.
  let nextMs = beginMaxMs * Math.random();
  try {
    while (goesOn()) {
      const before = at;
      const pages = await relays.read(before, () => pause(nextMs));
      const unknown = pages.filter(({ upTo }) => upTo.greaterThan(before));
      for (const page of unknown) {
        // One that begins later says nothing of what is between.
        if (page.from.greaterThan(at) || !page.upTo.greaterThan(at)) continue;
        take(page);
        at = page.upTo;
        if (page.told.length > 0) toldAt = performance.now();
      }
      const now = performance.now();
      if (at !== before) {
        onProgress();
        movedAt = now;
        triedAt = null;
        standingTryAt = now + standMs * (1 + Math.random());
      } else if (unknown.length > 0) {
        await pause(everyMs * tornPart * Math.random());
        return null;
      } else if (now >= standsUntil()) return null;
      if (now >= Math.min(tryAt, standingTryAt)) {
        const place = await relays.claim(null);
        if (place !== null) return place;
        triedAt ??= performance.now();
        tryAt = now + tryMs() * (0.5 + Math.random());
        standingTryAt = now + standMs * (1 + Math.random());
      }
      nextMs = pages.length >= pagesAtOnce ? 0 : waitMs(performance.now());
    }
    return null;
  } finally {
    relays.close();
  }
}
