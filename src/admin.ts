import { hash } from 'node:crypto';
import {
  createKeyInput,
  getKeyUsageInput,
  listKeysInput,
  listOwnersInput,
  pageSizeDefault,
  pageSizeMax,
  putOwnerInput,
  readInput,
  verifyKeyInput,
} from './admin-input.ts';
import type { Authorize } from './authorize.ts';
import { createDryRun, type Verification } from './dry-run.ts';
import { Failure, invalidArgument, notFound } from './failure.ts';
import { type Caller, type Identity, requireRead, requireWrite } from './identity.ts';
import { isKeyId, type KeyId, type KeyRecord } from './key.ts';
import type { OwnerRecord } from './owner.ts';
import { pageFilter, readOwnerToken, readPageToken, writeOwnerToken, writePageToken } from './page-token.ts';
import type { Plans } from './plan.ts';
import type { Made, Narrowed, NewKey, PutOwner, Registry, Visible } from './registry.ts';
import type { Scheme } from './scheme.ts';
import { type KeyFilter, type Store, usageRetentionMs } from './store.ts';
import { type KeyUsage, reportUsage } from './usage-report.ts';

/**
 * The admin operations, apart from any wire. Each takes its request as the contract's JSON shape (snake_case,
 * times and durations as text), checks in this order: who calls, what they may do, whether the request makes
 * sense, whether the thing exists; and throws `Failure` at the first that is not so.
 */
export interface Admin {
  createKey(caller: Caller, input: unknown): Promise<Made>;
  getKey(caller: Caller, id: string): Promise<KeyRecord>;
  /** Since a time, or for as long as use is kept. */
  getKeyUsage(caller: Caller, id: string, input: unknown): Promise<KeyUsage>;
  listKeys(caller: Caller, input: unknown): Promise<KeyPage>;
  revokeKey(caller: Caller, id: string): Promise<Narrowed>;
  disableKey(caller: Caller, id: string): Promise<Narrowed>;
  enableKey(caller: Caller, id: string): Promise<KeyRecord>;
  verifyKey(caller: Caller, input: unknown): Promise<Verification>;
  /** Replaces what the owner was: members that are left out are null or false. For unbound admin keys alone. */
  putOwner(caller: Caller, id: string, input: unknown): Promise<PutOwner>;
  getOwner(caller: Caller, id: string): Promise<OwnerRecord>;
  listOwners(caller: Caller, input: unknown): Promise<OwnerPage>;
}

export interface KeyPage {
  /** Newest first. */
  readonly keys: readonly KeyRecord[];
  /** Null on the last page. */
  readonly nextPageToken: string | null;
}

export interface OwnerPage {
  /** By id. */
  readonly owners: readonly OwnerRecord[];
  /** Null on the last page. */
  readonly nextPageToken: string | null;
}

export interface AdminDependencies {
  readonly identify: (caller: Caller) => Promise<Identity>;
  readonly registry: Registry;
  readonly store: Pick<Store, 'getKey' | 'listKeys' | 'getOwner' | 'listOwners' | 'getUsage'>;
  /** A Check that counts nothing. */
  readonly authorize: Authorize;
  readonly plans: Plans;
  /** In the order of the configuration, then the scheme of admin keys if it is not among them. */
  readonly schemes: readonly [Scheme, ...Scheme[]];
  /** The environment of a new key that names none. */
  readonly environment: string;
  readonly now: () => number;
}

