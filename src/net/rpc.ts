/** gRPC methods, apart from what carries them: whoever serves them and whoever writes them meet here. */

import type { TraceHeaders } from '../tracing/tracing-context.ts';

/** Status codes (gRPC, "Status codes and their use in gRPC"), those that Postern's own code answers with. */
export const rpcStatus = {
  ok: 0,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** What a caller is told instead of an answer; the message reaches it as it stands. */
export class RpcError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.name = 'RpcError';
    this.code = code;
  }
}

/**
 * Answers one message with one. A synchronous answer is the cheap one. `request` is never written over, but it
 * may be a view into all that one read of the socket brought: copy what is kept for long. A synchronous answer is
 * copied before the next call is handled, another one is never written over. A thrown or rejected
 * {@link RpcError} is told as it is, anything else as INTERNAL without its cause. `caller` is the trace that the
 * caller names.
 */
export type UnaryHandler = (request: Uint8Array, caller: TraceHeaders) => Uint8Array | Promise<Uint8Array>;

/** A streaming call as its handler sees it. */
export interface RpcStream {
  /** Sends one message; `onSent` is called, later, when the next one would not have to wait. */
  send(message: Uint8Array, onSent?: () => void): void;
  /** Ends the call: with OK after what was sent, with an error at once. The first end counts. */
  end(error?: RpcError): void;
  /** No messages are delivered, and few taken in, until `resume`. */
  pause(): void;
  resume(): void;
}

/** What the caller does. Nothing is told after `onCancelled`, nor after the handler ended the call. */
export interface RpcStreamListener {
  /** One message; like a unary request, a view. */
  onMessage(message: Uint8Array): void;
  /** No more messages. */
  onHalfClose(): void;
  /** Nobody waits for the call any more: it was reset, ran out of time, or its connection closed. */
  onCancelled(): void;
}

export type StreamHandler = (stream: RpcStream) => RpcStreamListener;

export type RpcMethod =
  | { readonly kind: 'unary'; readonly handle: UnaryHandler }
  | { readonly kind: 'stream'; readonly start: StreamHandler };

/** Methods by path: `/grpc.health.v1.Health/Check`. */
export type RpcMethods = ReadonlyMap<string, RpcMethod>;
