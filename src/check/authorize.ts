/**
 * Room `check/`: The decision of a Check. Here: from a request to allow or deny, and what the caller is told:
 * route, credential, key, state, owner, address, permissions, limit. Not here: protobuf and HTTP/2 (`grpc/`,
 * `h2/`), metrics and logs (`telemetry/`).
 */

import type { Keyring } from '../cache/keyring.ts';
import { type CheckedKey, isUnchanged } from '../keys/key.ts';
import type { OwnerRecord } from '../keys/owner.ts';
import type { Digest, Digester } from '../keys/secret.ts';
import type { Limiter } from '../limits/limiter.ts';
import type { Plans } from '../limits/plan.ts';
import type { RateVerdict } from '../limits/verdict.ts';
import type { Reason } from '../schemes/answer.ts';
import type { Scheme } from '../schemes/scheme.ts';
import { StoreUnavailable } from '../store/store.ts';
import { type AccessTerms, refuse, type Standing } from './access.ts';
import type { NoteInClear } from './cleartext.ts';
import type { Misconfigured } from './context.ts';
import type { Presented, PresentedKey } from './credential.ts';
import type { AccessRequest } from './request.ts';
import { cleartextOf, createFindRoute, isObserved, type Route, type RouteDefaults } from './route.ts';
import { createWithhold, type Withheld } from './withheld.ts';

/** What becomes of a request. There is no fifth kind: whatever goes wrong is a denial. */
export type Decision = Public | Allowed | Denied | Observed;

/** The route asks for no key. */
export interface Public {
  readonly verdict: 'public';
}

export interface Allowed {
  readonly verdict: 'allow';
  readonly key: CheckedKey;
  readonly scheme: Scheme;
  /** The key's owner; null for one that nobody has put. */
  readonly owner: OwnerRecord | null;
  /** What the key holds in all, by itself and by its roles. */
  readonly permissions: readonly string[];
  /** What the upstream is not to see of the credential. */
  readonly withheld: Withheld;
  /** The plan that holds: the key's, else its owner's, else its scheme's default. */
  readonly plan: string | null;
  /** Null for a key without a limit. */
  readonly rate: RateVerdict | null;
}

export interface Denied {
  readonly verdict: 'deny';
  readonly reason: Reason;
  /** The scheme in whose words the caller is told. */
  readonly scheme: Scheme;
  /** The key, once it was found, and the plan that holds for it. */
  readonly key: CheckedKey | null;
  readonly plan?: string | null | undefined;
  /** What the route asked for; null when it could not be read. */
  readonly terms: AccessTerms | null;
  /** For `rate_limited`. */
  readonly rate: RateVerdict | null;
  /** Why nobody can tell what the route asks for: the reason is `unavailable` then. */
  readonly misconfigured?: Misconfigured;
  /** Why the store gave no answer: the reason is `unavailable` then. */
  readonly cause?: StoreUnavailable;
}

/** The request is allowed as it came, whatever would have been decided of it: that is told and counted alone. */
export interface Observed {
  readonly verdict: 'observe';
  /** What would have been decided, and would have spent of a limit. */
  readonly would: Allowed | Denied;
}

export type Authorize = (request: AccessRequest) => Decision | Promise<Decision>;

/** Spends units of limits, or only looks. */
export type Spend = (...asked: Parameters<Limiter['spend']>) => RateVerdict | Promise<RateVerdict>;

