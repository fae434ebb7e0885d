/**
 * What an admin call may answer with instead of a result. The names are gRPC's status codes; one table
 * per wire turns them into its own numbers (`grpc/status.ts`, `http/status.ts`).
 */
export type FailureCode =
  | 'INVALID_ARGUMENT'
  | 'UNAUTHENTICATED'
  | 'PERMISSION_DENIED'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'FAILED_PRECONDITION'
  | 'ABORTED'
  | 'RESOURCE_EXHAUSTED'
  | 'UNAVAILABLE';

/** One field of a request that is not acceptable, as `google.rpc.BadRequest.FieldViolation`. */
export interface FieldViolation {
  /** The path of the field in the request, in the contract's snake_case: `rate_limit.window`. */
  readonly field: string;
  readonly description: string;
}

/**
 * A refusal that the caller may read whole: its message never quotes a secret or an inner error.
 * Anything else that is thrown means broken, and reaches callers as INTERNAL without its text.
 */
export class Failure extends Error {
  readonly code: FailureCode;
  /** Machine-readable, UPPER_SNAKE_CASE, as `google.rpc.ErrorInfo.reason`. */
  readonly reason: string;
  readonly violations: readonly FieldViolation[];

  constructor(
    code: FailureCode,
    reason: string,
    message: string,
    violations: readonly FieldViolation[] = [],
  ) {
    super(message);
    this.name = 'Failure';
    this.code = code;
    this.reason = reason;
    this.violations = violations;
  }
}

/** Fields at fault that are named: an error has to fit into the trailers of a gRPC call. */
const violationsMax = 20;
/** The name of a field that there is none is as long as its sender likes. */
const fieldLengthMax = 100;

/**
 * INVALID_ARGUMENT that names the fields at fault, of many the first 20; the message repeats them for callers that
 * show only it. Names are cut to 100 characters, and what no line of text may hold stands in them as U+FFFD.
 */
export function invalidArgument(violations: readonly FieldViolation[]): Failure {
  const named = violations.slice(0, violationsMax).map(({ field, description }) => ({
    field: field
      .slice(0, fieldLengthMax)
      .toWellFormed()
      .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\ufffd'),
    description,
  }));
  const more = violations.length - named.length;
  const texts = named.map(({ field, description }) => `${field}: ${description}`);
  const text = [...texts, ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
  return new Failure('INVALID_ARGUMENT', 'INVALID_FIELD', text, named);
}

/**
 * The same NOT_FOUND for what never was and for what the caller may not see. The id is not repeated: what was
 * sent in its place may be a secret.
 */
export function notFound(kind: string): Failure {
  return new Failure(
    'NOT_FOUND',
    `${kind.toUpperCase().replaceAll(' ', '_')}_NOT_FOUND`,
    `There is no ${kind} with this id.`,
  );
}
