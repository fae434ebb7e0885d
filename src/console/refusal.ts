/** A field of a form or of the REST API that is at fault. */
export interface Fault {
  readonly field: string;
  readonly description: string;
}

/** Why there is no page as asked for: the REST API's error, or one in its form. */
export class Refusal extends Error {
  readonly status: number;
  /** As in `KEY_NOT_FOUND`. */
  readonly reason: string;
  /** Fields at fault, none where it is not about fields. */
  readonly faults: readonly Fault[];

  constructor(status: number, reason: string, message: string, faults: readonly Fault[] = []) {
    super(message);
    this.name = 'Refusal';
    this.status = status;
    this.reason = reason;
    this.faults = faults;
  }
}

/** Throws what is no refusal for its fields, which a form can show. */
export function faultsIn(error: unknown): readonly Fault[] {
  if (error instanceof Refusal && error.faults.length > 0) return error.faults;
  throw error;
}
