import { hash } from 'node:crypto';
import type { Visible } from '../changes/key-change.ts';
import { Failure, notFound } from '../failure.ts';
import type { Origin } from '../journal/journal.ts';
import { opensAdmin } from '../keys/admin-permissions.ts';
import { isKeyId, type KeyId } from '../keys/key.ts';
import type { Identity } from './identity.ts';

/** An admin call whose caller is known and may make it. */
export interface Call {
  readonly identity: Identity;
  /** What the journal says of it; its name is the request's own `request_id` where it has one. */
  readonly origin: Origin;
  /** Rejects, as the call would, once the caller may not make it any more: for one that lasts. */
  readonly renew: () => Promise<void>;
}

/** Which keys the caller may know of: for a portal session no admin key, by which it would outlive itself. */
export function visibleTo({ identity: { owner, portal } }: Call): Visible {
  return (key) =>
    (owner === null || key.owner === owner) && (portal === null || !opensAdmin(key.permissions));
}

/** Throws PERMISSION_DENIED where a portal session would give a key what opens the admin API. */
export function requireMayGive({ identity: { portal } }: Call, permissions: readonly string[]): void {
  if (portal === null || !opensAdmin(permissions)) return;
  const message = 'A portal session may give no key a permission that begins with "admin:".';
  throw new Failure('PERMISSION_DENIED', 'PORTAL_PERMISSION_REQUIRED', message);
}

/** The owner that a call is about: the one it names, or the one that its admin key is bound to. */
export function ownerFor({ identity }: Call, asked: string | null): string | null {
  if (identity.owner === null || identity.owner === asked) return asked;
  if (asked === null) return identity.owner;
  throw bound(identity);
}

/** Throws PERMISSION_DENIED for an admin key that has an owner. */
export function requireUnbound({ identity }: Call): void {
  if (identity.owner !== null) throw bound(identity);
}

/** An id that cannot be one is answered as one that is not there. */
export function keyId(id: string): KeyId {
  if (!isKeyId(id)) throw notFound('key');
  return id;
}

/**
 * A request id means something only among those who see the same keys, so that nobody meets another's, and for
 * one thing that it asks for.
 */
export function requestKey({ identity }: Call, requestId: string | null, ...about: string[]): string | null {
  if (requestId === null) return null;
  return hash('sha256', JSON.stringify([identity.owner, requestId, ...about]), 'base64url');
}

function bound({ portal }: Identity): Failure {
  const who = portal === null ? 'admin key' : 'portal session';
  const message = `The ${who} is bound to one owner and may not reach beyond that owner's keys.`;
  return new Failure('PERMISSION_DENIED', 'OWNER_MISMATCH', message);
}
