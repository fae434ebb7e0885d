import type { Admin } from '../../src/admin/admin.ts';

export type Operation = Exclude<
  keyof Admin,
  | 'signIn'
  | 'listKeyRequests'
  | 'getUsage'
  | 'revokeKeys'
  | 'disableKeys'
  | 'createPortalSession'
  | 'deletePortalSession'
>;

/** A call in the contract's JSON shape, apart from what carries it. */
export interface Ask {
  readonly operation: Operation;
  /** The key, the owner or the role in the address; absent where there is none. */
  readonly id?: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** The event after which a watch has been told enough. */
  readonly until?: EventMark;
}

/** An update of a key that gave it this name. */
export interface EventMark {
  readonly target: string;
  readonly name: string;
}

/** What a caller brings along. */
export interface Credentials {
  readonly authorization: string | null;
  /** `x-request-id` */
  readonly requestId: string | null;
}

/** What became of a call, in the contract's JSON shape. */
export type Outcome = Answered | Refused;

export interface Answered {
  readonly ok: true;
  /** `data`, of a list the whole answer, without what is in `settled`. */
  readonly value: unknown;
  readonly settled: {
    readonly effective_at: string;
    readonly unconfirmed_replicas: readonly string[];
  } | null;
}

export interface Refused {
  readonly ok: false;
  readonly code: string;
  readonly reason: string;
  readonly message: string;
  readonly fields: readonly string[];
}

/** One way of making calls. */
export interface Wire {
  readonly name: string;
  call(ask: Ask, credentials: Credentials): Promise<Outcome>;
}

/** The address that every call comes from. */
export const callerAddress = '127.0.0.1';

export function told(
  event: { readonly target?: unknown; readonly details?: unknown },
  mark: EventMark | undefined,
) {
  const after = Object(Object(event.details).after);
  return mark !== undefined && event.target === mark.target && after.name === mark.name;
}

/** An answer whose `effective_at` and `unconfirmed_replicas` stand among its members, or do not. */
export function answered(data: unknown): Answered {
  if (typeof data !== 'object' || data === null || !('effective_at' in data)) {
    return { ok: true, value: data, settled: null };
  }
  const { effective_at, unconfirmed_replicas, ...value } = data as Record<string, unknown> & {
    readonly unconfirmed_replicas?: readonly string[];
  };
  const settled = { effective_at: String(effective_at), unconfirmed_replicas: unconfirmed_replicas ?? [] };
  return { ok: true, value, settled };
}
