import { callerAddress } from './ask.ts';
import type { Learned } from './learned.ts';
import type { ModelRole } from './plans/role-plans.ts';
import type { RateLimit, Who } from './step.ts';

/**
 * What the service is said to do, by the contract and by the comments of the proto, and by nothing of how it is
 * done. Times are Unix milliseconds.
 */
export interface Model {
  now: number;
  /** In the order in which they were made. */
  readonly keys: ModelKey[];
  readonly owners: Map<string, ModelOwner>;
  readonly roles: Map<string, ModelRole>;
  /** The journal, oldest first. */
  readonly events: ModelEvent[];
  /** What requests with an id have made, by whose they are and what they asked for. */
  readonly requests: Map<string, ModelKey>;
  /** The newest last. */
  readonly tokens: Token[];
  /** Secrets of the right form that are nobody's yet. */
  readonly spares: readonly Spare[];
  /** Whether somebody may change everything whatever becomes of the keys. */
  readonly hasOtherWriter: boolean;
  /** Grows, so that every name is used once. */
  names: number;
}

export interface ModelKey {
  readonly id: Learned;
  /** Null for one that was never shown and came from nowhere. */
  readonly secret: Learned;
  name: string;
  readonly prefix: Learned;
  readonly last4: Learned | string;
  permissions: readonly string[];
  readonly createdAt: number;
  lastUsedAt: number | null;
  expiresAt: number | null;
  readonly scheme: string;
  readonly environment: string;
  readonly owner: string | null;
  ipAllowlist: readonly string[];
  plan: string | null;
  rateLimit: RateLimit | null;
  labels: Readonly<Record<string, string>>;
  updatedAt: number;
  isDisabled: boolean;
  revokedAt: number | null;
  readonly rotatedFrom: ModelKey | null;
  /** What the entry of its import is about; null for every other key. */
  readonly importId: Learned | null;
  rotatedTo: ModelKey | null;
  /** Who made it. */
  readonly createdBy: Learned | string | null;
  /** The last is the one that it has. */
  readonly etags: Learned[];
  readonly uses: { readonly hour: number; readonly allowed: number; readonly denied: number }[];
  /** For the model's own purposes, and none of its callers'. */
  readonly isMark: boolean;
}

export interface ModelOwner {
  readonly id: string;
  readonly plan: string | null;
  readonly activeUntil: number | null;
  readonly suspended: boolean;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly etags: readonly Learned[];
}

/** An event as the contract shows it. */
export interface ModelEvent {
  readonly id: string;
  readonly at: string;
  readonly actor: Learned | string | null;
  readonly action: string;
  readonly target: Learned | string | null;
  readonly outcome: 'ok' | 'refused';
  readonly address: string;
  readonly request_id: string | null;
  readonly before: unknown;
  readonly after: unknown;
  readonly owner: string | null;
  readonly error: Learned | string | null;
  readonly actor_name: string | null;
  readonly target_name: string | null;
}

export interface Token {
  readonly text: string;
  /** The list and its filters, as far as they count. */
  readonly query: string;
  /** The last thing that was shown: a place among keys or events, an owner's id. */
  readonly last: number | string;
}

export interface Spare {
  readonly text: string;
  readonly scheme: string;
  readonly environment: string;
}

/** Who calls, as far as the service can tell. */
export interface Identity {
  readonly actor: Learned | string | null;
  /** Of the admin key. */
  readonly name: string | null;
  readonly owner: string | null;
  readonly canRead: boolean;
  readonly canWrite: boolean;
  /** Why they may make no call at all. */
  readonly refusal: 'UNAUTHENTICATED' | 'PERMISSION_DENIED' | null;
}

/** Thrown where a call is to be refused, with one of these codes. */
export class Refusal extends Error {
  readonly codes: readonly string[];
  readonly field: string | null;

  constructor(codes: readonly string[], field: string | null = null) {
    super(codes.join(' or '));
    this.codes = codes;
    this.field = field;
  }
}

export const invalid = (field: string) => new Refusal(['INVALID_ARGUMENT'], field);
export const missing = () => new Refusal(['NOT_FOUND']);

const nobody: Identity = {
  ...{ actor: null, name: null, owner: null, canRead: false, canWrite: false, refusal: 'UNAUTHENTICATED' },
};

export function identify(model: Model, who: Who): Identity {
  if (who === 'root') {
    return { ...nobody, actor: 'POSTERN_ADMIN_KEY', canRead: true, canWrite: true, refusal: null };
  }
  const key = who === 'nobody' ? null : holderOf(model, who);
  if (key === null || key.scheme !== 'postern') return nobody;
  const canWrite = key.permissions.includes('admin:write');
  const canRead = canWrite || key.permissions.includes('admin:read');
  const { id: actor, name, owner } = key;
  return { actor, name, owner, canRead, canWrite, refusal: refusalOf(model, key) };
}

