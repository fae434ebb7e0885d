/** What is asked of a connection that may have to make room. */
export interface Evictable {
  readonly isOver: boolean;
  readonly hasServed: boolean;
  /** Null while a call is open, and at the end. */
  readonly idleSince: number | null;
  readonly begunAt: number;
}

/** A socket on which nothing can be said yet. */
export interface Handshake<Socket> {
  readonly socket: Socket;
  readonly since: number;
}

export interface EvictionTimes {
  readonly now: number;
  readonly evictAfterMs: number;
}

/**
 * Whose end costs least: what has ended and only waits for its peer to close; then the oldest on which no call was ever
 * answered, and none is open; then what has been idle for longest, and long enough; then the oldest whose first call
 * has been open for so long. Null where all are at work: never one that answers calls. Costs a look at each.
 */
export function leastMissed<Socket>(
  connections: Iterable<readonly [Socket, Evictable]>,
  handshakes: Iterable<Handshake<Socket>>,
  { now, evictAfterMs }: EvictionTimes,
): Socket | null {
  const longAgo = now - evictAfterMs;
  const untried = createOldest<Socket>();
  const idle = createOldest<Socket>();
  const stuck = createOldest<Socket>();
  for (const { socket, since } of handshakes) untried.offer(socket, since);
  for (const [socket, { isOver, hasServed, idleSince, begunAt }] of connections) {
    if (isOver) return socket;
    if (hasServed) {
      if (idleSince !== null && idleSince <= longAgo) idle.offer(socket, idleSince);
    } else if (idleSince !== null) untried.offer(socket, begunAt);
    else if (begunAt <= longAgo) stuck.offer(socket, begunAt);
  }
  return untried.socket() ?? idle.socket() ?? stuck.socket();
}

function createOldest<Socket>() {
  let oldest: Socket | null = null;
  let oldestSince = Number.POSITIVE_INFINITY;
  return {
    offer(socket: Socket, since: number): void {
      if (since >= oldestSince) return;
      oldest = socket;
      oldestSince = since;
    },
    socket: () => oldest,
  };
}
