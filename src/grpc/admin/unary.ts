import type { handleUnaryCall, ServerUnaryCall } from '@grpc/grpc-js';
import type { Admin } from '../../admin/admin.ts';
import type { Caller } from '../../admin/identity.ts';
import { certificateNames } from '../../net/certificate-names.ts';
import { isUnexpected, toGrpcError } from '../status.ts';

/** Turns an operation into a method of grpc-js, and what it throws into a status. */
export type Unary = <Request, Response>(
  handle: (caller: Caller, request: Request) => Promise<Response>,
) => handleUnaryCall<Request, Response>;

/** What the methods of KeyAdmin are made of. */
export interface MethodDependencies {
  readonly admin: Admin;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly unary: Unary;
}

export function createUnary(onBroken: (error: unknown) => void): Unary {
  return (handle) => (call, callback) => {
    handle(callerOf(call), call.request).then(
      (response) => callback(null, response),
      (error: unknown) => {
        if (isUnexpected(error)) onBroken(error);
        callback(toGrpcError(error));
      },
    );
  };
}

/**
 * Who makes a call, by nothing but the connection and its metadata `authorization` and `x-request-id`, and the trace
 * that it names.
 */
export function callerOf(
  call: Pick<ServerUnaryCall<unknown, unknown>, 'metadata' | 'getPeer' | 'getAuthContext'>,
): Caller {
  const [authorization, [requestId = null]] = [
    call.metadata.get('authorization').map(String),
    call.metadata.get('x-request-id').map(String),
  ];
  const [traceparent, tracestate] = [
    call.metadata.get('traceparent').join(','),
    call.metadata.get('tracestate').join(','),
  ];
  return {
    ...{ authorization, address: addressOf(call.getPeer()), requestId },
    ...{ protocol: 'grpc', trace: { traceparent, tracestate } },
    certificateNames: certificateNames(call.getAuthContext().sslPeerCertificate?.subjectaltname),
  };
}

/** The address in grpc-js's `address:port`, where an IPv6 address has no brackets. */
function addressOf(peer: string): string {
  const address = peer.slice(0, Math.max(0, peer.lastIndexOf(':')));
  return address.replace(/^::ffff:(?=\d+\.)/, '');
}
