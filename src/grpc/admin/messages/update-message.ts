import { isDeepStrictEqual } from 'node:util';
import { defaultLimitName } from '../../../keys/limit.ts';
import {
  Key,
  type Limit,
  Owner,
  type RateLimit,
  type UpdateKeyRequest,
  type UpdateOwnerRequest,
} from '../../gen/postern/admin/v1/key_admin.ts';
import { limitInputOf, rateLimitInputOf } from './key-message.ts';
import type { MaskedUpdate } from './masked-update.ts';
import { timeText } from './time-message.ts';

const ofKey = [
  'name',
  'permissions',
  'roles',
  'ip_allowlist',
  'principals',
  'expires_at',
  'plan',
  'rate_limit',
  'rate_limits',
  'labels',
  'external_id',
];

const ofOwner = [
  ...['plan', 'active_until', 'suspended', 'name', 'contact', 'labels', 'billing_anchor', 'keys_max'],
];

export function keyUpdate({ key: sent, update_mask: mask }: UpdateKeyRequest): MaskedUpdate {
  const key = sent ?? Key.decode(new Uint8Array());
  const { expires_at, rate_limit, rate_limits, plan } = key;
  // Who sends a whole key back says the same twice.
  const isRepeated = rate_limit !== undefined && isShort(rate_limits, rate_limit);
  const inputs: Readonly<Record<string, unknown>> = {
    ...key,
    expires_at: expires_at === undefined ? null : timeText(expires_at),
    rate_limit: rate_limit === undefined ? null : rateLimitInputOf(rate_limit),
    rate_limits: rate_limits.length === 0 || isRepeated ? null : rate_limits.map(limitInputOf),
    plan: plan ?? null,
    external_id: key.external_id ?? null,
  };
  return { place: 'key', mask, message: { ...key }, changeable: ofKey, inputOf: (path) => inputs[path] };
}

/** Whether a list of one says what the short form does. */
function isShort([only, ...others]: readonly Limit[], { limit, window }: RateLimit): boolean {
  if (only === undefined || others.length > 0) return false;
  const { name, length, shared_by } = only;
  const isPlain = ['', defaultLimitName].includes(name) && ['', 'key'].includes(shared_by);
  return (
    isPlain && only.limit === limit && length?.$case === 'window' && isDeepStrictEqual(length.value, window)
  );
}

export function ownerUpdate({ owner: sent, update_mask: mask }: UpdateOwnerRequest): MaskedUpdate {
  const owner = sent ?? Owner.decode(new Uint8Array());
  const { active_until, suspended, plan, name, contact, labels, billing_anchor, keys_max } = owner;
  const inputs: Readonly<Record<string, unknown>> = {
    active_until: active_until === undefined ? null : timeText(active_until),
    ...{ suspended, plan: plan ?? null, name: name ?? null, contact: contact ?? null, labels },
    billing_anchor: billing_anchor === undefined ? null : timeText(billing_anchor),
    keys_max: keys_max ?? null,
  };
  return {
    ...{ place: 'owner', mask, message: { ...owner }, changeable: ofOwner },
    inputOf: (path) => inputs[path],
  };
}
