import { rpcStatus } from '../net/rpc.ts';

/** What becomes of the connections and calls of a listener, counted in plain numbers. */
export interface ConnectionCounts {
  /** Open now, with those whose handshake is under way. */
  open: number;
  /** Closed so far, by why. */
  readonly closed: Record<CloseReason, number>;
  /** Calls refused so far because they went past a bound. */
  readonly refused: Record<CallRefusal, number>;
}

/**
 * Why a connection was closed; the first that was the case.
 * - `peer`: the client closed it
 * - `age`: it had reached its greatest age
 * - `drain`: the service stops
 * - `evicted`: it was idle, and made room for another one
 * - `limit`: there were too many when it came
 * - `handshake`: TLS, or the first SETTINGS, did not come in time or were wrong
 * - `silent`: a PING was not answered
 * - `stalled`: it did not read what it was sent
 * - `flood`: it sent more than it may of what costs much and means little
 * - `protocol`: it did not keep to HTTP/2
 * - `broken`: something went wrong here
 */
export const closeReasons = [
  'peer',
  'age',
  'drain',
  'evicted',
  'limit',
  'handshake',
  'silent',
  'stalled',
  'flood',
  'protocol',
  'broken',
] as const;
export type CloseReason = (typeof closeReasons)[number];

/**
 * Which bound a call went past: calls at once on its connection, the length of its headers, the bytes of its message
 * or of all that are held, its deadline or the longest that a call may last.
 */
export const callRefusals = ['streams', 'headers', 'bytes', 'time'] as const;
export type CallRefusal = (typeof callRefusals)[number];

export function createConnectionCounts(): ConnectionCounts {
  return { open: 0, closed: zeros(closeReasons), refused: zeros(callRefusals) };
}

/** Counts a call that ended with this gRPC status, where the status says that it went past a bound. */
export function countRefusal({ refused }: ConnectionCounts, status: number): void {
  if (status === rpcStatus.resourceExhausted) refused.bytes += 1;
  else if (status === rpcStatus.deadlineExceeded) refused.time += 1;
}

function zeros<Name extends string>(names: readonly Name[]): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
}
