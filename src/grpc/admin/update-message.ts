import {
  Key,
  Owner,
  type UpdateKeyRequest,
  type UpdateOwnerRequest,
} from '../gen/postern/admin/v1/key_admin.ts';
import { rateLimitInputOf } from './key-message.ts';
import type { MaskedUpdate } from './masked-update.ts';
import { timeText } from './time-message.ts';

const ofKey = ['name', 'permissions', 'ip_allowlist', 'expires_at', 'plan', 'rate_limit', 'labels'];

const ofOwner = ['plan', 'active_until', 'suspended'];

export function keyUpdate({ key: sent, update_mask: mask }: UpdateKeyRequest): MaskedUpdate {
  const key = sent ?? Key.decode(new Uint8Array());
  const { expires_at, rate_limit, plan } = key;
  const inputs: Readonly<Record<string, unknown>> = {
    ...key,
    expires_at: expires_at === undefined ? null : timeText(expires_at),
    rate_limit: rate_limit === undefined ? null : rateLimitInputOf(rate_limit),
    plan: plan ?? null,
  };
  return { place: 'key', mask, message: { ...key }, changeable: ofKey, inputOf: (path) => inputs[path] };
}

export function ownerUpdate({ owner: sent, update_mask: mask }: UpdateOwnerRequest): MaskedUpdate {
  const owner = sent ?? Owner.decode(new Uint8Array());
  const { active_until, suspended, plan } = owner;
  const inputs: Readonly<Record<string, unknown>> = {
    active_until: active_until === undefined ? null : timeText(active_until),
    ...{ suspended, plan: plan ?? null },
  };
  return {
    ...{ place: 'owner', mask, message: { ...owner }, changeable: ofOwner },
    inputOf: (path) => inputs[path],
  };
}
