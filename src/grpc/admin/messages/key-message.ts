import { etagOf, keyState, type ShownKey } from '../../../keys/key.ts';
import { type Limit as StoredLimit, shortOfLimits } from '../../../keys/limit.ts';
import {
  type CreateKeyRequest,
  type Key,
  type KeyFilter,
  KeyState,
  type Limit,
  type ListKeysRequest,
  type RateLimit,
} from '../../gen/postern/admin/v1/key_admin.ts';
import { durationOf, durationText, seconds, timeText } from './time-message.ts';

/** `Key.state` by a key's state. */
export const keyStates = {
  active: KeyState.KEY_STATE_ACTIVE,
  disabled: KeyState.KEY_STATE_DISABLED,
  revoked: KeyState.KEY_STATE_REVOKED,
  expired: KeyState.KEY_STATE_EXPIRED,
} as const;

/** A key as KeyAdmin shows it; times are whole seconds. */
export function keyMessage(key: ShownKey, now: number): Key {
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
    rate_limit: shortMessage(key.rateLimits),
    labels: { ...key.labels },
    state: keyStates[keyState(key, now)],
    updated_at: seconds(key.updatedAt),
    revoked_at: seconds(key.revokedAt),
    rotated_from: key.rotatedFrom ?? undefined,
    etag: etagOf(key),
    roles: [...key.roles],
    rate_limits: key.rateLimits.map(limitMessage),
    principals: [...key.principals],
    external_id: key.externalId ?? undefined,
    created_by: key.createdBy ?? undefined,
    replaced_by: key.rotatedTo ?? undefined,
    blocked: key.blocked ?? undefined,
  };
}

/** The request in the contract's JSON shape; what a protobuf caller left unset is left out. */
export function createKeyInputOf(request: CreateKeyRequest): Record<string, unknown> {
  const { expires_at, rate_limit, rate_limits, ...rest } = request;
  return {
    ...rest,
    ...(expires_at !== undefined && { expires_at: timeText(expires_at) }),
    ...limitsInputOf({ rate_limit, rate_limits }),
  };
}

/** The limits of a request, of which those that it does not set are left out. */
export function limitsInputOf({ rate_limit, rate_limits }: Pick<Key, 'rate_limit' | 'rate_limits'>) {
  return {
    ...(rate_limit !== undefined && { rate_limit: rateLimitInputOf(rate_limit) }),
    ...(rate_limits.length > 0 && { rate_limits: rate_limits.map(limitInputOf) }),
  };
}

/** In the contract's JSON shape. */
export function limitInputOf({ name, limit, length, shared_by }: Limit): Record<string, unknown> {
  const window = length?.$case === 'window' ? { window: durationText(length.value) } : {};
  const period = length?.$case === 'period' ? { period: length.value } : {};
  return {
    ...(name !== '' && { name }),
    limit,
    ...window,
    ...period,
    ...(shared_by !== '' && { shared_by }),
  };
}

function limitMessage({ name, limit, per, sharedBy }: StoredLimit): Limit {
  const length: Limit['length'] =
    typeof per === 'number' ? { $case: 'window', value: durationOf(per) } : { $case: 'period', value: per };
  return { name, limit, length, shared_by: sharedBy };
}

function shortMessage(limits: readonly StoredLimit[]): RateLimit | undefined {
  const short = shortOfLimits(limits);
  return short === null ? undefined : { limit: short.limit, window: durationOf(short.windowMs) };
}

/** In the contract's JSON shape. */
export function rateLimitInputOf({ limit, window }: RateLimit): Record<string, unknown> {
  return { limit, window: durationText(window) };
}

/** The request in the contract's JSON shape. */
export function listKeysInputOf({
  page_token,
  order_by,
  ...filter
}: ListKeysRequest): Record<string, unknown> {
  return {
    ...keyFilterInputOf(filter),
    ...(page_token !== '' && { page_token }),
    ...(order_by !== '' && { order_by }),
  };
}

/** In the contract's JSON shape. */
export function keyFilterInputOf({
  state,
  unused_since,
  expires_before,
  ...rest
}: KeyFilter): Record<string, unknown> {
  const [name] = Object.entries(keyStates).find(([, value]) => value === state) ?? [];
  const asked = state === KeyState.KEY_STATE_UNSPECIFIED ? {} : { state: name ?? String(state) };
  return {
    ...rest,
    ...asked,
    ...(unused_since !== undefined && { unused_since: timeText(unused_since) }),
    ...(expires_before !== undefined && { expires_before: timeText(expires_before) }),
  };
}
