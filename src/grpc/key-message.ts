import { etagOf, type KeyRecord, keyState } from '../key.ts';
import { formatTimeMs } from '../time.ts';
import type { Duration } from './gen/google/protobuf/duration.ts';
import type { Timestamp } from './gen/google/protobuf/timestamp.ts';
import {
  type CreateKeyRequest,
  type Key,
  KeyState,
  type ListKeysRequest,
} from './gen/postern/admin/v1/key_admin.ts';

const states = {
  active: KeyState.KEY_STATE_ACTIVE,
  disabled: KeyState.KEY_STATE_DISABLED,
  revoked: KeyState.KEY_STATE_REVOKED,
  expired: KeyState.KEY_STATE_EXPIRED,
} as const;

/** A key as KeyAdmin shows it; times are whole seconds. */
export function keyMessage(key: KeyRecord, now: number): Key {
  return {
    id: key.id,
    name: key.name,
    prefix: key.prefix,
    permissions: [...key.permissions],
    created_at: seconds(key.createdAt),
    last_used_at: seconds(key.lastUsedAt),
    expires_at: seconds(key.expiresAt),
    scheme: key.scheme,
    environment: key.environment,
    owner: key.owner ?? undefined,
    last4: key.last4,
    ip_allowlist: [...key.ipAllowlist],
    plan: key.plan ?? undefined,
    rate_limit:
      key.rateLimit === null
        ? undefined
        : { limit: key.rateLimit.limit, window: durationOf(key.rateLimit.windowMs) },
    labels: { ...key.labels },
    state: states[keyState(key, now)],
    updated_at: seconds(key.updatedAt),
    revoked_at: seconds(key.revokedAt),
    rotated_from: key.rotatedFrom ?? undefined,
    etag: etagOf(key),
  };
}

/** The request in the contract's JSON shape; what a protobuf caller left unset is left out. */
export function createKeyInputOf(request: CreateKeyRequest): Record<string, unknown> {
  const { expires_at, rate_limit, ...rest } = request;
  return {
    ...rest,
    ...(expires_at !== undefined && { expires_at: timeText(expires_at) }),
    ...(rate_limit !== undefined && {
      rate_limit: { limit: rate_limit.limit, window: durationText(rate_limit.window) },
    }),
  };
}

/** The request in the contract's JSON shape. */
export function listKeysInputOf(request: ListKeysRequest): Record<string, unknown> {
  const { state, page_token, ...rest } = request;
  const [name] = Object.entries(states).find(([, value]) => value === state) ?? [];
  const asked = state === KeyState.KEY_STATE_UNSPECIFIED ? {} : { state: name ?? String(state) };
  return { ...rest, ...asked, ...(page_token !== '' && { page_token }) };
}

/** A time with its milliseconds. */
export function timestampOf(ms: number): Timestamp {
  const whole = Math.floor(ms / 1_000);
  return { seconds: whole, nanos: (ms - whole * 1_000) * 1_000_000 };
}

function seconds(ms: number | null): Timestamp | undefined {
  return ms === null ? undefined : { seconds: Math.floor(ms / 1_000), nanos: 0 };
}

function durationOf(ms: number): Duration {
  const whole = Math.floor(ms / 1_000);
  return { seconds: whole, nanos: (ms - whole * 1_000) * 1_000_000 };
}

/** As text, for the one reader of inputs; a time that no calendar has reads as itself and is refused there. */
function timeText({ seconds: whole, nanos }: Timestamp): string {
  const ms = whole * 1_000 + Math.floor(nanos / 1_000_000);
  return Number.isFinite(new Date(ms).getTime()) ? formatTimeMs(ms) : `${whole}.${nanos}`;
}

function durationText(duration: Duration | undefined): string {
  const { seconds: whole, nanos } = duration ?? { seconds: 0, nanos: 0 };
  return `${whole + nanos / 1_000_000_000}s`;
}
