import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { Caller } from '../admin/identity.ts';
import { certificateNames } from '../net/certificate-names.ts';
import type { TraceHeaders } from '../tracing/tracing-context.ts';
import { hasVerifiedCertificate } from './client-certificate.ts';

/**
 * Who makes a request, by nothing but the connection and its own `Authorization` and `X-Request-Id` headers, and the
 * trace that it names.
 */
export function callerOf(request: IncomingMessage): Caller {
  const [requestId = null] = everyValue(request, 'x-request-id');
  return {
    authorization: everyValue(request, 'authorization'),
    ...{ address: peerAddress(request), requestId, certificateNames: peerNames(request) },
    ...{ protocol: 'http', trace: traceOf(request) },
  };
}

/** The same, by another admin key than the request's own; null for none. */
export function callerBy(request: IncomingMessage, adminKey: string | null): Caller {
  const authorization = adminKey === null ? [] : [`Bearer ${adminKey}`];
  return { ...callerOf(request), authorization, certificateNames: [] };
}

/** A `traceparent` that came twice names no trace. */
function traceOf(request: IncomingMessage): TraceHeaders {
  const [traceparents, tracestates] = [everyValue(request, 'traceparent'), everyValue(request, 'tracestate')];
  return { traceparent: traceparents.join(','), tracestate: tracestates.join(',') };
}

/** Node keeps only the first of a repeated `Authorization`; `rawHeaders` has them all. */
export function everyValue({ rawHeaders }: IncomingMessage, name: string): string[] {
  return rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === name);
}

/** Those of a certificate that was verified; a listener that asks for none has none. */
function peerNames({ socket }: IncomingMessage): string[] {
  if (!hasVerifiedCertificate(socket)) return [];
  return certificateNames(socket.getPeerCertificate().subjectaltname);
}

/** The peer's IP address, IPv4 written as such on a socket that takes both; empty on a Unix socket. */
function peerAddress({ socket }: IncomingMessage): string {
  const address = (socket.remoteAddress ?? '').replace(/^::ffff:(?=[0-9.]+$)/i, '');
  // The console, which calls in process, can give no empty one.
  return isIP(address) === 0 ? '' : address;
}
