import { etagOf, keyState, type ShownKey } from '../keys/key.ts';
import { type Limit, shortOfLimits } from '../keys/limit.ts';
import type { Settlement } from '../store/store.ts';
import { formatSeconds, formatTime } from '../time/time.ts';
import { settlementJson } from './settlement-json.ts';

/**
 * A key as the contract shows it, its members in the contract's order: PowerVerse's seven, then ours. Times
 * are RFC 3339 to the second, what is absent is null, `state` is judged at `now` (Unix milliseconds).
 */
export function keyJson(key: ShownKey, now: number) {
  return {
    id: key.id,
    name: key.name,
    prefix: key.prefix,
    permissions: key.permissions,
    created_at: formatTime(key.createdAt),
    last_used_at: timeJson(key.lastUsedAt),
    expires_at: timeJson(key.expiresAt),
    scheme: key.scheme,
    environment: key.environment,
    owner: key.owner,
    last4: key.last4,
    ip_allowlist: key.ipAllowlist,
    plan: key.plan,
    rate_limit: shortJson(key.rateLimits),
    labels: key.labels,
    state: keyState(key, now),
    updated_at: formatTime(key.updatedAt),
    revoked_at: timeJson(key.revokedAt),
    rotated_from: key.rotatedFrom,
    etag: etagOf(key),
    roles: key.roles,
    rate_limits: key.rateLimits.map(limitJson),
    principals: key.principals,
    external_id: key.externalId,
    created_by: key.createdBy,
    replaced_by: key.rotatedTo,
    blocked: key.blocked,
  };
}

/** A key that a change took something from, and from when on that holds everywhere. */
export function narrowedJson(result: Settlement & { readonly key: ShownKey }, now: number) {
  return { ...keyJson(result.key, now), ...settlementJson(result) };
}

function shortJson(limits: readonly Limit[]) {
  const short = shortOfLimits(limits);
  return short && { limit: short.limit, window: formatSeconds(short.windowMs) };
}

/** A limit as the contract shows it, with its window or its period. */
export function limitJson({ name, limit, per, sharedBy }: Limit) {
  return {
    ...{ name, limit },
    ...(typeof per === 'number' ? { window: formatSeconds(per) } : { period: per }),
    shared_by: sharedBy,
  };
}

function timeJson(ms: number | null): string | null {
  return ms === null ? null : formatTime(ms);
}
