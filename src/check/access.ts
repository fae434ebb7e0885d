import { type CheckedKey, keyState } from '../keys/key.ts';
import { isActive, type OwnerRecord } from '../keys/owner.ts';
import { isAllowed } from '../net/address.ts';
import type { Reason } from '../schemes/answer.ts';
import { holdsAll } from './permissions.ts';
import { isAllowedPrincipal } from './principals.ts';
import type { AccessRequest } from './request.ts';

/** What a route asks of a key. */
export interface AccessTerms {
  /** The environment that is served here; null when it is not to be judged. */
  readonly environment: string | null;
  /** The peer's IP address, empty when it is not known; null when it is not to be judged, as in a dry run. */
  readonly address: string | null;
  /** All of these must be held; `a|b` asks for one of the two. */
  readonly permissions: readonly string[];
  /** Units of rate limit that the request spends. */
  readonly cost: number;
}

/** What a key is judged by beside its own record. */
export interface Standing {
  readonly owner: OwnerRecord | null;
  /** What it holds in all, by itself and by its roles. */
  readonly permissions: readonly string[];
}

/** What is read of a request only for keys that ask for it. */
export type Caller = Pick<AccessRequest, 'principal'>;

/**
 * Why this key of this owner (null for one that nobody has put), which holds these permissions in all, may not pass on
 * these terms now (Unix milliseconds), its rate limit aside; null when it may. The first that fails decides.
 */
export function refuse(
  key: CheckedKey,
  { owner, permissions }: Standing,
  terms: AccessTerms,
  caller: Caller,
  now: number,
): Reason | null {
  const state = keyState(key, now);
  if (state !== 'active') return state;
  if (terms.environment !== null && key.environment !== terms.environment) return 'wrong_environment';
  if (!isActive(owner, now)) return 'owner_inactive';
  const { address } = terms;
  if (key.ipAllowlist.length > 0 && address !== null && !isAllowed(key.ipAllowlist, address))
    return 'address_denied';
  if (key.principals.length > 0 && !isCalledBy(key, caller)) return 'principal_denied';
  if (!holdsAll(permissions, terms.permissions)) return 'permission_denied';
  return null;
}

function isCalledBy({ principals }: CheckedKey, { principal }: Caller): boolean {
  return principal === undefined || isAllowedPrincipal(principals, principal);
}
