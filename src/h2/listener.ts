/**
 * Room `h2/`: gRPC over HTTP/2 frames on plain sockets. Here: connections, frames, header blocks, bounds, and
 * calls that end in a handler. Not here: what is called.
 */

import { chmod } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import {
  createServer as createTlsServer,
  type SecureContextOptions,
  type TLSSocket,
  type Server as TlsServer,
} from 'node:tls';
import { type Listen, ListenError, whyNotOpened } from '../net/listen.ts';
import type { RpcMethods } from '../net/rpc.ts';
import { removeStaleSocket } from '../net/unix-socket.ts';
import { type ConnectionCounts, createConnectionCounts } from '../telemetry/connection-counts.ts';
import { type Bounds, defaultBounds } from './bounds.ts';
import { type Clock, systemClock } from './clock.ts';
import { Connection } from './connection.ts';
import { openAll } from './open-addresses.ts';
import type { Shared } from './shared.ts';

/** A listener that serves gRPC over HTTP/2. */
export interface H2Listener {
  /** Resolves to where it listens; rejects with a `ListenError` when it can not. */
  listen(listen: Listen): Promise<Listen>;
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

/** How often connections are looked at for what has lasted too long. */
const sweepMs = 1_000;
/** How long a drain leaves those alone that have not shaken hands. */
const handshakeMsAtEnd = 1_000;
const fullToldMs = 60_000;

export function createH2Listener(methods: RpcMethods, options: H2ListenerOptions = {}): H2Listener {
  const { secure, clock = systemClock, random = Math.random, onBroken = () => {} } = options;
  const { reusePort = false, counts = createConnectionCounts() } = options;
  const bounds = { ...defaultBounds, ...options.bounds };
  const held = { bytes: 0, bytesMax: bounds.heldBytesMax };
  const shared: Shared = { methods, bounds, clock, random, spares: [], held, counts, onBroken };
  const sockets = new Sockets(shared, options.onFull);
  const tls = secure ? sockets.serveTls(secure) : null;
  const servers: Server[] = [];

  const open = async (at: { host: string; port: number } | { path: string }) => {
    const server = createServer({ noDelay: true }, (socket) => sockets.accept(socket, tls));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ ...at, reusePort: reusePort && 'port' in at }, resolve);
    });
    server.removeAllListeners('error').on('error', onBroken);
    servers.push(server);
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  };

  return {
    async listen(listen) {
      try {
        if (listen.kind === 'tcp') return { ...listen, port: await openAll(listen, open) };
        await removeStaleSocket(listen.path);
        await open({ path: listen.path });
        // Every user of the machine may connect, Envoy's among them; the folder's rights say who reaches it.
        await chmod(listen.path, 0o666);
        return listen;
      } catch (error) {
        throw new ListenError(whyNotOpened(listen, (error as Error).message));
      }
    },
    setSecureContext(renewed) {
      tls?.setSecureContext(renewed);
    },
    async close(drainMs) {
      const closed = servers.map((server) => new Promise((resolve) => server.close(resolve)));
      await sockets.drain(drainMs);
      await Promise.all(closed);
    },
  };
}

/** The sockets of a listener and what is spoken on them. */
class Sockets {
  readonly #shared: Shared;
  readonly #connections = new Map<Socket, Connection>();
  /** Every socket that was accepted, TLS or not. */
  readonly #accepted = new Set<Socket>();
  #isSweepDue = false;
  #isDraining = false;
  #endsHandshakes = false;
  #onEmpty: (() => void) | null = null;
  #fullToldAt = Number.NEGATIVE_INFINITY;
  readonly #onFull: () => void;

  constructor(shared: Shared, onFull = () => {}) {
    this.#shared = shared;
    this.#onFull = onFull;
  }