export function createAdmin(dependencies: AdminDependencies): Admin {
  const { identify, registry, store, authorize, schemes, now } = dependencies;
  const dryRun = createDryRun(authorize, schemes);

  return {
    async createKey(caller, input) {
      const identity = await identifyWriter(caller);
      return registry.create(newKey(identity, readInput(createKeyInput, input)));
    },
    async getKey(caller, id) {
      return findKey(await identifyReader(caller), id);
    },
    async getKeyUsage(caller, id, input) {
      const identity = await identifyReader(caller);
      const { since } = readInput(getKeyUsageInput, input);
      const key = await findKey(identity, id);
      return reportUsage(key, await store.getUsage(key.id, since ?? now() - usageRetentionMs));
    },
    async listKeys(caller, input) {
      const identity = await identifyReader(caller);
      const { page_size, page_token, ...asked } = readInput(listKeysInput, input);
      const filter = pageFilter({ ...asked, owner: ownerFor(identity, asked.owner ?? null) });
      const before = page_token ? readPageToken(page_token, filter) : null;
      return listPage({ ...filter, now: now() }, before, pageSize(page_size));
    },
    async revokeKey(caller, id) {
      const identity = await identifyWriter(caller);
      return registry.revoke(keyId(id), visibleTo(identity));
    },
    async disableKey(caller, id) {
      const identity = await identifyWriter(caller);
      return registry.disable(keyId(id), visibleTo(identity));
    },
    async enableKey(caller, id) {
      const identity = await identifyWriter(caller);
      return registry.enable(keyId(id), visibleTo(identity));
    },
    async verifyKey(caller, input) {
      const identity = await identifyReader(caller);
      return dryRun(readInput(verifyKeyInput, input), visibleTo(identity));
    },
    async putOwner(caller, id, input) {
      const identity = await identifyWriter(caller);
      if (identity.owner !== null) throw bound();
      const { plan, active_until, suspended } = readInput(putOwnerInput, withId(input, id));
      return registry.putOwner({ id, plan, activeUntil: active_until, suspended });
    },
    async getOwner(caller, id) {
      const identity = await identifyReader(caller);
      const owner = identity.owner === null || identity.owner === id ? await store.getOwner(id) : null;
      if (owner === null) throw notFound('owner');
      return owner;
    },
    async listOwners(caller, input) {
      const identity = await identifyReader(caller);
      const { page_size, page_token } = readInput(listOwnersInput, input);
      const after = page_token ? readOwnerToken(page_token) : null;
      if (identity.owner !== null) {
        const own = await store.getOwner(identity.owner);
        return { owners: own === null ? [] : [own], nextPageToken: null };
      }
      const size = pageSize(page_size);
      const { shown, last } = cut(await store.listOwners({ after, size: size + 1 }), size);
      return { owners: shown, nextPageToken: last === null ? null : writeOwnerToken(last.id) };
    },
  };

  async function identifyReader(caller: Caller): Promise<Identity> {
    const identity = await identify(caller);
    requireRead(identity);
    return identity;
  }

  async function identifyWriter(caller: Caller): Promise<Identity> {
    const identity = await identify(caller);
    requireWrite(identity);
    return identity;
  }

  async function findKey(identity: Identity, id: string): Promise<KeyRecord> {
    const key = isKeyId(id) ? await store.getKey(id) : null;
    if (key === null || !visibleTo(identity)(key)) throw notFound('key');
    return key;
  }

  function newKey(identity: Identity, input: ReturnType<typeof createKeyInput.parse>): NewKey {
    const scheme = schemeFor(input.scheme ?? null);
    const at = now();
    const expiresAt = typeof input.expires_in === 'number' ? at + input.expires_in : input.expires_at;
    if (expiresAt !== null && expiresAt <= at) {
      throw invalidArgument([{ field: 'expires_at', description: 'is in the past' }]);
    }
    const knownPlans = dependencies.plans.known(scheme);
    if (input.plan !== null && knownPlans.length > 0 && !knownPlans.includes(input.plan.toLowerCase())) {
      const description = `is no plan of this scheme; there are: ${knownPlans.join(', ')}`;
      throw invalidArgument([{ field: 'plan', description }]);
    }
    return {
      name: input.name,
      scheme,
      environment: input.environment ?? environmentOf(scheme),
      owner: ownerFor(identity, input.owner),
      permissions: [...new Set(input.permissions ?? [])],
      ipAllowlist: [...new Set(input.ip_allowlist ?? [])],
      plan: input.plan,
      rateLimit: input.rate_limit,
      labels: input.labels ?? {},
      expiresAt,
      requestKey: input.request_id === null ? null : requestKey(identity, input.request_id),
    };
  }

  function schemeFor(name: string | null): Scheme {
    const scheme = name === null ? schemes[0] : schemes.find((known) => known.name === name);
    if (scheme !== undefined) return scheme;
    const known = schemes.map((one) => one.name).join(', ');
    throw invalidArgument([{ field: 'scheme', description: `is not configured; there are: ${known}` }]);
  }

  function environmentOf(scheme: Scheme): string {
    const { environment } = dependencies;
    const has = scheme.prefixes.some((prefix) => prefix.environment === environment);
    return has ? environment : (scheme.prefixes[0]?.environment ?? environment);
  }

  async function listPage(filter: KeyFilter, before: KeyId | null, size: number): Promise<KeyPage> {
    const { shown, last } = cut(await store.listKeys(filter, { before, size: size + 1 }), size);
    return { keys: shown, nextPageToken: last === null ? null : writePageToken(last.id, filter) };
  }
}

/** One more than a page was read; the last one shown is given when there are more. */
function cut<T>(found: readonly T[], size: number): { shown: readonly T[]; last: T | null } {
  const shown = found.slice(0, size);
  return { shown, last: found.length > size ? (shown.at(-1) ?? null) : null };
}

function pageSize(asked: number | null | undefined): number {
  return Math.min(asked || pageSizeDefault, pageSizeMax);
}

/** An id that can not be one is answered as one that is not there. */
function keyId(id: string): KeyId {
  if (!isKeyId(id)) throw notFound('key');
  return id;
}

function visibleTo(identity: Identity): Visible {
  return (key) => identity.owner === null || key.owner === identity.owner;
}

/** The owner that a call is about: the one it names, or the one that its admin key is bound to. */
function ownerFor(identity: Identity, asked: string | null): string | null {
  if (identity.owner === null || identity.owner === asked) return asked;
  if (asked === null) return identity.owner;
  throw bound();
}

function bound(): Failure {
  const message = "The admin key is bound to one owner and may not reach beyond that owner's keys.";
  return new Failure('PERMISSION_DENIED', 'OWNER_MISMATCH', message);
}

/** A request id means something only among those who see the same keys, so that nobody meets another's. */
function requestKey(identity: Identity, requestId: string): string {
  return hash('sha256', JSON.stringify([identity.owner, requestId]), 'base64url');
}

/** The id stands in the address and is checked with the rest; the input may repeat it, but name no other. */
function withId(input: unknown, id: string): unknown {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return input;
  if ('id' in input && input.id !== id) {
    throw invalidArgument([{ field: 'id', description: 'is not the one in the address' }]);
  }
  return { ...input, id };
}
