/**
 * How far memory may be trusted. A beat is a mark that is sent to where changes come from, and comes back on the same
 * way as they do: what was written before the beat has been delivered by then, so memory is at most as old as the
 * beat. A replica sends its beats to MongoDB, by majority; a Check worker sends its own to the service.
 */
export interface Lease {
  /** Numbers a beat that is about to be written; memory's age counts from this call. */
  begin(): number;
  /**
   * This beat has come back, after all that came before it. `lagMs`, 0 unless it is given, is how old what it came back
   * from was itself; with Infinity memory may not be trusted.
   */
  seen(beat: number, lagMs?: number): void;
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
    seen(beat, lagMs = 0) {
      const began = underWay.get(beat);
      if (began === undefined) return;
      for (const earlier of underWay.keys()) {
        if (earlier <= beat) underWay.delete(earlier);
      }
      heldSince = { monotonic: began.monotonic - lagMs, wall: began.wall - lagMs };
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
