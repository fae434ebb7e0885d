/**
 * How often a change stream is read, in milliseconds; 0 where each read waits until there is something to tell.
 *
 * MongoDB wakes every stream that waits for every entry of the oplog, whatever its filter: about 80 µs each. In a small
 * fleet that is little, and a change arrives at once. In a large one it is the square of the fleet; a stream that is read
 * now and then costs the same whatever the others do (four reads a second, about 200 µs each), and a change arrives a
 * part of a second later. RevokeKey waits for one tick of every replica, and is to take less than a second.
 */
export function tickMsOf(replicas: number): number {
  return replicas <= waitingMax ? 0 : tickMs;
}

/** Where the two cost the same while nothing but the fleet itself writes. */
const waitingMax = 20;
const tickMs = 250;
