/** What the REST API answers, as far as pages show it; `openapi.json` describes all of it. */
export interface Key {
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  readonly permissions: readonly string[];
  readonly created_at: string;
  readonly last_used_at: string | null;
  readonly expires_at: string | null;
  readonly scheme: string;
  readonly environment: string;
  readonly owner: string | null;
  readonly last4: string;
  readonly ip_allowlist: readonly string[];
  readonly plan: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly state: 'active' | 'disabled' | 'revoked' | 'expired';
  readonly updated_at: string;
  readonly revoked_at: string | null;
  readonly rotated_from: string | null;
  readonly etag: string;
  readonly roles: readonly string[];
  readonly rate_limits: readonly KeyRateLimit[];
  readonly principals: readonly string[];
  readonly external_id: string | null;
  readonly created_by: string | null;
  readonly replaced_by: string | null;
  readonly blocked: 'owner_inactive' | null;
}

/** One of the limits of a key itself; it has a window or a period. */
export interface KeyRateLimit {
  readonly name: string;
  readonly limit: number;
  readonly window?: string;
  readonly period?: 'day' | 'week' | 'month' | 'total';
  readonly shared_by: 'key' | 'owner';
}

/** From when on a change holds everywhere. */
export interface Settlement {
  readonly effective_at: string;
  readonly unconfirmed_replicas: readonly string[];
}

/** A key with its secret, which is null where a request is repeated. */
export interface MadeKey extends Key {
  readonly key: string | null;
}

export interface RotatedKey extends MadeKey, Settlement {
  readonly rotated_key: Key | null;
}

export interface Usage {
  readonly buckets: readonly Bucket[];
  readonly last_used_at: string | null;
  readonly addresses: readonly string[];
}

/** How a key stands with one of its limits. */
export interface KeyLimit {
  readonly name: string;
  readonly limit: number;
  readonly used: number;
  readonly remaining: number;
  readonly resets_at: string | null;
  readonly shared_by: 'key' | 'owner';
}

/** Requests that are alike, within one minute. */
export interface LoggedRequest {
  readonly at: string;
  readonly count: number;
  readonly key_id: string | null;
  readonly method: string | null;
  readonly host: string | null;
  readonly path: string | null;
  readonly address: string | null;
  readonly decision: 'allow' | 'deny' | 'observed';
  readonly reason: string | null;
  readonly status: number;
}

export interface Bucket {
  readonly start: string;
  readonly allowed: number;
  readonly denied: Readonly<Record<string, number>>;
  readonly observed: Readonly<Record<string, number>>;
}

export interface Owner {
  readonly id: string;
  readonly plan: string | null;
  readonly active_until: string | null;
  readonly suspended: boolean;
  readonly active: boolean;
  readonly created_at: string;
  readonly updated_at: string;
  readonly etag: string;
  readonly name: string | null;
  readonly contact: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly billing_anchor: string | null;
  readonly keys_max: number | null;
}

export interface Role {
  readonly id: string;
  readonly description: string | null;
  readonly permissions: readonly string[];
  readonly created_at: string;
  readonly updated_at: string;
  readonly etag: string;
}

export interface AuditEvent {
  readonly id: string;
  readonly at: string;
  readonly actor: string | null;
  readonly action: string;
  readonly target: string | null;
  readonly outcome: string;
  readonly address: string | null;
  readonly request_id: string | null;
  readonly before: unknown;
  readonly after: unknown;
  readonly error: string | null;
  /** Absent from entries of before there were names. */
  readonly actor_name?: string | null;
  readonly target_name?: string | null;
  /** Whether the page of who did it is not for who looks. The console's own. */
  readonly isActorHidden?: boolean;
}

export interface Page<T> {
  readonly data: readonly T[];
  readonly next_page_token: string | null;
}

/** With how many there are on all pages, where that was asked for. */
export interface KeyPage extends Page<Key> {
  readonly total_size?: number;
}

/** Of many keys, or of a dry run, in which `effective_at` is null. */
export interface EndedKeys {
  readonly matched: number;
  readonly changed: number;
  readonly effective_at: string | null;
  readonly unconfirmed_replicas: readonly string[];
}
