/**
 * Room `forward/`: Checks over HTTP, for proxies that ask by a subrequest: nginx, Caddy, HAProxy, Traefik, Envoy's HTTP
 * ext_authz. Here: the original request read from a subrequest, the listener, and a decision as an answer of HTTP. Not
 * here: the decision (`check/`), nor REST (`http/`).
 */

import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type Listen, ListenError, whyNotOpened } from '../net/listen.ts';
import type { TlsMaterial, TlsSource } from '../net/tls.ts';
import { removeStaleSocket } from '../net/unix-socket.ts';
import type { ForwardedAnswer } from './forwarded-answer.ts';
import { type ForwardedCall, forwardedCallOf } from './forwarded-call.ts';

/** The listener that proxies ask. */
export interface ForwardServer {
  /** Resolves to where it listens; rejects with {@link ListenError}. */
  listen(): Promise<Listen>;
  /** Takes no more connections, finishes what is under way within `drainMs`, then ends the rest. */
  close(drainMs: number): Promise<void>;
}

export interface ForwardDependencies {
  /** Rejects when nobody can be asked. */
  readonly judge: (call: ForwardedCall) => Promise<ForwardedAnswer>;
  readonly onBroken: (error: unknown) => void;
}

export interface ForwardOptions {
  readonly listen: Listen;
  /** Names the caller's address, in lower case; null for the peer's. */
  readonly addressHeader: string | null;
  /** Cleartext where there is none. */
  readonly tls: TlsSource | null;
  /** Connections past it are closed as they come. */
  readonly connectionsMax: number;
}

const bounds: ServerOptions = {
  maxHeaderSize: 65_536,
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  // More than proxies keep an idle connection, so that they end it, and no request meets one that has ended.
  keepAliveTimeout: 125_000,
};
const unavailable = {
  status: 503,
  headers: [
    ['content-type', 'application/json'],
    ['retry-after', '1'],
  ],
  body: '{"error":{"code":"unavailable","message":"API keys cannot be checked right now. Try again."}}',
} as const satisfies ForwardedAnswer;
const nothingThere = {
  status: 404,
  headers: [['content-type', 'application/json']],
  body: '{"error":{"code":"NOT_FOUND","message":"Checks are asked for at /check."}}',
} as const satisfies ForwardedAnswer;

export function createForwardServer(
  dependencies: ForwardDependencies,
  options: ForwardOptions,
): ForwardServer {
  const { judge, onBroken } = dependencies;
  const { listen, tls, connectionsMax, addressHeader } = options;
  const server = serverFor(tls, (request, response) => {
    // A body is of no interest, and must not stand in the way of the next request.
    request.resume();
    const call = forwardedCallOf(request, { addressHeader });
    if (call === null) return write(response, nothingThere);
    judge(call).then(
      (answer) => write(response, answer),
      (error: unknown) => {
        onBroken(error);
        write(response, unavailable);
      },
    );
  });
  server.maxConnections = connectionsMax;

  return {
    async listen() {
      try {
        if (listen.kind === 'unix') await removeStaleSocket(listen.path);
        const place =
          listen.kind === 'unix'
            ? { path: listen.path, readableAll: true, writableAll: true }
            : { host: listen.host, port: listen.port };
        await new Promise<void>((resolve, reject) => {
          server.once('error', reject);
          server.listen(place, resolve);
        });
        server.removeAllListeners('error').on('error', onBroken);
        const address = server.address();
        return listen.kind === 'unix' || typeof address !== 'object' || address === null
          ? listen
          : { ...listen, port: address.port };
      } catch (error) {
        throw new ListenError(whyNotOpened(listen, (error as Error).message));
      }
    },
    async close(drainMs) {
      if (!server.listening) return;
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      const cutOff = setTimeout(() => server.closeAllConnections(), drainMs);
      await closed;
      clearTimeout(cutOff);
    },
  };
}

function serverFor(
  tls: TlsSource | null,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Server {
  if (tls === null) return createServer(bounds, answer);
  const server = createTlsServer({ ...bounds, ...secureOf(tls.material) }, answer);
  tls.subscribe((material) => server.setSecureContext(secureOf(material)));
  return server;
}

function secureOf({ cert, key, ca, minVersion }: TlsMaterial) {
  const client = ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true };
  return { cert, key, minVersion, ...client };
}

function write(response: ServerResponse, { status, headers, body }: ForwardedAnswer): void {
  if (response.destroyed) return;
  response.statusCode = status;
  for (const [name, value] of headers) response.setHeader(name, value);
  response.setHeader('cache-control', 'no-store');
  response.setHeader('content-length', Buffer.byteLength(body));
  response.end(body);
}
