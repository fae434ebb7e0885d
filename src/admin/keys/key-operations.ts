import type { NewKey } from '../../changes/minting.ts';
import type { Made, Registry } from '../../changes/registry.ts';
import type { Authorize } from '../../check/authorize.ts';
import type { KeyPolicy } from '../../check/policy.ts';
import { Failure, invalidArgument, notFound } from '../../failure.ts';
import type { KeyRecord, ShownKey } from '../../keys/key.ts';
import { type KeyPlace, type ListOrder, listPlaceOf, newestFirst } from '../../keys/key-order.ts';
import { noLimits } from '../../keys/limit.ts';
import type { OwnerRecord } from '../../keys/owner.ts';
import type { Digester } from '../../keys/secret.ts';
import type { Scheme } from '../../schemes/scheme.ts';
import type { KeyFilter } from '../../store/records/key-filter.ts';
import { type Store, usageRetentionMs } from '../../store/store.ts';
import { type KeyUsage, reportUsage } from '../../usage/usage-report.ts';
import { limitsAsked } from '../admin-fields.ts';
import { createKeyInput, findKeyInput, getKeyUsageInput, verifyKeyInput } from '../admin-input.ts';
import { type Call, keyId, ownerFor, requestKey, requireMayGive, visibleTo } from '../call.ts';
import { cut, pageSize } from '../page.ts';
import { pageFilter, readPageToken, writePageToken } from '../page-token.ts';
import { readInput } from '../read-input.ts';
import { type BeginningOfDigest, environmentViolation, knownByDigest, prefixShown } from './digest-terms.ts';
import { createDryRun, type Verification } from './dry-run.ts';
import type { KeyTerms } from './key-terms.ts';
import { requireRoles } from './known-roles.ts';
import { requireMayLimit, requireSharer } from './limit-terms.ts';
import { listKeysInput } from './list-input.ts';
import { listOrdered } from './ordered-list.ts';
import type { RequireRoom, RuleGuard } from './rule-guard.ts';
import { keySearch, requireKnownFilter, requireNoKey, settledSearch } from './search-terms.ts';
import type { ShowKeys, Shown } from './shown-keys.ts';

export interface KeyPage {
  /** Newest first, unless another order was asked for. */
  readonly keys: readonly ShownKey[];
  /** Null on the last page. */
  readonly nextPageToken: string | null;
  /** How many there are on all pages, where it was asked for: exact to 10 000, and one more beyond. */
  readonly totalSize?: number;
}

/** What is counted of a list. */
const totalMax = 10_001;

/** Making keys and looking at them. */
export interface KeyOperations {
  createKey(call: Call, input: unknown): Promise<Shown<Made>>;
  getKey(call: Call, id: string): Promise<ShownKey>;
  /** Since a time, or for as long as use is kept. */
  getKeyUsage(call: Call, id: string, input: unknown): Promise<KeyUsage>;
  listKeys(call: Call, input: unknown): Promise<KeyPage>;
  /** The key whose secret is given. */
  findKey(call: Call, input: unknown): Promise<ShownKey>;
  verifyKey(call: Call, input: unknown): Promise<Verification>;
}

export interface KeyOperationsDependencies {
  readonly registry: Pick<Registry, 'create'>;
  readonly store: Pick<
    Store,
    'findKey' | 'getKey' | 'listKeys' | 'listKeysInOrder' | 'countListed' | 'getUsage' | 'getRole'
  >;
  readonly digester: Digester;
  /** A Check that counts nothing. */
  readonly authorize: Authorize;
  readonly terms: KeyTerms;
  readonly show: ShowKeys;
  readonly rules: RuleGuard;
  /** What holds now. */
  readonly policy: () => Pick<KeyPolicy, 'keySchemes' | 'environment'>;
  readonly now: () => number;
}