function refusalOf(model: Model, key: ModelKey): Identity['refusal'] {
  if (stateOf(key, model.now) !== 'active') return 'UNAUTHENTICATED';
  return admits(key.ipAllowlist, callerAddress) ? null : 'PERMISSION_DENIED';
}

/**
 * The key that a caller presents: of a line of rotations the last. Null where there is none, or its secret was never
 * shown.
 */
export function holderOf(model: Model, who: number): ModelKey | null {
  let key = model.keys[who % Math.max(1, model.keys.length)];
  while (key?.rotatedTo != null) key = key.rotatedTo;
  return key === undefined || key.secret.value === null || key.isMark ? null : key;
}

/** Throws what one who has no such right is told. */
export function requireRight(identity: Identity, needs: 'read' | 'write'): void {
  if (identity.refusal !== null) throw new Refusal([identity.refusal]);
  if (needs === 'write' ? !identity.canWrite : !identity.canRead) throw new Refusal(['PERMISSION_DENIED']);
}

/** The owner that a call is about. */
export function ownerFor({ owner }: Identity, asked: string | null): string | null {
  if (owner === null) return asked;
  if (asked !== null && asked !== owner) throw new Refusal(['PERMISSION_DENIED']);
  return owner;
}

export function isVisible({ owner }: Identity, key: Pick<ModelKey, 'owner'>): boolean {
  return owner === null || key.owner === owner;
}

export function stateOf(key: ModelKey, now: number): 'active' | 'disabled' | 'revoked' | 'expired' {
  if (key.revokedAt !== null) return 'revoked';
  if (key.isDisabled) return 'disabled';
  return key.expiresAt !== null && now >= key.expiresAt ? 'expired' : 'active';
}

export function isActiveOwner(model: Model, id: string | null): boolean {
  const owner = id === null ? undefined : model.owners.get(id);
  if (owner === undefined) return true;
  return !owner.suspended && (owner.activeUntil === null || model.now < owner.activeUntil);
}

const prefixes: Readonly<Record<string, (address: string) => boolean>> = {
  '10.0.0.0/8': (address) => address.startsWith('10.'),
  '127.0.0.0/8': (address) => address.startsWith('127.'),
  '2001:db8::/32': (address) => address.startsWith('2001:db8:'),
};

export function admits(allowlist: readonly string[], address: string): boolean {
  return allowlist.length === 0 || allowlist.some((network) => prefixes[network]?.(address));
}

/** RFC 3339 to the second. */
export function clock(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

export function clockOrNull(ms: number | null): string | null {
  return ms === null ? null : clock(ms);
}

/** A key as the contract shows it. */
export function shownKey(model: Model, key: ModelKey): Record<string, unknown> {
  const { now } = model;
  const isBlocked = stateOf(key, now) === 'active' && !isActiveOwner(model, key.owner);
  const { rateLimit } = key;
  return {
    ...{ id: key.id, name: key.name, prefix: key.prefix, permissions: [...key.permissions] },
    ...{ created_at: clock(key.createdAt), last_used_at: clockOrNull(key.lastUsedAt) },
    ...{ expires_at: clockOrNull(key.expiresAt), scheme: key.scheme, environment: key.environment },
    ...{ owner: key.owner, last4: key.last4, ip_allowlist: [...key.ipAllowlist], plan: key.plan },
    rate_limit: rateLimit && { limit: rateLimit.limit, window: `${rateLimit.windowMs / 1_000}s` },
    ...{ labels: { ...key.labels }, state: stateOf(key, now), updated_at: clock(key.updatedAt) },
    ...{ revoked_at: clockOrNull(key.revokedAt), rotated_from: key.rotatedFrom?.id ?? null },
    ...{ etag: key.etags.at(-1), roles: [], principals: [], external_id: null },
    rate_limits: rateLimit
      ? [
          {
            ...{ name: 'default', limit: rateLimit.limit },
            ...{ window: `${rateLimit.windowMs / 1_000}s`, shared_by: 'key' },
          },
        ]
      : [],
    ...{ created_by: key.createdBy, replaced_by: key.rotatedTo?.id ?? null },
    blocked: isBlocked ? 'owner_inactive' : null,
  };
}

/** An owner as the contract shows it. */
export function shownOwner(owner: ModelOwner, now: number): Record<string, unknown> {
  const active = !owner.suspended && (owner.activeUntil === null || now < owner.activeUntil);
  return {
    ...{ id: owner.id, plan: owner.plan, active_until: clockOrNull(owner.activeUntil) },
    ...{ suspended: owner.suspended, active, created_at: clock(owner.createdAt) },
    ...{ updated_at: clock(owner.updatedAt), etag: owner.etags.at(-1) },
    ...{ name: null, contact: null, labels: {}, billing_anchor: null, keys_max: null },
  };
}
