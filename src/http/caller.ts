import type { IncomingMessage } from 'node:http';
import type { Caller } from '../identity.ts';

/** Who makes a request, by nothing but the connection and its own `Authorization` headers. */
export function callerOf(request: IncomingMessage): Caller {
  return { authorization: everyValue(request, 'authorization'), address: peerAddress(request) };
}

/** Node keeps only the first of a repeated `Authorization`; `rawHeaders` has them all. */
function everyValue({ rawHeaders }: IncomingMessage, name: string): string[] {
  return rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === name);
}

/** The peer's IP address, IPv4 written as such on a socket that takes both; empty on a Unix socket. */
function peerAddress({ socket }: IncomingMessage): string {
  return (socket.remoteAddress ?? '').replace(/^::ffff:(?=[0-9.]+$)/i, '');
}
