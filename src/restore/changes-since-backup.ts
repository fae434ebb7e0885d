import type { NewOwner } from '../changes/owner-changes.ts';
import type { AuditJson } from '../journal/journal.ts';
import { isKeyId, type KeyId } from '../keys/key.ts';
import type { KeyPatch } from '../keys/key-patch.ts';
import { isLimit, type Limit, limitsOfShort, noLimits } from '../keys/limit.ts';
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

export interface RoleSinceBackup {
  readonly event: string;
  /** What it gives by the last event; null where that deleted it. */
  readonly permissions: readonly string[] | null;
}

/** What events after a backup say, each key and each owner as it was at their end. */
export interface ChangesSinceBackup {
  readonly keys: ReadonlyMap<KeyId, KeySinceBackup>;
  readonly owners: ReadonlyMap<string, OwnerSinceBackup>;
  readonly roles: ReadonlyMap<string, RoleSinceBackup>;
  /** Keys that were imported: the journal has their number alone. */
  readonly imported: number;
  /** Calls that changed something. */
  readonly changes: number;
}

/** Gathers events, the oldest first. Notices and what was refused changed nothing. */
export function createChangesSinceBackup() {
  const keys = new Map<KeyId, KeySinceBackup>();
  const owners = new Map<string, OwnerSinceBackup>();
  const roles = new Map<string, RoleSinceBackup>();
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
    add({ id, kind, outcome, action, target, after }: AuditJson): void {
      if (kind !== 'call' || outcome !== 'ok') return;
      if (action === 'DeleteRole') {
        changes += 1;
        roles.set(String(target), { event: id, permissions: null });
        return;
      }
      const json = members(after);
      if (json === null) return;
      changes += 1;
      if (action === 'PutRole')
        roles.set(String(json.id), { event: id, permissions: textsOf(json.permissions) });
      else if (action === 'PutOwner' || action === 'UpdateOwner')
        owners.set(String(json.id), { event: id, owner: ownerOf(json) });
      else if (action === 'ImportKeys') imported += Number(json.imported) || 0;
      else if (action === 'RotateKey') {
        for (const key of [members(json.rotated), members(json.made)]) if (key !== null) addKey(id, key);
      } else addKey(id, json);
    },
    end: (): ChangesSinceBackup => ({ keys, owners, roles, imported, changes }),
  };
}

type Json = Readonly<Record<string, unknown>>;

function members(value: unknown): Json | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : null;
}

/** What `keyJson` shows of a key that may be taken away. */
function termsOf(json: Json): KeyPatch {
  const { permissions, roles, ip_allowlist, principals, expires_at, plan, rate_limit, rate_limits } = json;
  // Entries of before there were lists have the short form alone.
  const limits = rate_limits === undefined ? limitOf(rate_limit) : limitListOf(rate_limits);
  return {
    ...(Array.isArray(permissions) && { permissions: permissions.map(String) }),
    ...(Array.isArray(roles) && { roles: roles.map(String) }),
    ...(Array.isArray(ip_allowlist) && { ipAllowlist: ip_allowlist.map(String) }),
    ...(Array.isArray(principals) && { principals: principals.map(String) }),
    ...(isTime(expires_at) && { expiresAt: timeOf(expires_at) }),
    ...((plan === null || typeof plan === 'string') && { plan }),
    ...(limits !== undefined && { rateLimits: limits }),
  };
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function ownerOf(json: Json): NewOwner {
  const { id, plan, active_until, suspended, name, contact, labels, billing_anchor, keys_max } = json;
  return {
    id: String(id),
    plan: typeof plan === 'string' ? plan : null,
    activeUntil: timeOf(active_until),
    suspended: suspended === true,
    name: typeof name === 'string' ? name : null,
    contact: typeof contact === 'string' ? contact : null,
    labels: Object.fromEntries(
      Object.entries(members(labels) ?? {}).map(([label, text]) => [label, String(text)]),
    ),
    billingAnchor: timeOf(billing_anchor),
    keysMax: typeof keys_max === 'number' ? keys_max : null,
  };
}

function isTime(value: unknown): boolean {
  return value === null || timeOf(value) !== null;
}

function timeOf(value: unknown): number | null {
  return typeof value === 'string' ? parseTime(value) : null;
}

/** Undefined for what cannot be read. */
function limitOf(value: unknown): readonly Limit[] | undefined {
  if (value === null) return noLimits;
  const { limit, window } = members(value) ?? {};
  const windowMs = typeof window === 'string' ? parseDuration(window) : null;
  return typeof limit === 'number' && windowMs !== null ? limitsOfShort({ limit, windowMs }) : undefined;
}

/** Undefined for what cannot be read. */
function limitListOf(value: unknown): readonly Limit[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const limits: unknown[] = value.map((item) => {
    const { name, limit, window, period, shared_by } = members(item) ?? {};
    const per = typeof window === 'string' ? parseDuration(window) : period;
    return { name, limit, per, sharedBy: shared_by };
  });
  return limits.every(isLimit) ? limits : undefined;
}
