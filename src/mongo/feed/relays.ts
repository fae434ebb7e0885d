import type { Db, Timestamp } from 'mongodb';
import { createDutyCollection } from '../records/duties.ts';
import type { Sessions } from '../sessions.ts';
import { createAwaitedPages, NotCapped } from './awaited-pages.ts';
import type { Pages } from './pages.ts';
import { createPolledPages } from './polled-pages.ts';

/**
 * What a few replicas read of the change stream and hand on to all others. A page says by itself what it is of, so that
 * any number of relays may write, the same twice too, and a reader goes on from page to page as far as they join.
 */
export interface Relays extends Omit<Pages, 'latest' | 'check'> {
  /** Whether readers are woken by a page; else they look for pages now and then. */
  isAwaited(): boolean;
  /** How far others have handed on what comes after this time, as far as their pages join; this time where they have not. */
  reachedFrom(time: Timestamp): Promise<Timestamp>;
  /** Where a relay that has come to this time begins, so that readers find no page missing: where the last page ends. */
  beginningFor(at: Timestamp): Promise<Timestamp>;
  /** Becomes a relay, or stays the one of this place. Answers the place; null where others are. */
  claim(place: number | null): Promise<number | null>;
  giveBack(place: number): Promise<void>;
}

export interface RelaysOptions {
  readonly runId: string;
  /** How long a place is a relay's that says nothing, too. */
  readonly stalenessMaxMs: number;
  /** So long pages that cannot be waited for are taken for such. Default a minute. */
  readonly lookAgainMs?: number;
}

/** One that ends without a word is made up for by the other. */
const places = 2;
const lateMaxSeconds = 60;
/** Of a cluster time. */
const secondsOf = (time: Timestamp) => time.getHighBitsUnsigned();

/**
 * Where pages can be waited for they are, and else looked for. Each of the two has relays and a collection of its own, so
 * that replicas of a version before this, which only look for them, are served by each other for as long as there are some.
 */
export function createRelays(
  database: Db,
  sessions: Sessions,
  { runId, stalenessMaxMs, lookAgainMs = 60_000 }: RelaysOptions,
): Relays {
  const duties = createDutyCollection(database, sessions);
  const awaited = createAwaitedPages(database, sessions);
  const polled = createPolledPages(database, sessions);
  let isAwaited = true;
  let lookAgainAt = performance.now() + lookAgainMs;
  const pages = () => (isAwaited ? awaited : polled);
  const dutyOf = (place: number) => (isAwaited ? `relay changes at once ${place}` : `relay changes ${place}`);
  const isOurs = async (place: number) =>
    (await duties.claimDuty(dutyOf(place), runId, stalenessMaxMs)) !== null ? place : null;

  /** Where pages turn out not to be such as can be waited for, they are looked for from then on. */
  async function orPolled<T>(work: (pages: Pages) => Promise<T>): Promise<T> {
    try {
      return await work(pages());
    } catch (error) {
      if (!(error instanceof NotCapped)) throw error;
      isAwaited = false;
      return work(polled);
    }
  }
  const latest = () => orPolled((from) => from.latest());
  const check = () => orPolled((from) => from.check());

  /** The collection may have been dropped, or the user given a right, since pages were found to be none that can be waited for. */
  async function lookAgain(): Promise<void> {
    if (isAwaited || performance.now() < lookAgainAt) return;
    lookAgainAt = performance.now() + lookAgainMs * (1 + Math.random());
    isAwaited = true;
    await check();
    await latest();
  }

  return {
    isAwaited: () => isAwaited,
    write: (page) => pages().write(page),
    read: (...asked) => orPolled((from) => from.read(...asked)),
    close: awaited.close,
    async reachedFrom(time) {
      let reached = time;
      for (const { from, upTo } of await latest()) {
        if (!from.greaterThan(reached) && upTo.greaterThan(reached)) reached = upTo;
      }
      return reached;
    },
    async beginningFor(at) {
      await check();
      const ends = (await latest()).map(({ upTo }) => upTo);
      const end = ends.reduce<Timestamp | null>((last, one) => (last?.greaterThan(one) ? last : one), null);
      // Older ones are those of a restored database, or of a fleet that was large once.
      return end?.lessThan(at) && secondsOf(at) - secondsOf(end) < lateMaxSeconds ? end : at;
    },
    async claim(place) {
      const was = isAwaited;
      await lookAgain();
      if (place !== null) {
        await check();
        // A relay whose pages nobody can wait for has no place among those whose pages are looked for.
        return was === isAwaited ? isOurs(place) : null;
      }
      for (let at = 0; at < places; at++) if ((await isOurs(at)) !== null) return at;
      return null;
    },
    async giveBack(place) {
      await duties.claimDuty(dutyOf(place), runId, 0);
    },
  };
}
