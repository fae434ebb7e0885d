import type { Timestamp } from 'mongodb';
import type { Relays } from './relays.ts';
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
}

/** Changes in one page. */
const pageSize = 500;
/** A relay says that it is there. */
const claimEveryMs = 1_000;

/** `from` is where the stream begins. */
export function createRelaying(relays: Relays, place: number, from: Timestamp): Relaying {
  const heard = createHeard();
  let handedOn = from;
  let told: Timestamp | null = null;
  let claimedAt = performance.now();

  return {
    note: heard.note,
    reached(time) {
      if (told === null || time.greaterThan(told)) told = time;
    },
    isFull: () => heard.size() >= pageSize,
    async handOn(seen) {
      const upTo = told;
      if (upTo?.greaterThan(handedOn)) {
        await relays.write({ from: handedOn, upTo, seen: seen ?? upTo, told: heard.upTo(upTo) });
        heard.handedOn(upTo);
        handedOn = upTo;
      }
      if (performance.now() - claimedAt < claimEveryMs) return true;
      claimedAt = performance.now();
      return (await relays.claim(place)) !== null;
    },
  };
}
