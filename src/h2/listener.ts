/**
 * Room `h2/`: gRPC over HTTP/2 frames on plain sockets. Here: connections, frames, header blocks, bounds, and
 * calls that end in a handler. Not here: what is called.
 */

import type { Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { createAcceptor } from '../net/acceptor.ts';
import type { Listen } from '../net/listen.ts';
import type { RpcMethods } from '../net/rpc.ts';
import { type ConnectionCounts, createConnectionCounts } from '../telemetry/connection-counts.ts';
import { type Bounds, defaultBounds } from './bounds.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Shared } from './shared.ts';
import { Sockets } from './sockets.ts';

/** A listener that serves gRPC over HTTP/2. */
export interface H2Listener {
  /** Resolves to where it listens; rejects with a `ListenError` when it cannot. */
  listen(listen: Listen): Promise<Listen>;
  /** Serves a connection that was taken elsewhere, of which nothing has been read. */
  accept(socket: Socket): void;
  /** New certificates, for connections from now on. Only where it was created with some. */
  setSecureContext(secure: SecureContextOptions): void;
  /** Takes no more calls, finishes those under way within `drainMs`, then ends the rest. */
  close(drainMs: number): Promise<void>;
}

export interface H2ListenerOptions {
  /** Where connections and refused calls are counted. Default: nowhere that is seen. */
  readonly counts?: ConnectionCounts;
  /** Bounds other than the defaults. */
  readonly bounds?: Partial<Bounds>;
  /**
   * Speaks TLS, with ALPN `h2`; else cleartext with prior knowledge. With a `ca`, only to clients that show a
   * certificate of it.
   */
  readonly secure?: SecureContextOptions;
  /**
   * Shares its TCP ports with other processes of the same user that set it too (SO_REUSEPORT); the kernel gives
   * each connection to one of them. Default: a port that is taken is an error.
   */
  readonly reusePort?: boolean;
  /** Told, once a minute at the most, that a connection was closed since there were too many. Default: nobody. */
  readonly onFull?: () => void;
  /** Told of what should not have happened; must not throw. Default: nobody. */
  readonly onBroken?: (error: unknown) => void;
  readonly clock?: Clock;
  /** 0 up to 1. Default: Math.random. */
  readonly random?: () => number;
}

export function createH2Listener(methods: RpcMethods, options: H2ListenerOptions = {}): H2Listener {
  const { secure, clock = systemClock, random = Math.random, onBroken = () => {} } = options;
  const { reusePort = false, counts = createConnectionCounts() } = options;
  const bounds = { ...defaultBounds, ...options.bounds };
  const held = { bytes: 0, bytesMax: bounds.heldBytesMax };
  const shared: Shared = { methods, bounds, clock, random, spares: [], held, counts, onBroken };
  const sockets = new Sockets(shared, options.onFull);
  const tls = secure ? sockets.serveTls(secure) : null;
  const acceptor = createAcceptor((socket) => sockets.accept(socket, tls), { reusePort, onBroken });

  return {
    listen: acceptor.listen,
    accept: (socket) => sockets.accept(socket, tls),
    setSecureContext(renewed) {
      tls?.setSecureContext(renewed);
    },
    async close(drainMs) {
      const closed = acceptor.close();
      await sockets.drain(drainMs);
      await closed;
    },
  };
}
