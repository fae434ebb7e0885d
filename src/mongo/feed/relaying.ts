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
export function createRelaying(relays: Relays, place: number, from: Timestamp, everyMs: number): Relaying {
  const heard = createHeard();
  let handedOn = from;
  let told: Timestamp | null = null;
  let handedOnAt = Number.NEGATIVE_INFINITY;
  let claimedAt = performance.now();
  let notedAt = Number.NEGATIVE_INFINITY;

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
      const news = upTo === null ? [] : heard.upTo(upTo);
      const isDue = news.length > 0 || performance.now() - handedOnAt >= everyMs * progressRenewals;
      if (isDue && upTo?.greaterThan(handedOn)) {
        await relays.write({ from: handedOn, upTo, seen: seen ?? upTo, told: news });
        heard.handedOn(upTo);
        handedOn = upTo;
        handedOnAt = performance.now();
      }
      if (performance.now() - claimedAt < everyMs * claimRenewals) return true;
      claimedAt = performance.now();
      return (await relays.claim(place)) !== null;
    },
  };
}
