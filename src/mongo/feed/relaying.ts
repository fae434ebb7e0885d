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

/** `from` is where the stream begins; a lease is renewed every `everyMs`. */
export function createRelaying(
  relays: Pick<Relays, 'write' | 'reachedFrom' | 'claim'>,
  place: number,
  from: Timestamp,
  everyMs: number,
): Relaying {
  const heard = createHeard();
  let handedOn = from;
  let told: Timestamp | null = null;
  let handedOnAt = Number.NEGATIVE_INFINITY;
  let claimedAt = performance.now();
  let notedAt = Number.NEGATIVE_INFINITY;

  const newsUpTo = (upTo: Timestamp) => heard.upTo(upTo);
  const isDue = (upTo: Timestamp): boolean =>
    upTo.greaterThan(handedOn) &&
    (newsUpTo(upTo).length > 0 || performance.now() - handedOnAt >= everyMs * progressRenewals);

  function isHandedOn(time: Timestamp): void {
    heard.handedOn(time);
    handedOn = time;
    handedOnAt = performance.now();
  }

  /** What another relay has handed on meanwhile need not be handed on again: each page wakes the whole fleet. */
  async function passOver(upTo: Timestamp): Promise<void> {
    const reached = await relays.reachedFrom(handedOn);
    if (reached.greaterThan(handedOn)) isHandedOn(reached.greaterThan(upTo) ? upTo : reached);
  }

  return {
    note(event, time) {
      notedAt = performance.now();
      heard.note(event, time);
    },
    reached(time) {
      if (told === null || time.greaterThan(told)) told = time;
    },
    pause: (wait) => wait(Math.min(relayTickMsOf(performance.now() - notedAt < hurriedForMs), everyMs / 4)),
    isFull: () => heard.size() >= pageSize,
    async handOn(seen) {
      const upTo = told;
      if (upTo !== null && isDue(upTo)) await passOver(upTo);
      if (upTo !== null && isDue(upTo)) {
        await relays.write({ from: handedOn, upTo, seen: seen ?? upTo, told: newsUpTo(upTo) });
        isHandedOn(upTo);
      }
      if (performance.now() - claimedAt < everyMs * claimRenewals) return true;
      claimedAt = performance.now();
      return (await relays.claim(place)) !== null;
    },
  };
}
