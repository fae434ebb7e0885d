/** The admin API of Postern, as one who holds an admin key. */
export interface AdminApi {
  /** The body of a good answer; null where the service says that there is no such thing. Throws an {@link AdminProblem}. */
  call(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<unknown>;
  /** Changes as they happen, until the signal aborts; throws what cuts it off. */
  changes(signal: AbortSignal): AsyncIterable<Change>;
  /** What time it is for the service, in Unix milliseconds; late by a second at most. */
  now(): number;
}

export interface Change {
  /** As of `WatchKeys`: `key.revoked`, `owner.put`. */
  readonly type: string;
  /** The id of what it is about; null for none. */
  readonly target: string | null;
}

/** A call that did not go well. */
export class AdminProblem extends Error {
  /** Whether nobody could answer it, rather than that it was refused. */
  readonly isAway: boolean;

  constructor(message: string, { isAway, ...options }: ErrorOptions & { readonly isAway: boolean }) {
    super(message, options);
    this.name = 'AdminProblem';
    this.isAway = isAway;
  }
}
