import { isAllowed } from './address.ts';
import type { Reason } from './answer.ts';
import { type KeyRecord, keyState } from './key.ts';

/** What a route asks of a key. */
export interface AccessTerms {
  /** The environment that is served here. */
  readonly environment: string;
  /** The peer's IP address; empty when it is not known. */
  readonly address: string;
  /** All of these must be on the key. */
  readonly permissions: readonly string[];
}

/** Why this key may not pass on these terms now (Unix milliseconds); null when it may. The first that fails decides. */
export function refuse(key: KeyRecord, terms: AccessTerms, now: number): Reason | null {
  const state = keyState(key, now);
  if (state !== 'active') return state;
  if (key.environment !== terms.environment) return 'wrong_environment';
  if (key.ipAllowlist.length > 0 && !isAllowed(key.ipAllowlist, terms.address)) return 'address_denied';
  if (!terms.permissions.every((permission) => key.permissions.includes(permission))) return 'permission_denied';
  return null;
}