export function createKeyOperations(dependencies: KeyOperationsDependencies): KeyOperations {
  const { registry, store, digester, authorize, terms, show, rules, policy, now } = dependencies;
  const dryRun = createDryRun(authorize, () => policy().keySchemes);

  return {
    async createKey(call, input) {
      const { request_id, sha256, ...asked } = readInput(createKeyInput, input);
      // Null asks for no end; who says nothing of it gets what the rules say.
      const isAsked = asked.expires_in !== null || Object(input).expires_at !== undefined;
      const scheme =
        sha256 === null ? terms.schemeToMake(asked.scheme ?? null) : terms.schemeFor(asked.scheme ?? null);
      const beginning = beginningOf(asked, scheme);
      const { environment } = beginning;
      const key = newKey(call, asked, { scheme, environment, requestId: request_id });
      const known = sha256 === null ? null : knownByDigest(scheme, sha256, asked, beginning);
      const ruled = { ...key, scheme: key.scheme.name };
      const wanted = isAsked ? key : { ...key, expiresAt: rules.defaultExpiry(ruled) };
      return rules.inTurn(ruled, async (requireRoom) => {
        const guard = () => requireAllowed(wanted, requireRoom);
        const made = await registry.create(wanted, call.origin, { guard, known });
        // What was made now was made since nothing blocks it.
        return made.secret === null ? show.changed(made) : { ...made, key: { ...made.key, blocked: null } };
      });
    },
    getKey: async (call, id) => show.one(await keyOf(call, id)),
    async getKeyUsage(call, id, input) {
      const { since } = readInput(getKeyUsageInput, input);
      const key = await keyOf(call, id);
      return reportUsage(key, await store.getUsage(key.id, since ?? now() - usageRetentionMs));
    },
    async listKeys(call, input) {
      const { page_size, page_token, search, order_by, include_total, ...asked } = readInput(
        listKeysInput,
        input,
      );
      const { keySchemes } = policy();
      for (const [field, text] of Object.entries({ search, name_contains: asked.name_contains })) {
        if (text != null) requireNoKey(field, text, keySchemes);
      }
      const owner = ownerFor(call, asked.owner ?? null);
      const searched = search == null ? undefined : keySearch(search, keySchemes);
      const filter = pageFilter({ ...asked, owner, search: searched });
      const order = orderOf(order_by);
      const after = page_token ? readPageToken(page_token, filter, order) : null;
      const page = await listPage({ ...filter, now: now() }, order, {
        ...{ after, size: pageSize(page_size), isCounted: include_total },
      });
      return { ...page, keys: page.keys.filter(visibleTo(call)) };
    },
    async findKey(call, input) {
      const { key: secret } = readInput(findKeyInput, input);
      const key = await store.findKey(digester.candidates(secret.trim()));
      if (key !== null && visibleTo(call)(key)) return show.one(key);
      throw new Failure('NOT_FOUND', 'KEY_NOT_FOUND', 'No key that may be seen here has this secret.');
    },
    async verifyKey(call, input) {
      return dryRun(readInput(verifyKeyInput, input), visibleTo(call));
    },
  };

  async function requireAllowed(wanted: NewKey, requireRoom: RequireRoom): Promise<OwnerRecord | null> {
    rules.requireTerms({ ...wanted, scheme: wanted.scheme.name, createdAt: now() });
    await requireRoles(store, wanted.roles);
    return requireRoom();
  }

  async function keyOf(call: Call, id: string): Promise<KeyRecord> {
    const key = await store.getKey(keyId(id));
    if (key === null || !visibleTo(call)(key)) throw notFound('key');
    return key;
  }

  /** The environment as the caller says, else as the beginning says that it shows of a key made elsewhere. */
  function beginningOf({ environment, prefix }: AskedKey, scheme: Scheme): BeginningOfDigest {
    const begins = prefixShown(scheme, prefix);
    if (begins !== null && 'field' in begins) throw invalidArgument([begins]);
    const own = terms.environmentFor(environment ?? begins?.environment ?? null, scheme);
    const contradiction = environmentViolation(scheme, begins, own);
    if (contradiction !== null) throw invalidArgument([contradiction]);
    return { begins, environment: own };
  }

  function newKey(
    call: Call,
    asked: AskedKey,
    {
      scheme,
      environment,
      requestId,
    }: { readonly scheme: Scheme; readonly environment: string; readonly requestId: string | null },
  ): NewKey {
    const owner = ownerFor(call, asked.owner);
    const rateLimits = limitsAsked(asked) ?? noLimits;
    requireMayLimit(call, { plan: asked.plan, rateLimits });
    requireMayGive(call, asked.permissions ?? []);
    requireSharer(rateLimits, owner);
    return {
      name: asked.name,
      scheme,
      environment,
      owner,
      permissions: [...new Set(asked.permissions ?? [])],
      roles: [...new Set(asked.roles ?? [])],
      ipAllowlist: [...new Set(asked.ip_allowlist ?? [])],
      principals: [...new Set(asked.principals ?? [])],
      plan: terms.planFor(asked.plan, scheme),
      rateLimits,
      labels: asked.labels ?? {},
      externalId: asked.external_id,
      expiresAt: terms.expiryFor(asked) ?? null,
      requestKey: requestKey(call, requestId),
      createdBy: call.identity.actor,
    };
  }

  async function listPage(
    filter: KeyFilter,
    order: ListOrder,
    { after, size, isCounted }: AskedPage,
  ): Promise<KeyPage> {
    const settled = await settledSearch(store, filter);
    const { shown, last } = cut(await listOrdered(store, settled, order, { after, size: size + 1 }), size);
    // Where one page has all of them, they are counted.
    const isWhole = after === null && last === null;
    const totalOf = () => (isWhole ? shown.length : store.countListed(settled, totalMax));
    if (shown.length === 0 && after === null) await requireKnownFilter(store, filter, policy());
    return {
      keys: await show.all(shown),
      nextPageToken:
        last === null ? null : writePageToken(listPlaceOf(last, order, filter.now), filter, order),
      ...(isCounted && { totalSize: await totalOf() }),
    };
  }
}

type AskedKey = Omit<ReturnType<typeof createKeyInput.parse>, 'request_id' | 'sha256'>;

interface AskedPage {
  readonly after: KeyPlace | null;
  readonly size: number;
  readonly isCounted: boolean;
}

function orderOf(text: string | null | undefined): ListOrder {
  if (text == null) return newestFirst;
  const [by, way] = text.split(' ');
  return { by: by as ListOrder['by'], isDescending: way === 'desc' };
}
