/** What a core does at the most while Envoy is not to wait. */
export const busiestShare = 0.6;

/** Microseconds of processor for a Check: in the process that answers it, and in the one that all share. */
export interface CheckCost {
  readonly own: number;
  readonly shared: number;
}

/**
 * Checks a second that so many cores come to: processes answer side by side until the cores are used, or the one thread
 * that has the store is.
 */
export function checksPerSecond(cores: number, { own, shared }: CheckCost): number {
  const byCores = (cores * busiestShare * 1e6) / (own + shared);
  return shared === 0 ? byCores : Math.min(byCores, (busiestShare * 1e6) / shared);
}
