import type { HolderDenial } from '../../admin/holder/holder.ts';
import { type GrpcError, grpcError } from '../status.ts';

/** Headers of HTTP that say something of a body, or of the connection, which HTTP/2 refuses (RFC 9113 §8.2.2). */
const ofHttpAlone = new Set([
  ...['connection', 'content-encoding', 'content-length', 'content-type', 'host', 'http2-settings'],
  ...['keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'],
]);

/** A denial as gRPC callers read that of a Check: its code and message, its headers as metadata, its reason as ErrorInfo. */
export function denialError({ reason, headers, grpc }: HolderDenial): GrpcError {
  const error = grpcError(grpc.code, grpc.message, reason.toUpperCase(), []);
  for (const [name, value] of headers) if (isMetadata(name)) error.metadata.set(name, value);
  return error;
}

/** Names of metadata are narrower than those of headers; `-bin` would be base64, and `grpc-` is gRPC's own. */
function isMetadata(name: string): boolean {
  return !ofHttpAlone.has(name) && /^(?!grpc-)[a-z0-9_.-]+(?<!-bin)$/.test(name);
}
