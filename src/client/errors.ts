import { type ServiceError, status } from '@grpc/grpc-js';
import { BadRequest, ErrorInfo, RetryInfo } from '../grpc/gen/google/rpc/error_details.ts';
import { Status } from '../grpc/gen/google/rpc/status.ts';

/** The name of a gRPC status, as in `NOT_FOUND`. */
export type ErrorCode = keyof typeof status;

/** A field that the service does not take, and why. */
export interface FieldViolation {
  /** Its path in the request: `rate_limit.window`. */
  readonly field: string;
  readonly description: string;
}

/** A call that did not go well. */
export class PosternError extends Error {
  readonly code: ErrorCode;
  /** What the service calls it, as in `KEY_NOT_FOUND`; null where nobody said. */
  readonly reason: string | null;
  /** Of INVALID_ARGUMENT, every field at fault. */
  readonly fields: readonly FieldViolation[];
  /** When to try again, in milliseconds; null where the service does not say. */
  readonly retryAfterMs: number | null;

  constructor(
    code: ErrorCode,
    message: string,
    details: Partial<Pick<PosternError, 'reason' | 'fields' | 'retryAfterMs'>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'PosternError';
    this.code = code;
    this.reason = details.reason ?? null;
    this.fields = details.fields ?? [];
    this.retryAfterMs = details.retryAfterMs ?? null;
  }
}

const typePrefix = 'type.googleapis.com/google.rpc.';

/** Reads what gRPC threw, with the details that the service sent. */
export function posternError(error: unknown): PosternError {
  if (error instanceof PosternError) return error;
  const { code, details, metadata } = error as Partial<ServiceError>;
  if (code === undefined) return new PosternError('UNKNOWN', String(error), {}, { cause: error });
  const name = (status[code] ?? 'UNKNOWN') as ErrorCode;
  const [bytes] = metadata?.get('grpc-status-details-bin') ?? [];
  const read = bytes instanceof Uint8Array ? detailsIn(bytes) : {};
  return new PosternError(name, details || name, read, { cause: error });
}

function detailsIn(bytes: Uint8Array): ConstructorParameters<typeof PosternError>[2] {
  const found: { reason?: string; fields?: FieldViolation[]; retryAfterMs?: number } = {};
  for (const { typeUrl, value } of Status.decode(bytes).details) {
    if (typeUrl === `${typePrefix}ErrorInfo`) found.reason = ErrorInfo.decode(value).reason;
    if (typeUrl === `${typePrefix}BadRequest`) {
      found.fields = BadRequest.decode(value).fieldViolations.map(({ field, description }) => ({
        ...{ field, description },
      }));
    }
    if (typeUrl === `${typePrefix}RetryInfo`) {
      const { retryDelay } = RetryInfo.decode(value);
      if (retryDelay !== undefined) found.retryAfterMs = retryDelay.seconds * 1_000 + retryDelay.nanos / 1e6;
    }
  }
  return found;
}
