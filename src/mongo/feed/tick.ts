/** Replicas from which on a few of them read change streams, and hand on what these tell to all others. */
export const relayedFromDefault = 21;

/** After a change others come, and RevokeKey waits for each: for so long streams and pages are read more often. */
export const hurriedForMs = 1_500;

/**
 * How often a relay reads its stream.
 *
 * MongoDB looks at every entry of the oplog for every stream, whatever its filter, and wakes each that waits: 7 to 120 µs.
 * In a small fleet that is little, and a change arrives at once. In a large one it is the square of the fleet: there two
 * relays read, 0.4 ms each time, and all others are woken by what they hand on.
 */
export function relayTickMsOf(isHurried: boolean): number {
  return isHurried ? 25 : 50;
}

/**
 * How often what relays hand on is looked for where it cannot be waited for, in milliseconds; 0 where each replica has a
 * stream of its own. A look costs 0.2 to 0.4 ms. RevokeKey waits for one tick of every replica, and is to take less than a
 * second. Just after a change a fleet looks 400 times a second in all, each replica every 50 ms at most: from 100 on that is
 * the usual tick. More often took a hundred feeds on two cores longer, since each look costs its replica as much as the server.
 */
export function tickMsOf(
  replicas: number,
  { relayedFrom = relayedFromDefault, isHurried = false }: TickOptions = {},
): number {
  if (replicas < relayedFrom) return 0;
  return isHurried ? Math.min(Math.max(hurriedMinMs, replicas * hurriedPerReplicaMs), tickMs) : tickMs;
}

export interface TickOptions {
  readonly relayedFrom?: number | undefined;
  /** Whether a change was told of in the last {@link hurriedForMs}. */
  readonly isHurried?: boolean;
}

const tickMs = 250;
const hurriedMinMs = 50;
const hurriedPerReplicaMs = 2.5;
/** Of so many replicas, how many are a large fleet still: it is not to and fro where it is just about so large. */
const stillRelayedPart = 0.75;

/** Whether relays read the streams for the others, asked again and again. */
export function createIsRelayed(fleet: { size(): number }, relayedFrom: number): () => boolean {
  let isRelayed = false;
  return () => {
    isRelayed = fleet.size() >= (isRelayed ? relayedFrom * stillRelayedPart : relayedFrom);
    return isRelayed;
  };
}
