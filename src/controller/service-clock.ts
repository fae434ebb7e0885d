/** The clock of the service, as the `Date` of its answers tells it: to the second, so that it may be late by one. */
export interface ServiceClock {
  /** Takes the `Date` of an answer that has just come. */
  see(date: string | null): void;
  /** Unix milliseconds; by this process until an answer had a date. */
  now(): number;
}

export interface ServiceClockOptions {
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds, never set back. */
  readonly monotonic: () => number;
}

/** When keys are due and end is judged by the service's clock, so that this process's own may be wrong. */
export function createServiceClock({ now, monotonic }: ServiceClockOptions): ServiceClock {
  let seen: { readonly ms: number; readonly at: number } | null = null;
  return {
    see(date) {
      const ms = date === null ? Number.NaN : Date.parse(date);
      if (!Number.isNaN(ms)) seen = { ms, at: monotonic() };
    },
    now: () => (seen === null ? now() : seen.ms + monotonic() - seen.at),
  };
}
