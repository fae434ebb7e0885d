import type { Timestamp } from 'mongodb';
import type { Relays } from './relays.ts';
import { hurriedForMs, relayTickMsOf } from './tick.ts';
import { createHeard, type Told } from './told.ts';

/** Hands on what one stream tells, from one time on. */
export interface Relaying {
  note(told: Told, time: Timestamp): void;
  /** The stream has told of everything up to this time. */
  reached(time: Timestamp): void;
  /** Whether so much waits that it is to be handed on before the stream has told of the rest. */
  isFull(): boolean;
  /** Hands on what was told so far; says whether this replica still has its place as a relay. */
  handOn(seen: Timestamp | null): Promise<boolean>;
  /** Waits until the stream is to be read again: less long just after there was news. */
  pause(wait: (ms: number) => Promise<void>): Promise<void>;
}

/** Changes in one page. */
const pageSize = 500;
/** In renewals of a lease: how often a relay says that it is there, and how far it has looked where there is no news. */
const claimRenewals = 5 / 3;
const progressRenewals = 1 / 2;

/** What nobody waits for is gathered for so long: each page wakes the whole fleet. */
const gatherMaxMs = 250;
/** Pages for which somebody waits, with a mark, are so far apart for each replica that they wake. */
const apartOfOneMs = 0.1;

export interface RelayingDependencies {
  readonly relays: Pick<Relays, 'write' | 'reachedFrom' | 'claim'>;
  readonly place: number;
  /** Where the stream begins. */
  readonly from: Timestamp;
  /** So often a lease is renewed. */
  readonly everyMs: number;
  /** About how many replicas there are. */
  readonly size: () => number;
  /** Milliseconds of a clock that is never set back. */
  readonly monotonic?: () => number;
}

export function createRelaying(dependencies: RelayingDependencies): Relaying {
  const { relays, place, from, everyMs, size, monotonic = () => performance.now() } = dependencies;
  const heard = createHeard();
  let handedOn = from;
  let told: Timestamp | null = null;
  let handedOnAt = Number.NEGATIVE_INFINITY;
  let claimedAt = monotonic();
  let notedAt = Number.NEGATIVE_INFINITY;
  /** Of the first that waits to be handed on. */
  let waitsSince = Number.POSITIVE_INFINITY;

  const isFull = () => heard.size() >= pageSize;

  function isDue(upTo: Timestamp): boolean {
    if (!upTo.greaterThan(handedOn)) return false;
    const news = heard.upTo(upTo);
    const sinceMs = monotonic() - handedOnAt;
    if (news.length === 0) return sinceMs >= everyMs * progressRenewals;
    if (news.some(([kind]) => kind === 'ask')) return sinceMs >= size() * apartOfOneMs;
    return isFull() || monotonic() - waitsSince >= Math.min(gatherMaxMs, everyMs / 4);
  }

  function isHandedOn(time: Timestamp): void {
    heard.handedOn(time);
    handedOn = time;
    handedOnAt = monotonic();
    if (heard.size() === 0) waitsSince = Number.POSITIVE_INFINITY;
  }

  /** What another relay has handed on meanwhile need not be handed on again: each page wakes the whole fleet. */
  async function passOver(upTo: Timestamp): Promise<void> {
    const reached = await relays.reachedFrom(handedOn);
    if (reached.greaterThan(handedOn)) isHandedOn(reached.greaterThan(upTo) ? upTo : reached);
  }

  return {
    note(event, time) {
      notedAt = monotonic();
      waitsSince = Math.min(waitsSince, notedAt);
      heard.note(event, time);
    },
    reached(time) {
      if (told === null || time.greaterThan(told)) told = time;
    },
    pause: (wait) => wait(Math.min(relayTickMsOf(monotonic() - notedAt < hurriedForMs), everyMs / 4)),
    isFull,
    async handOn(seen) {
      const upTo = told;
      if (upTo !== null && isDue(upTo)) await passOver(upTo);
      if (upTo !== null && isDue(upTo)) {
        await relays.write({ from: handedOn, upTo, seen: seen ?? upTo, told: heard.upTo(upTo) });
        isHandedOn(upTo);
      }
      if (monotonic() - claimedAt < everyMs * claimRenewals) return true;
      claimedAt = monotonic();
      return (await relays.claim(place)) !== null;
    },
  };
}
