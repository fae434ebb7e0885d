import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { certificateNames } from '../certificate-names.ts';
import type { Caller } from '../identity.ts';

/** Who makes a request, by nothing but the connection and its own `Authorization` and `X-Request-Id` headers. */
export function callerOf(request: IncomingMessage): Caller {
  const [requestId = null] = everyValue(request, 'x-request-id');
  return {
    authorization: everyValue(request, 'authorization'),
    ...{ address: peerAddress(request), requestId, certificateNames: peerNames(request) },
  };
}

/** Node keeps only the first of a repeated `Authorization`; `rawHeaders` has them all. */
function everyValue({ rawHeaders }: IncomingMessage, name: string): string[] {
  return rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === name);
}

/** Those of a certificate that was verified; a listener that asks for none has none. */
function peerNames({ socket }: IncomingMessage): string[] {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return [];
  return certificateNames(socket.getPeerCertificate().subjectaltname);
}

/** The peer's IP address, IPv4 written as such on a socket that takes both; empty on a Unix socket. */
function peerAddress({ socket }: IncomingMessage): string {
  return (socket.remoteAddress ?? '').replace(/^::ffff:(?=[0-9.]+$)/i, '');
}
