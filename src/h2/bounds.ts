/**
 * The most that a listener, a connection and a call may take. A caller that goes past one is refused by that
 * call, or ends its own connection; others are served meanwhile.
 */
export interface Bounds {
  /** A longer message is RESOURCE_EXHAUSTED. */
  readonly requestBytesMax: number;
  /**
   * All connections together. Past it one makes room: one that has ended, the oldest on which no call was ever
   * answered, or one that has been idle for `evictAfterMs`; else the new one is closed.
   */
  readonly connectionsMax: number;
  readonly evictAfterMs: number;
  /** Calls under way on one connection (MAX_CONCURRENT_STREAMS); more are REFUSED_STREAM. */
  readonly streamsMax: number;
  /** What all connections together hold of messages that have not arrived whole; past it RESOURCE_EXHAUSTED. */
  readonly heldBytesMax: number;
  /** A call without a deadline of its own; streams excepted, which end with their connection. */
  readonly callMaxMs: number;

  /** From a connection's start to its first SETTINGS, TLS included. */
  readonly handshakeMaxMs: number;
  /** After that age, a tenth more or less, a connection is drained. Infinity: never. */
  readonly connectionAgeMaxMs: number;
  /** How long a connection that is drained for its age may go on with its calls. */
  readonly connectionGraceMs: number;
  /** A connection that is silent so long is pinged, and closed when the answer takes longer than `pingMaxMs`. */
  readonly keepaliveMs: number;
  readonly pingMaxMs: number;
  /** How long the peer may take to close a connection that has ended. */
  readonly lingerMs: number;

  /** A request's headers, uncompressed, as MAX_HEADER_LIST_SIZE counts them; more resets the call, four times as much ends the connection. */
  readonly headerListBytesMax: number;
  /** A request's headers as they are sent, and the frames after the first that they may take; more ends the connection. */
  readonly headerBlockBytesMax: number;
  readonly continuationsMax: number;
  /** Fields of headers that have more than a hundred of them: at once, and then a second. */
  readonly fieldsMax: number;
  readonly fieldsPerSecond: number;
  /** Calls that the peer may make and then reset, or break: so many at once, and then so many a second. */
  readonly resetsMax: number;
  readonly resetsPerSecond: number;
  /** Frames that carry nothing of a call (PING, SETTINGS, empty DATA, …): at once, a second, and for each call. */
  readonly idleFramesMax: number;
  readonly idleFramesPerSecond: number;
  readonly idleFramesPerCall: number;

  /** What a peer that does not read may leave in its socket's queue before it is not read from either. */
  readonly unreadBytesMax: number;
  /** How long that may last before its connection is closed. */
  readonly stallMaxMs: number;
  /** Answers of a connection that wait for the peer's windows; past it the connection is closed. */
  readonly waitingBytesMax: number;
  /** What the peer may send before it is told that it was taken in: for a stream, for the connection. */
  readonly streamWindowBytes: number;
  readonly connectionWindowBytes: number;
}

const mebibyte = 1_024 * 1_024;

export const defaultBounds: Bounds = {
  requestBytesMax: 4 * mebibyte,
  connectionsMax: 1_000,
  evictAfterMs: 5_000,
  streamsMax: 1_000,
  heldBytesMax: 256 * mebibyte,
  callMaxMs: 60_000,
  handshakeMaxMs: 10_000,
  connectionAgeMaxMs: 600_000,
  connectionGraceMs: 20_000,
  keepaliveMs: 60_000,
  pingMaxMs: 20_000,
  lingerMs: 1_000,
  headerListBytesMax: 65_536,
  headerBlockBytesMax: 65_536,
  continuationsMax: 8,
  fieldsMax: 20_000,
  fieldsPerSecond: 20_000,
  resetsMax: 1_000,
  resetsPerSecond: 100,
  idleFramesMax: 1_000,
  idleFramesPerSecond: 100,
  idleFramesPerCall: 8,
  unreadBytesMax: 262_144,
  stallMaxMs: 30_000,
  waitingBytesMax: 16 * mebibyte,
  streamWindowBytes: 262_144,
  connectionWindowBytes: mebibyte,
};