  accept(socket: Socket, tls: TlsServer | null): void {
    const { counts } = this.#shared;
    if (this.#accepted.size >= this.#shared.bounds.connectionsMax && !this.#evict()) {
      socket.destroy();
      counts.closed.limit += 1;
      this.#tellFull();
      return;
    }
    this.#accepted.add(socket);
    counts.open += 1;
    socket.once('close', () => {
      this.#accepted.delete(socket);
      counts.open -= 1;
      if (this.#accepted.size === 0) this.#onEmpty?.();
    });
    if (tls === null) this.#speak(socket, false);
    else tls.emit('connection', socket);
  }

  serveTls(secure: SecureContextOptions): TlsServer {
    const needsClient = secure.ca !== undefined;
    const server = createTlsServer(
      {
        ...secure,
        ALPNProtocols: ['h2'],
        requestCert: needsClient,
        rejectUnauthorized: needsClient,
        handshakeTimeout: this.#shared.bounds.handshakeMaxMs,
      },
      (socket) => this.#onSecure(socket),
    );
    // Whoever is too slow, or no friend, is told to us and not closed.
    return server.on('tlsClientError', (_, socket) => this.#failHandshake(socket));
  }

  /** Ends all connections: those with calls under way when these are done, and all after `drainMs`. */
  async drain(drainMs: number): Promise<void> {
    const force = this.#shared.clock.after(drainMs, () => {
      for (const socket of this.#accepted) socket.destroy();
    });
    const endHandshakes = this.#shared.clock.after(handshakeMsAtEnd, () => {
      this.#endsHandshakes = true;
      this.#endHandshakes();
    });
    this.#isDraining = true;
    for (const connection of this.#connections.values()) connection.announce('drain');
    if (this.#accepted.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve;
      });
    }
    force();
    endHandshakes();
  }

  /** What is left when no connection is: sockets whose TLS has not begun, which nobody could lose a call on. */
  #endHandshakes(): void {
    if (this.#connections.size > 0) return;
    for (const socket of this.#accepted) socket.destroy();
  }

  #onSecure(socket: TLSSocket): void {
    // RFC 9113, section 3.3: whoever did not agree on it speaks something else.
    if (socket.alpnProtocol !== 'h2') this.#failHandshake(socket);
    else this.#speak(socket, true);
  }

  #failHandshake(socket: Socket): void {
    this.#shared.counts.closed.handshake += 1;
    socket.destroy();
  }

  #speak(socket: Socket, isLate: boolean): void {
    const connection = new Connection(socket, this.#shared, isLate);
    this.#connections.set(socket, connection);
    socket.on('data', (chunk: Buffer) => connection.onBytes(chunk));
    socket.on('drain', () => connection.onDrain());
    socket.on('close', () => {
      this.#connections.delete(socket);
      this.#shared.counts.closed[connection.closing ?? 'peer'] += 1;
      connection.onClose();
      if (this.#endsHandshakes) this.#endHandshakes();
    });
    // It closes after it; that a peer is gone is nobody's error.
    socket.on('error', () => {});
    if (this.#isDraining) connection.announce('drain');
    this.#sweepSoon();
  }

  /** Makes room by the connection that has been idle for longest; false where none is idle. */
  #evict(): boolean {
    let since = this.#shared.clock.now() - this.#shared.bounds.evictAfterMs;
    let idle: Socket | null = null;
    for (const [socket, { idleSince }] of this.#connections) {
      if (idleSince === null || idleSince > since) continue;
      since = idleSince;
      idle = socket;
    }
    if (idle === null) return false;
    this.#connections.get(idle)?.retire('evicted');
    idle.destroySoon();
    return true;
  }

  #tellFull(): void {
    const now = this.#shared.clock.now();
    if (now < this.#fullToldAt + fullToldMs) return;
    this.#fullToldAt = now;
    this.#onFull();
  }

  #sweepSoon(): void {
    if (this.#isSweepDue) return;
    this.#isSweepDue = true;
    this.#shared.clock.after(sweepMs, () => {
      this.#isSweepDue = false;
      const now = this.#shared.clock.now();
      for (const connection of this.#connections.values()) connection.sweep(now);
      if (this.#connections.size > 0) this.#sweepSoon();
    });
  }
}