export interface AuthorizeDependencies extends RouteDefaults {
  readonly keyring: Pick<Keyring, 'peek' | 'load' | 'peekOwner' | 'loadOwner' | 'peekGrants' | 'loadGrants'>;
  readonly digester: Digester;
  readonly plans: Plans;
  /** Spends units of a limit, or only looks, for a dry run. */
  readonly spend: Spend;
  /** Looks, for requests that are observed alone. */
  readonly look: Spend;
  /** Told of keys that are to be revoked since they were sent in clear text; nothing follows where it is absent. */
  readonly noteInClear?: NoteInClear | undefined;
  /** Whether keys of every environment may pass; not unless it says so. */
  readonly isOfAnyEnvironment?: boolean;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** How often a key is read again when it, its owner or a role of it changes while others of them are read. */
const triesMax = 3;

/**
 * The whole of a Check. Synchronous when memory can answer; otherwise after as few reads of the store as it
 * takes, and the key is judged by what holds once the last of them is back.
 */
export function createAuthorize(dependencies: AuthorizeDependencies): Authorize {
  const { keyring, digester, plans, now, isOfAnyEnvironment = false } = dependencies;
  const findRoute = createFindRoute(dependencies);
  const withhold = createWithhold(dependencies.schemes);
  // What was known of the key may have changed while its units were leased.
  const again = async (asked: Asked, spent: Promise<RateVerdict>): Promise<Judged> =>
    decide({ ...asked, spent: await spent });

  return (request) => {
    const { route, findCredential, misconfigured: unreadable } = findRoute(request);
    const misconfigured = request.misconfigured ?? unreadable;
    if (misconfigured !== null) {
      return unlessObserved(route, null, { ...deny('unavailable', route.schemes[0], null), misconfigured });
    }
    if (route.isPublic) return { verdict: 'public' };
    const { permissions, cost } = route;
    const environment = isOfAnyEnvironment ? null : route.environment;
    const terms = { environment, address: request.address, permissions, cost };
    const presented = findCredential(request);
    if (request.isCleartext === true) {
      const denied = denyInClear(route, presented, terms);
      if (denied !== null) return denied;
    }
    if (presented.kind !== 'key') {
      return unlessObserved(route, null, deny(presented.kind, presented.speaker, terms));
    }
    const digest = digester.sign(presented.text);
    if (!isObserved(route, presented.scheme, dependencies))
      return decide({ request, presented, digest, terms, spend: dependencies.spend, spent: null });
    const would = decide({ request, presented, digest, terms, spend: dependencies.look, spent: null });
    return would instanceof Promise ? would.then(observed) : observed(would);
  };

  function unlessObserved(route: Route, scheme: Scheme | null, denied: Denied): Denied | Observed {
    return isObserved(route, scheme, dependencies) ? observed(denied) : denied;
  }

  /** Null where clear text is allowed. */
  function denyInClear(route: Route, presented: Presented, terms: AccessTerms): Decision | null {
    const scheme = presented.kind === 'key' ? presented.scheme : null;
    const cleartext = cleartextOf(route, scheme, dependencies);
    if (cleartext === 'allow') return null;
    const speaker = presented.kind === 'key' ? presented.scheme : presented.speaker;
    const decision = unlessObserved(route, scheme, deny('cleartext', speaker, terms));
    if (cleartext === 'revoke' && presented.kind === 'key' && decision.verdict === 'deny')
      dependencies.noteInClear?.(presented);
    return decision;
  }

  function decide(asked: Asked): Judged | Promise<Judged> {
    const key = keyring.peek(asked.digest);
    if (key === undefined) return unavailableUnless(load(asked), asked);
    if (key === null) return judge(asked, null, nothing);
    const owner = key.owner === null ? null : keyring.peekOwner(key.owner);
    const permissions = keyring.peekGrants(key);
    if (owner === undefined || permissions === undefined) return unavailableUnless(load(asked), asked);
    return judge(asked, key, { owner, permissions });
  }

  async function load(asked: Asked): Promise<Judged> {
    const { presented, digest, terms } = asked;
    const candidates = digester.candidates(presented.text);
    for (let tries = 0; tries < triesMax; tries++) {
      const key = keyring.peek(digest) ?? (await keyring.load(digest, candidates, terms.address ?? ''));
      if (key === null) return judge(asked, null, nothing);
      const standing = await standingOf(key);
      // Undefined where nothing is remembered at all: the read itself was no older than this request.
      const again = keyring.peek(digest);
      if ((again === undefined || isUnchanged(key, again)) && isStill(key, standing))
        return judge(asked, key, standing);
    }
    throw new StoreUnavailable('the key changes faster than what it is judged by can be read');
  }

  async function standingOf(key: CheckedKey): Promise<Standing> {
    const known = key.owner === null ? null : keyring.peekOwner(key.owner);
    const owner = known === undefined && key.owner !== null ? await keyring.loadOwner(key.owner) : known;
    const granted = keyring.peekGrants(key) ?? (await keyring.loadGrants(key));
    return { owner: owner ?? null, permissions: keyring.peekGrants(key) ?? granted };
  }

  /** Whether what was read first still holds, now that the last of it is there. */
  function isStill(key: CheckedKey, { owner, permissions }: Standing): boolean {
    const known = key.owner === null ? null : keyring.peekOwner(key.owner);
    const granted = keyring.peekGrants(key);
    return (known === undefined || known === owner) && (granted === undefined || granted === permissions);
  }

  function judge(asked: Asked, key: CheckedKey | null, standing: Standing): Judged | Promise<Judged> {
    const { request, presented, terms, spend } = asked;
    const { scheme } = presented;
    // The same text imported for another scheme is not this scheme's key.
    if (key === null || key.scheme !== scheme.name) return deny('unknown', scheme, terms);
    const at = now();
    const { owner, permissions } = standing;
    const reason = refuse(key, standing, terms, request, at);
    const plan = plans.planOf(key, owner, scheme);
    if (reason !== null) return { ...deny(reason, scheme, terms, key), plan };
    const limits = plans.limitsOf(key, owner, scheme);
    const rate = asked.spent ?? (limits.length === 0 ? null : spend(key, owner, limits, terms.cost, at));
    if (rate instanceof Promise) return unavailableUnless(again(asked, rate), asked);
    if (rate?.isAllowed === false) return { ...deny('rate_limited', scheme, terms, key), plan, rate };
    const withheld = withhold(request, presented);
    return { verdict: 'allow', key, scheme, owner, permissions, plan, rate, withheld };
  }
}

/** What a key and its route come to. */
type Judged = Allowed | Denied;

/** Of a key that there is not. */
const nothing: Standing = { owner: null, permissions: [] };

/** A well-formed key and what its route asks for. */
interface Asked {
  readonly request: AccessRequest;
  readonly presented: PresentedKey;
  readonly digest: Digest;
  readonly terms: AccessTerms;
  /** Or looks, where it is observed alone. */
  readonly spend: AuthorizeDependencies['look'];
  /** Null until its units have been asked for. */
  readonly spent: RateVerdict | null;
}

async function unavailableUnless(decision: Promise<Judged>, { presented, terms }: Asked): Promise<Judged> {
  try {
    return await decision;
  } catch (error) {
    if (error instanceof StoreUnavailable)
      return { ...deny('unavailable', presented.scheme, terms), cause: error };
    throw error;
  }
}

function observed(would: Judged): Observed {
  return { verdict: 'observe', would };
}

/** A denial; also for a wire that could not make sense of what it was sent. */
export function deny(
  reason: Reason,
  scheme: Scheme,
  terms: AccessTerms | null,
  key: CheckedKey | null = null,
): Denied {
  return { verdict: 'deny', reason, scheme, key, terms, rate: null };
}
