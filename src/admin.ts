import { createKeyInput, listKeysInput, pageSizeDefault, pageSizeMax, readInput, verifyKeyInput } from './admin-input.ts';
import { reasonStatus, type Reason } from './answer.ts';
import type { Authorize } from './authorize.ts';
import { Failure, invalidArgument, notFound } from './failure.ts';
import { type Caller, type Identity, requireRead, requireWrite } from './identity.ts';
import { isKeyId, type KeyId, type KeyRecord } from './key.ts';
import { pageFilter, readPageToken, writePageToken } from './page-token.ts';
import type { Narrowed, NewKey, Registry, Visible } from './registry.ts';
import type { AccessRequest } from './request.ts';
import { recognise, type Scheme } from './scheme.ts';
import type { Secret } from './secret.ts';
import { type KeyFilter, type Store, StoreUnavailable } from './store.ts';

/**
 * The admin operations, apart from any wire. Each takes its request as the contract's JSON shape (snake_case,
 * times and durations as text), checks in this order: who calls, what they may do, whether the request makes
 * sense, whether the thing exists; and throws `Failure` at the first that is not so.
 */
export interface Admin {
  createKey(caller: Caller, input: unknown): Promise<{ readonly key: KeyRecord; readonly secret: Secret }>;
  getKey(caller: Caller, id: string): Promise<KeyRecord>;
  listKeys(caller: Caller, input: unknown): Promise<KeyPage>;
  revokeKey(caller: Caller, id: string): Promise<Narrowed>;
  disableKey(caller: Caller, id: string): Promise<Narrowed>;
  enableKey(caller: Caller, id: string): Promise<KeyRecord>;
  verifyKey(caller: Caller, input: unknown): Promise<Verification>;
}

export interface KeyPage {
  /** Newest first. */
  readonly keys: readonly KeyRecord[];
  /** Null on the last page. */
  readonly nextPageToken: string | null;
}

export interface Verification {
  readonly allowed: boolean;
  readonly reason: Reason | null;
  /** The HTTP status that the caller of the API would get; 200 when let in. */
  readonly status: number;
  readonly keyId: KeyId | null;
}

export interface AdminDependencies {
  readonly identify: (caller: Caller) => Promise<Identity>;
  readonly registry: Registry;
  readonly store: Pick<Store, 'getKey' | 'listKeys'>;
  readonly authorize: Authorize;
  /** In the order of the configuration, then the scheme of admin keys if it is not among them. */
  readonly schemes: readonly [Scheme, ...Scheme[]];
  /** The environment of a new key that names none. */
  readonly environment: string;
  readonly now: () => number;
}

export function createAdmin(dependencies: AdminDependencies): Admin {
  const { identify, registry, store, authorize, schemes, now } = dependencies;

  return {
    async createKey(caller, input) {
      const identity = await identifyWriter(caller);
      return registry.create(newKey(identity, readInput(createKeyInput, input)));
    },
    async getKey(caller, id) {
      const identity = await identifyReader(caller);
      const key = isKeyId(id) ? await store.getKey(id) : null;
      if (key === null || !visibleTo(identity)(key)) throw notFound('key', id);
      return key;
    },
    async listKeys(caller, input) {
      const identity = await identifyReader(caller);
      const { page_size, page_token, ...asked } = readInput(listKeysInput, input);
      const filter = pageFilter({ ...asked, owner: ownerFor(identity, asked.owner ?? null) });
      const before = page_token ? readPageToken(page_token, filter) : null;
      return listPage({ ...filter, now: now() }, before, Math.min(page_size || pageSizeDefault, pageSizeMax));
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
      return verify(identity, readInput(verifyKeyInput, input));
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

  function newKey(identity: Identity, input: ReturnType<typeof createKeyInput.parse>): NewKey {
    const scheme = input.scheme == null ? schemes[0] : schemes.find((known) => known.name === input.scheme);
    if (scheme === undefined) {
      const known = schemes.map(({ name }) => name).join(', ');
      throw invalidArgument([{ field: 'scheme', description: `is not configured; there are: ${known}` }]);
    }
    const at = now();
    const expiresAt = typeof input.expires_in === 'number' ? at + input.expires_in : input.expires_at;
    if (expiresAt !== null && expiresAt <= at) {
      throw invalidArgument([{ field: 'expires_at', description: 'is in the past' }]);
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
    };
  }

  function environmentOf(scheme: Scheme): string {
    const { environment } = dependencies;
    const has = scheme.prefixes.some((prefix) => prefix.environment === environment);
    return has ? environment : (scheme.prefixes[0]?.environment ?? environment);
  }

  async function listPage(filter: KeyFilter, before: KeyId | null, size: number): Promise<KeyPage> {
    const keys = await store.listKeys(filter, { before, size: size + 1 });
    const shown = keys.slice(0, size);
    const last = shown.at(-1);
    const nextPageToken = keys.length > size && last !== undefined ? writePageToken(last.id, filter) : null;
    return { keys: shown, nextPageToken };
  }

  async function verify(identity: Identity, input: ReturnType<typeof verifyKeyInput.parse>): Promise<Verification> {
    const decision = await authorize(asRequest(input, schemes));
    if (decision.verdict === 'public') throw new Error('a dry run met a public route');
    if (decision.verdict === 'allow') {
      if (visibleTo(identity)(decision.key)) return { allowed: true, reason: null, status: 200, keyId: decision.key.id };
      return { allowed: false, reason: 'unknown', status: reasonStatus.unknown, keyId: null };
    }
    const { reason, scheme, key } = decision;
    if (reason === 'unavailable') throw new StoreUnavailable('the store could not be asked for the key');
    if (key !== null && !visibleTo(identity)(key)) {
      return { allowed: false, reason: 'unknown', status: scheme.answers.unknown.status, keyId: null };
    }
    return { allowed: false, reason, status: scheme.answers[reason].status, keyId: key?.id ?? null };
  }
}

/** The request that VerifyKey tries: the key in the first place where its scheme looks. */
function asRequest(
  input: ReturnType<typeof verifyKeyInput.parse>,
  schemes: readonly [Scheme, ...Scheme[]],
): AccessRequest {
  const named = schemes.filter(({ name }) => input.scheme == null || name === input.scheme);
  const scheme = named.find((known) => recognise(known, input.key) !== null) ?? named[0] ?? schemes[0];
  const place = scheme.places[0];
  const value = place?.word == null ? input.key : `${place.word} ${input.key}`;
  const context = new Map<string, string>();
  if (input.scheme != null) context.set('scheme', input.scheme);
  if (input.environment != null) context.set('environment', input.environment);
  if (input.permissions != null) context.set('permissions', input.permissions.join(','));
  return {
    method: input.method ?? 'GET',
    host: input.host ?? '',
    path: input.path ?? '/',
    address: input.address ?? '',
    context,
    header: (name) => (name === place?.header ? [value] : []),
    headersStarting: () => [],
  };
}

/** An id that can not be one is answered as one that is not there. */
function keyId(id: string): KeyId {
  if (!isKeyId(id)) throw notFound('key', id);
  return id;
}

function visibleTo(identity: Identity): Visible {
  return (key) => identity.owner === null || key.owner === identity.owner;
}

/** The owner that a call is about: the one it names, or the one that its admin key is bound to. */
function ownerFor(identity: Identity, asked: string | null): string | null {
  if (identity.owner === null || identity.owner === asked) return asked;
  if (asked === null) return identity.owner;
  const message = "The admin key is bound to one owner and may not reach another's keys.";
  throw new Failure('PERMISSION_DENIED', 'OWNER_MISMATCH', message);
}
