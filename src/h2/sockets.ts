import type { Socket } from 'node:net';
import {
  createServer as createTlsServer,
  type SecureContextOptions,
  type TLSSocket,
  type Server as TlsServer,
} from 'node:tls';
import { Connection } from './connection.ts';
import { type Handshake, leastMissed } from './eviction.ts';
import type { Shared } from './shared.ts';

/** How often connections are looked at for what has lasted too long. */
const sweepMs = 1_000;
/** How long a drain leaves those alone that have not shaken hands. */
const handshakeMsAtEnd = 1_000;
const fullToldMs = 60_000;

/** The sockets of a listener and what is spoken on them. */
export class Sockets {
  readonly #shared: Shared;
  readonly #connections = new Map<Socket, Connection>();
  /** Every socket that was accepted, TLS or not. */
  readonly #accepted = new Set<Socket>();
  /** Those whose TLS is not there yet, by their peers: the socket that speaks it is another one. */
  readonly #handshakes = new Map<string, Handshake<Socket>>();
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
    else {
      const peer = peerOf(socket);
      this.#handshakes.set(peer, { socket, since: this.#shared.clock.now() });
      socket.once('close', () => this.#handshakes.delete(peer));
      tls.emit('connection', socket);
    }
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
    this.#handshakes.delete(peerOf(socket));
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

  /** Makes room by one that nobody would miss; false where each is needed. */
  #evict(): boolean {
    const { clock, bounds } = this.#shared;
    const times = { now: clock.now(), evictAfterMs: bounds.evictAfterMs };
    const socket = leastMissed(this.#connections, this.#handshakes.values(), times);
    if (socket === null) return false;
    const connection = this.#connections.get(socket);
    if (connection === undefined || connection.isOver) socket.destroy();
    else {
      connection.retire('evicted');
      socket.destroySoon();
    }
    // Not to be chosen again: that it has closed is seen in a later turn.
    this.#connections.delete(socket);
    this.#handshakes.delete(peerOf(socket));
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

/** Tells the sockets of TCP apart; of a Unix socket none is told from another. */
function peerOf({ remoteAddress = '', remotePort = 0 }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
