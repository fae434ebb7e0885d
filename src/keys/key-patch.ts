import { isDeepStrictEqual } from 'node:util';
import { Failure } from '../failure.ts';
import type { KeyRecord } from './key.ts';
import { narrowsLimits } from './limit.ts';

/** What of a key may be changed; absent members stay as they are. */
export type KeyPatch = Partial<
  Pick<
    KeyRecord,
    | 'name'
    | 'permissions'
    | 'roles'
    | 'ipAllowlist'
    | 'principals'
    | 'expiresAt'
    | 'plan'
    | 'rateLimits'
    | 'labels'
    | 'externalId'
  >
>;

/** The key with the patch, null where nothing changes. FAILED_PRECONDITION where the key's state forbids it. */
export function patched(key: KeyRecord, patch: KeyPatch): KeyRecord | null {
  if (key.revokedAt !== null) {
    throw new Failure(
      'FAILED_PRECONDITION',
      'KEY_REVOKED',
      'A revoked key cannot be changed; create a new one.',
    );
  }
  const after = { ...key, ...patch };
  if (key.rotatedTo !== null && isLater(after.expiresAt, key.expiresAt)) {
    const message =
      'A key that was rotated ends with its grace period; its expiry can only be brought forward.';
    throw new Failure('FAILED_PRECONDITION', 'KEY_ROTATED', message);
  }
  return isDeepStrictEqual(after, key) ? null : after;
}

/**
 * Whether a patch may narrow what the key gives, so that its caller has to know from when on
 * that holds. Sure to say so when it does; it may also say so of a plan or a list that is merely another.
 */
export function narrows(before: KeyRecord, after: KeyRecord): boolean {
  return (
    before.permissions.some((permission) => !after.permissions.includes(permission)) ||
    before.roles.some((role) => !after.roles.includes(role)) ||
    narrowsList(before.ipAllowlist, after.ipAllowlist) ||
    narrowsList(before.principals, after.principals) ||
    isLater(before.expiresAt, after.expiresAt) ||
    before.plan !== after.plan ||
    narrowsLimits(before.rateLimits, after.rateLimits)
  );
}

/** Whether a patch is of the kind that can narrow access. */
export function mayNarrow({ name: _, labels: __, externalId: ___, ...grants }: KeyPatch): boolean {
  return Object.keys(grants).length > 0;
}

/** An empty one admits everybody. */
function narrowsList(before: readonly string[], after: readonly string[]): boolean {
  if (after.length === 0) return false;
  return before.length === 0 || before.some((entry) => !after.includes(entry));
}

/** Whether one end is after another; null is never. */
export function isLater(one: number | null, other: number | null): boolean {
  if (other === null) return false;
  return one === null || one > other;
}
