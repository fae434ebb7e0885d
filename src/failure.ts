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

/** INVALID_ARGUMENT that names every field at fault; the message repeats them for callers that show only it. */
export function invalidArgument(violations: readonly FieldViolation[]): Failure {
  const text = violations.map((violation) => `${violation.field}: ${violation.description}`).join('; ');
  return new Failure('INVALID_ARGUMENT', 'INVALID_FIELD', text, violations);
}

/**
 * The same NOT_FOUND for what never was and for what the caller may not see. The id is not repeated: what was
 * sent in its place may be a secret.
 */
export function notFound(kind: string): Failure {
  return new Failure('NOT_FOUND', `${kind.toUpperCase()}_NOT_FOUND`, `There is no ${kind} with this id.`);
}
