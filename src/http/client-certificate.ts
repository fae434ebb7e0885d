import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { FastifyInstance } from 'fastify';
import { wireErrorAnswer } from './status.ts';

/** What a kubelet asks for, which has no certificate to show. */
const openToAll = ['/healthz', '/readyz'];

/**
 * Whether the client has shown a certificate that was verified: where there is none, nothing was verified, whatever
 * is said of a session that is resumed.
 */
export function hasVerifiedCertificate(socket: Socket): socket is TLSSocket {
  return socket instanceof TLSSocket && socket.authorized && socket.getPeerX509Certificate() !== undefined;
}

/**
 * Answers 403 to whoever shows no verified certificate, and closes, before anything of a body is read; but for the
 * probes. The handshake allows them, since it does not know what will be asked for.
 */
export function requireClientCertificate(app: FastifyInstance): void {
  app.addHook('onRequest', async (request, reply) => {
    if (hasVerifiedCertificate(request.raw.socket)) return;
    if (!request.is404 && openToAll.includes(request.routeOptions.url ?? '')) return;
    const { status, body } = wireErrorAnswer(403);
    await reply.code(status).header('Connection', 'close').send(body);
  });
}

/**
 * Ends, when called, the connections that are still without TLS a second later, or when no other is left then.
 * Node counts them among those that a server waits for, and knows no other way to end them.
 */
export function watchHandshakes(server: Server): { end(): void; endAll(): void } {
  const all = new Set<Socket>();
  const secure = new Set<Socket>();
  let isEnding = false;
  const keep = (sockets: Set<Socket>) => (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      if (isEnding) endUnlessSecure();
    });
  };
  server.on('connection', keep(all));
  server.on('secureConnection', keep(secure));

  return {
    end() {
      setTimeout(() => {
        isEnding = true;
        endUnlessSecure();
      }, handshakeMsAtEnd).unref();
    },
    endAll,
  };

  function endUnlessSecure(): void {
    if (secure.size === 0) endAll();
  }

  function endAll(): void {
    for (const socket of all) socket.destroy();
  }
}

const handshakeMsAtEnd = 1_000;
