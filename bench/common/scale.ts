/** What a core does at the most while Envoy is not to wait. */
export const busiestShare = 0.6;
/** Postern's usage_flush_interval: how often a process has what it knows of the use of keys written. */
export const flushSeconds = 5;

/** Checks a second of so many processes on a core each, of which a Check takes so many microseconds. */
export function checksPerSecond(processes: number, ownMicros: number): number {
  return (processes * busiestShare * 1e6) / ownMicros;
}

/**
 * Keys in use at a time whose use the one thread that has the store can write: each process tells of each key once in
 * {@link flushSeconds}, and each of these takes so many microseconds there.
 */
export function keysInUse(processes: number, writeMicros: number): number {
  return (busiestShare * 1e6 * flushSeconds) / (processes * writeMicros);
}

/** How often in a turn, and what comes after it, each process has the use of its keys written. */
export function writesIn(seconds: number): number {
  return seconds / flushSeconds + 1;
}
