import type { ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import type { Reason } from '../answer.ts';
import { type Authorize, type Decision, deny } from '../authorize.ts';
import type { AccessRequest } from '../request.ts';
import type { Scheme } from '../scheme.ts';
import { readCheckRequest } from './check-request.ts';
import { CheckUnavailable, denied, type UnavailableAs, writeCheckResponse } from './check-response.ts';
import { AuthorizationService } from './gen/envoy/service/auth/v3/external_auth.ts';
import type { GrpcService } from './server.ts';

export interface CheckDependencies {
  readonly authorize: Authorize;
  /** The scheme that speaks where a request could not be read. */
  readonly fallbackScheme: Scheme;
  /** Told of every decision and how long it took, once each; must not throw. */
  readonly onDecision: (decision: Decision, request: AccessRequest | null, durationMs: number) => void;
  /** Told of what should not have happened; must not throw. */
  readonly onBroken: (error: unknown) => void;
  readonly unavailableAs: UnavailableAs;
  /** A longer CheckRequest is malformed. Default 1 MiB. */
  readonly requestBytesMax?: number;
}

/** What the transport has to take in, so that a long request is denied and not failed: Envoy's headers end at 8 MiB. */
export const CHECK_BYTES_MAX = 16 * 1_024 * 1_024;

/** `envoy.service.auth.v3.Authorization` on grpc-js. */
export function createCheckService(dependencies: CheckDependencies): GrpcService {
  const answer = createAnswer(dependencies);
  const { check } = AuthorizationService;
  return {
    name: 'envoy.service.auth.v3.Authorization',
    // Bytes in, bytes out: what can not be read is denied here and not by the transport's own error.
    definition: {
      check: {
        ...check,
        requestDeserialize: (bytes: Buffer) => bytes,
        responseSerialize: (bytes: Uint8Array) => Buffer.from(bytes),
      },
    },
    implementation: {
      check(call: ServerUnaryCall<Buffer, Uint8Array>, callback: sendUnaryData<Uint8Array>) {
        answer(call.request).then(
          (bytes) => callback(null, bytes),
          (error: Error) => callback({ code: status.UNAVAILABLE, details: error.message }),
        );
      },
    },
  };
}

/**
 * One Check from bytes to bytes. Rejects with `CheckUnavailable` alone; whatever else goes wrong is answered
 * as a denial, since Envoy may be set to let requests pass on an error.
 */
export function createAnswer(dependencies: CheckDependencies): (bytes: Uint8Array) => Promise<Uint8Array> {
  const { authorize, fallbackScheme, onDecision, onBroken, unavailableAs } = dependencies;
  const { requestBytesMax = 1_048_576 } = dependencies;

  return async (bytes) => {
    const started = performance.now();
    const refuse = (reason: Reason) => {
      const decision = deny(reason, fallbackScheme, null);
      onDecision(decision, null, performance.now() - started);
      return denied(decision);
    };
    if (bytes.length > requestBytesMax) return refuse('malformed');
    let request: AccessRequest | null;
    try {
      request = readCheckRequest(bytes);
    } catch {
      return refuse('malformed');
    }
    if (request === null) return refuse('missing');
    try {
      const decision = await authorize(request);
      const answer = writeCheckResponse(decision, request, unavailableAs);
      onDecision(decision, request, performance.now() - started);
      return answer;
    } catch (error) {
      if (error instanceof CheckUnavailable) throw error;
      onBroken(error);
      return refuse('unavailable');
    }
  };
}
