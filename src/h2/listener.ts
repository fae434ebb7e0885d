import { lookup } from 'node:dns/promises';
import { chmod } from 'node:fs/promises';
import { createServer, isIP, type Server, type Socket } from 'node:net';
import {
  createServer as createTlsServer,
  type SecureContextOptions,
  type TLSSocket,
  type Server as TlsServer,
} from 'node:tls';
import { type Listen, ListenError, whyNotOpened } from '../listen.ts';
import type { RpcMethods } from '../rpc.ts';
import { removeStaleSocket } from '../unix-socket.ts';
import { type Bounds, defaultBounds } from './bounds.ts';
import { type Clock, systemClock } from './clock.ts';
import { Connection } from './connection.ts';
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
  /** Told of what should not have happened; must not throw. Default: nobody. */
  readonly onBroken?: (error: unknown) => void;
  readonly clock?: Clock;
  /** 0 up to 1. Default: Math.random. */
  readonly random?: () => number;
}

/** How often connections are looked at for what has lasted too long. */
const sweepMs = 1_000;

export function createH2Listener(methods: RpcMethods, options: H2ListenerOptions = {}): H2Listener {
  const { secure, clock = systemClock, random = Math.random, onBroken = () => {} } = options;
  const { reusePort = false } = options;
  const bounds = { ...defaultBounds, ...options.bounds };
  const held = { bytes: 0, bytesMax: bounds.heldBytesMax };
  const shared: Shared = { methods, bounds, clock, random, spares: [], held, onBroken };
  const sockets = new Sockets(shared);
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
  #onEmpty: (() => void) | null = null;

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  accept(socket: Socket, tls: TlsServer | null): void {
    if (this.#accepted.size >= this.#shared.bounds.connectionsMax && !this.#evict()) {
      socket.destroy();
      return;
    }
    this.#accepted.add(socket);
    socket.once('close', () => {
      this.#accepted.delete(socket);
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
    return server.on('tlsClientError', (_, socket) => socket.destroy());
  }

  /** Ends all connections: those with calls under way when these are done, and all after `drainMs`. */
  async drain(drainMs: number): Promise<void> {
    const force = this.#shared.clock.after(drainMs, () => {
      for (const socket of this.#accepted) socket.destroy();
    });
    this.#isDraining = true;
    for (const connection of this.#connections.values()) connection.announce();
    if (this.#accepted.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve;
      });
    }
    force();
  }

  #onSecure(socket: TLSSocket): void {
    // RFC 9113, section 3.3: whoever did not agree on it speaks something else.
    if (socket.alpnProtocol !== 'h2') socket.destroy();
    else this.#speak(socket, true);
  }

  #speak(socket: Socket, isLate: boolean): void {
    const connection = new Connection(socket, this.#shared, isLate);
    this.#connections.set(socket, connection);
    socket.on('data', (chunk: Buffer) => connection.onBytes(chunk));
    socket.on('drain', () => connection.onDrain());
    socket.on('close', () => {
      this.#connections.delete(socket);
      connection.onClose();
    });
    // It closes after it; that a peer is gone is nobody's error.
    socket.on('error', () => {});
    if (this.#isDraining) connection.announce();
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
    this.#connections.get(idle)?.retire();
    idle.destroySoon();
    return true;
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

/** Opens every address that a host's name stands for, on the port of the first: `localhost` may be two. */
async function openAll(
  { host, port }: Listen & { kind: 'tcp' },
  open: (at: { host: string; port: number }) => Promise<number>,
): Promise<number> {
  const found = isIP(host) === 0 ? await lookup(host, { all: true }) : [{ address: host }];
  let opened = port;
  let isOpen = false;
  let missing: unknown;
  for (const address of new Set(found.map((one) => one.address))) {
    try {
      opened = await open({ host: address, port: opened });
      isOpen = true;
    } catch (error) {
      // A name may stand for an address that this machine has not.
      if (!/EADDRNOTAVAIL|EAFNOSUPPORT/.test((error as Error).message)) throw error;
      missing = error;
    }
  }
  if (!isOpen) throw missing;
  return opened;
}
