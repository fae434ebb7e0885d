import type { NewOwner } from '../changes/owner-changes.ts';
import type { AuditJson } from '../journal/journal.ts';
import { isKeyId, type KeyId, type RateLimit } from '../keys/key.ts';
import type { KeyPatch } from '../keys/key-patch.ts';
import { parseDuration, parseTime } from '../time/time.ts';

/** What the last of some events says of a key. */
export interface KeySinceBackup {
  /** The id of that event. */
  readonly event: string;
  readonly name: string;
  readonly isRevoked: boolean;
  readonly isDisabled: boolean;
  /** What the key was then, as far as it is told. */
  readonly terms: KeyPatch;
}

export interface OwnerSinceBackup {
  readonly event: string;
  readonly owner: NewOwner;
}

/** What events after a backup say, each key and each owner as it was at their end. */
export interface ChangesSinceBackup {
  readonly keys: ReadonlyMap<KeyId, KeySinceBackup>;
  readonly owners: ReadonlyMap<string, OwnerSinceBackup>;
  /** Keys that were imported: the journal has their number alone. */
  readonly imported: number;
  /** Calls that changed something. */
  readonly changes: number;
}

/** Gathers events, the oldest first. Notices and what was refused changed nothing. */
export function createChangesSinceBackup() {
  const keys = new Map<KeyId, KeySinceBackup>();
  const owners = new Map<string, OwnerSinceBackup>();
  let imported = 0;
  let changes = 0;

  function addKey(event: string, json: Json): void {
    const id = String(json.id);
    if (!isKeyId(id)) return;
    const { name, state } = json;
    const isRevoked = state === 'revoked' || keys.get(id)?.isRevoked === true;
    const isDisabled = state === 'disabled';
    keys.set(id, { event, name: String(name), isRevoked, isDisabled, terms: termsOf(json) });
  }

  return {
    add({ id, kind, outcome, action, after }: AuditJson): void {
      if (kind !== 'call' || outcome !== 'ok') return;
      const json = members(after);
      if (json === null) return;
      changes += 1;
      if (action === 'PutOwner' || action === 'UpdateOwner')
        owners.set(String(json.id), { event: id, owner: ownerOf(json) });
      else if (action === 'ImportKeys') imported += Number(json.imported) || 0;
      else if (action === 'RotateKey') {
        for (const key of [members(json.rotated), members(json.made)]) if (key !== null) addKey(id, key);
      } else addKey(id, json);
    },
    end: (): ChangesSinceBackup => ({ keys, owners, imported, changes }),
  };
}

type Json = Readonly<Record<string, unknown>>;

function members(value: unknown): Json | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : null;
}

/** What `keyJson` shows of a key that may be taken away. */
function termsOf(json: Json): KeyPatch {
  const { permissions, ip_allowlist, expires_at, plan, rate_limit } = json;
  const limit = limitOf(rate_limit);
  return {
    ...(Array.isArray(permissions) && { permissions: permissions.map(String) }),
    ...(Array.isArray(ip_allowlist) && { ipAllowlist: ip_allowlist.map(String) }),
    ...(isTime(expires_at) && { expiresAt: timeOf(expires_at) }),
    ...((plan === null || typeof plan === 'string') && { plan }),
    ...(limit !== undefined && { rateLimit: limit }),
  };
}

function ownerOf(json: Json): NewOwner {
  const { id, plan, active_until, suspended } = json;
  return {
    id: String(id),
    plan: typeof plan === 'string' ? plan : null,
    activeUntil: timeOf(active_until),
    suspended: suspended === true,
  };
}

function isTime(value: unknown): boolean {
  return value === null || timeOf(value) !== null;
}

function timeOf(value: unknown): number | null {
  return typeof value === 'string' ? parseTime(value) : null;
}

/** Undefined for what cannot be read. */
function limitOf(value: unknown): RateLimit | null | undefined {
  if (value === null) return null;
  const { limit, window } = members(value) ?? {};
  const windowMs = typeof window === 'string' ? parseDuration(window) : null;
  return typeof limit === 'number' && windowMs !== null ? { limit, windowMs } : undefined;
}
