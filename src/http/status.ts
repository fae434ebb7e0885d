import { Failure, type FailureCode } from '../failure.ts';
import { StoreUnavailable } from '../store/store.ts';
import { troubleWords } from '../store/trouble.ts';

/** An error as it goes out. */
export interface ErrorAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ErrorBody;
}

/** `code` is gRPC's name of the kind of error, `details.reason` says which one it is. */
export interface ErrorBody {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly details: {
      readonly reason: string;
      /** With INVALID_ARGUMENT: every field at fault, none where the fault is not in a field. */
      readonly fields?: readonly { readonly field: string; readonly description: string }[];
    };
  };
}

const failureStatus = {
  INVALID_ARGUMENT: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  FAILED_PRECONDITION: 409,
  ABORTED: 409,
  RESOURCE_EXHAUSTED: 429,
  UNAVAILABLE: 503,
} as const satisfies Record<FailureCode, number>;

const failureHeaders: Partial<Record<FailureCode, Readonly<Record<string, string>>>> = {
  UNAUTHENTICATED: { 'WWW-Authenticate': 'Bearer realm="postern"' },
  UNAVAILABLE: { 'Retry-After': '1' },
};

/** What goes wrong before an operation is found, by its status. */
const wireErrors = {
  400: ['INVALID_ARGUMENT', 'MALFORMED_REQUEST', 'This is not a request that can be understood.'],
  403: [
    'PERMISSION_DENIED',
    'CLIENT_CERTIFICATE_REQUIRED',
    'Show a certificate of a client that is allowed.',
  ],
  404: ['NOT_FOUND', 'PATH_NOT_FOUND', 'There is nothing at this path.'],
  405: ['UNIMPLEMENTED', 'METHOD_NOT_ALLOWED', 'This path does not take this method; see Allow.'],
  408: ['DEADLINE_EXCEEDED', 'REQUEST_TIMEOUT', 'The request took too long to arrive.'],
  413: ['RESOURCE_EXHAUSTED', 'BODY_TOO_LARGE', 'The body is too large.'],
  414: ['INVALID_ARGUMENT', 'PATH_TOO_LONG', 'The path is too long.'],
  431: ['RESOURCE_EXHAUSTED', 'HEADERS_TOO_LARGE', 'The headers are too large.'],
  500: ['INTERNAL', 'INTERNAL', 'Something is broken in the service; its log has the cause.'],
} as const satisfies Record<number, readonly [code: string, reason: string, message: string]>;

/** The one table from what was thrown to what the caller is told; null for what only the log may know. */
export function errorAnswer(error: unknown): ErrorAnswer | null {
  if (error instanceof Failure) return failureAnswer(error);
  if (error instanceof StoreUnavailable) {
    const { trouble } = error;
    const message = trouble === null ? 'The store cannot be reached; try again.' : troubleWords[trouble];
    return failureAnswer(new Failure('UNAVAILABLE', 'STORE_UNAVAILABLE', message));
  }
  const status = wireStatus(error);
  return status === null ? null : wireErrorAnswer(status);
}

/** The answer to a request that never reached an operation; 500 for one that broke. */
export function wireErrorAnswer(status: keyof typeof wireErrors): ErrorAnswer {
  const [code, reason, message] = wireErrors[status];
  return { status, headers: {}, body: { error: { code, message, details: { reason } } } };
}

function failureAnswer({ code, reason, message, violations }: Failure): ErrorAnswer {
  const fields = violations.map(({ field, description }) => ({ field, description }));
  const details = code === 'INVALID_ARGUMENT' ? { reason, fields } : { reason };
  return {
    status: failureStatus[code],
    headers: failureHeaders[code] ?? {},
    body: { error: { code, message, details } },
  };
}

/** The status of an error that is the caller's own doing, by fastify's or the socket's word. */
function wireStatus(error: unknown): Exclude<keyof typeof wireErrors, 500> | null {
  if (!(error instanceof Error)) return null;
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown };
  if (typeof code !== 'string' || !(code.startsWith('FST_ERR_') || code === 'ECONNRESET')) return null;
  if (statusCode === 404 || statusCode === 408 || statusCode === 413 || statusCode === 414) return statusCode;
  return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500 ? 400 : null;
}
