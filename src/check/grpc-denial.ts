import { reasonStatus } from '../schemes/answer.ts';
import type { Denied } from './authorize.ts';
import { denialBody, denialHeaders } from './denial.ts';
import type { AccessRequest } from './request.ts';

/** Whether a caller reads an answer by HTTP's status and a body, or by gRPC's. */
export type CallerKind = 'http' | 'grpc' | 'grpc-web';

/** By the content type, as Envoy tells gRPC callers apart. What comes through Envoy's filter for gRPC-Web is gRPC. */
export function callerKind(request: AccessRequest): CallerKind {
  const [type = ''] = request.header('content-type');
  const match = /^application\/grpc(-web(?:-text)?)?(?:[+; \t]|$)/i.exec(type);
  if (match === null) return 'http';
  return match[1] === undefined ? 'grpc' : 'grpc-web';
}

/**
 * The message alone, in plain words, of which Envoy makes `grpc-message`: the body of a scheme is JSON, and the
 * message of it is where most APIs have theirs. A body that has none is told by the reason.
 */
export function grpcMessage(denied: Denied): string {
  const body = jsonOf(denialBody(denied));
  const said = textAt(body, 'error', 'message') ?? textAt(body, 'message') ?? textAt(body, 'detail');
  const other = textAt(body, 'error_description') ?? textAt(body, 'error') ?? textAt(body, 'title');
  return said ?? other ?? denied.reason.replaceAll('_', ' ');
}

/**
 * Those of HTTP, and `grpc-status`, which Envoy would work out for itself as UNAVAILABLE for a 429 and UNKNOWN for a
 * 402. No content type: a gRPC caller gets Envoy's own. One of gRPC-Web, for whom Envoy does nothing, gets
 * `grpc-message` too.
 */
export function grpcHeaders(
  denied: Denied,
  kind: Exclude<CallerKind, 'http'>,
  message: string,
): readonly (readonly [name: string, value: string])[] {
  const own = ['content-type', 'grpc-status', 'grpc-message'];
  const kept = denialHeaders(denied).filter(([name]) => !own.includes(name));
  const status = ['grpc-status', String(grpcStatus(denied))] as const;
  if (kind === 'grpc') return [status, ...kept];
  return [['content-type', 'text/plain; charset=utf-8'], status, ['grpc-message', escaped(message)], ...kept];
}

const statusOf: Readonly<Record<number, number>> = { 401: 16, 402: 7, 403: 7, 429: 8, 503: 14 };

/** By the status that the scheme answers with, and where that is another, by the reason's own. */
export function grpcStatus({ scheme, reason }: Denied): number {
  return statusOf[scheme.answers[reason].status] ?? statusOf[reasonStatus[reason]] ?? 7;
}

function jsonOf(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}

function textAt(body: unknown, ...path: readonly string[]): string | null {
  let value = body;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return null;
    value = (value as Record<string, unknown>)[part];
  }
  return typeof value === 'string' && value.trim() !== '' ? value : null;
}

/** As gRPC over HTTP/2 has it: all but printable ASCII, and `%`, as the escapes of its UTF-8. */
function escaped(message: string): string {
  const bytes = [...Buffer.from(message)];
  return bytes
    .map((byte) =>
      byte < 0x20 || byte > 0x7e || byte === 0x25
        ? `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
        : String.fromCharCode(byte),
    )
    .join('');
}
