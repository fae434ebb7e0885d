/** Sees when the system's clock is set. */
export interface ClockWatch {
  /** Looks at intervals from now on. */
  start(): void;
  stop(): void;
  /** What is done at each interval: compares how far both clocks went since the last look. */
  look(): void;
}

export interface ClockWatchDependencies {
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds of a clock that never goes back. */
  readonly monotonic: () => number;
  /** Told of each step: milliseconds, negative for one back. A sleep of the machine is a step forward. */
  readonly onStep: (byMs: number) => void;
}

const everyMs = 10_000;
/** Less is what a time server corrects. */
const stepMsMin = 2_000;

/** Expiry and rate-limit windows follow the system's clock, so a step of it is worth a line; nothing else comes of it. */
export function createClockWatch({ now, monotonic, onStep }: ClockWatchDependencies): ClockWatch {
  let offset = now() - monotonic();
  let timer: NodeJS.Timeout | null = null;

  function look(): void {
    const current = now() - monotonic();
    const byMs = current - offset;
    offset = current;
    if (Math.abs(byMs) >= stepMsMin) onStep(Math.round(byMs));
  }

  return {
    start() {
      timer ??= setInterval(look, everyMs).unref();
    },
    stop() {
      if (timer !== null) clearInterval(timer);
      timer = null;
    },
    look,
  };
}
