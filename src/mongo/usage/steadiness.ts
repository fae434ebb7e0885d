/**
 * Whether nothing of what this process does with use has failed for a while. Where something has, as in an outage of the database, use of
 * hours that are over may be on its way from any replica.
 */
export interface Steadiness {
  failed(): void;
  isSteady(): boolean;
}

/** Nothing is known of what was before it is created. */
export function createSteadiness(monotonic: () => number, steadyMs: number): Steadiness {
  let failedAt = monotonic();
  return {
    failed() {
      failedAt = monotonic();
    },
    isSteady: () => monotonic() - failedAt >= steadyMs,
  };
}
