/** Replicas from which on a few of them read change streams, and hand on what these tell to all others. */
export const relayedFromDefault = 21;

/** How often a relay reads its stream. */
export const relayTickMs = 100;

/**
 * How often what relays hand on is read, in milliseconds; 0 where each replica has a stream of its own, which waits until
 * there is something to tell.
 *
 * MongoDB looks at every entry of the oplog for every stream, whatever its filter, and wakes each that waits: 7 to 120 µs.
 * In a small fleet that is little, and a change arrives at once. In a large one it is the square of the fleet; a page of
 * what relays hand on is read by an index, at the same price whatever the others write, and a change arrives a part of a
 * second later. RevokeKey waits for one tick of every replica, and is to take less than a second.
 */
export function tickMsOf(replicas: number, relayedFrom = relayedFromDefault): number {
  return replicas < relayedFrom ? 0 : tickMs;
}

const tickMs = 250;
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
