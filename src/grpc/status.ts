import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { Failure, type FailureCode } from '../failure.ts';
import { StoreUnavailable } from '../store/store.ts';
import { troubleWords } from '../store/trouble.ts';
import { BadRequest, ErrorInfo } from './gen/google/rpc/error_details.ts';
import { Status } from './gen/google/rpc/status.ts';

/** The domain of every ErrorInfo (AIP-193). */
const errorDomain = 'postern';

const codes: Readonly<Record<FailureCode, number>> = {
  INVALID_ARGUMENT: status.INVALID_ARGUMENT,
  UNAUTHENTICATED: status.UNAUTHENTICATED,
  PERMISSION_DENIED: status.PERMISSION_DENIED,
  NOT_FOUND: status.NOT_FOUND,
  ALREADY_EXISTS: status.ALREADY_EXISTS,
  FAILED_PRECONDITION: status.FAILED_PRECONDITION,
  ABORTED: status.ABORTED,
  RESOURCE_EXHAUSTED: status.RESOURCE_EXHAUSTED,
  UNAVAILABLE: status.UNAVAILABLE,
};

export type GrpcError = Pick<ServiceError, 'code' | 'details' | 'metadata'>;

/**
 * What a caller is told of an error: a Failure whole, with ErrorInfo and, for bad input, BadRequest; a store
 * that cannot be reached as UNAVAILABLE; anything else as INTERNAL without its text.
 */
export function toGrpcError(error: unknown): GrpcError {
  if (error instanceof Failure)
    return grpcError(codes[error.code], error.message, error.reason, error.violations);
  if (error instanceof StoreUnavailable) {
    const { trouble } = error;
    const message = trouble === null ? 'The store cannot be reached. Try again.' : troubleWords[trouble];
    return grpcError(status.UNAVAILABLE, message, 'STORE_UNAVAILABLE', []);
  }
  return grpcError(
    status.INTERNAL,
    'Something went wrong inside Postern; its log says what.',
    'INTERNAL',
    [],
  );
}

/** Whether the log should have the error itself: it is not one that the caller was told of. */
export function isUnexpected(error: unknown): boolean {
  return !(error instanceof Failure || error instanceof StoreUnavailable);
}

/** An error with its ErrorInfo and, where a field is at fault, its BadRequest. */
export function grpcError(
  code: number,
  message: string,
  reason: string,
  violations: Failure['violations'],
): GrpcError {
  const info = ErrorInfo.encode({ reason, domain: errorDomain, metadata: {} }).finish();
  const details = [{ typeUrl: 'type.googleapis.com/google.rpc.ErrorInfo', value: info }];
  if (violations.length > 0) {
    const fieldViolations = violations.map((violation) => ({
      ...violation,
      reason: '',
      localizedMessage: undefined,
    }));
    const value = BadRequest.encode({ fieldViolations }).finish();
    details.push({ typeUrl: 'type.googleapis.com/google.rpc.BadRequest', value });
  }
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', Buffer.from(Status.encode({ code, message, details }).finish()));
  return { code, details: message, metadata };
}
