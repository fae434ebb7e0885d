/**
 * How far memory may be trusted. A beat is a mark that this replica writes to the store by majority and
 * then sees come back through the change stream: what was written before the beat has been delivered by
 * then, so memory is at most as old as the beat.
 */
export interface Lease {
  /** Numbers a beat that is about to be written; memory's age counts from this call. */
  begin(): number;
  /** The change stream has delivered this beat, and has delivered all that came before it. */
  seen(beat: number): void;
  /** Memory may not be trusted until a beat is seen that began after this call. */
  end(): void;
  isHeld(): boolean;
  /** How old memory is; Infinity where no beat has been seen since memory was given up. */
  ageMs(): number;
}

export interface LeaseDependencies {
  readonly stalenessMaxMs: number;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds of a clock that is never set back. */
  readonly monotonic: () => number;
}

interface Instant {
  readonly monotonic: number;
  readonly wall: number;
}

/** Beats under way that are remembered; of more than this only the latest can still count. */
const beatsMax = 100;

export function createLease(dependencies: LeaseDependencies): Lease {
  const { stalenessMaxMs, now, monotonic } = dependencies;
  const underWay = new Map<number, Instant>();
  let lastBeat = 0;
  let heldSince: Instant | null = null;

  return {
    begin() {
      lastBeat++;
      underWay.set(lastBeat, { monotonic: monotonic(), wall: now() });
      const [oldest] = underWay.keys();
      if (underWay.size > beatsMax && oldest !== undefined) underWay.delete(oldest);
      return lastBeat;
    },
    seen(beat) {
      const began = underWay.get(beat);
      if (began === undefined) return;
      for (const earlier of underWay.keys()) {
        if (earlier <= beat) underWay.delete(earlier);
      }
      heldSince = began;
    },
    end() {
      underWay.clear();
      heldSince = null;
    },
    isHeld: () => ageMs() < stalenessMaxMs,
    ageMs,
  };

  function ageMs(): number {
    if (heldSince === null) return Infinity;
    // A machine that slept stops its monotonic clock; the wall clock may be set. The older age counts.
    return Math.max(monotonic() - heldSince.monotonic, now() - heldSince.wall);
  }
}
