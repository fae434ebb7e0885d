import { type AccessTerms, refuse } from './access.ts';
import type { Reason } from './answer.ts';
import { findCredential, type PresentedKey } from './credential.ts';
import type { KeyRecord } from './key.ts';
import type { Keyring } from './keyring.ts';
import type { Limiter, RateVerdict } from './limiter.ts';
import type { OwnerRecord } from './owner.ts';
import type { Plans } from './plan.ts';
import type { AccessRequest } from './request.ts';
import { type RouteDefaults, readRoute } from './route.ts';
import type { Place, Scheme } from './scheme.ts';
import type { Digest, Digester } from './secret.ts';
import { StoreUnavailable } from './store.ts';

/** What becomes of a request. There is no fourth kind: whatever goes wrong is a denial. */
export type Decision = Public | Allowed | Denied;

/** The route asks for no key. */
export interface Public {
  readonly verdict: 'public';
}

export interface Allowed {
  readonly verdict: 'allow';
  readonly key: KeyRecord;
  readonly scheme: Scheme;
  /** Where the credential was. */
  readonly place: Place;
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
  /** The key, once it was found. */
  readonly key: KeyRecord | null;
  /** What the route asked for; null when it could not be read. */
  readonly terms: AccessTerms | null;
  /** For `rate_limited`. */
  readonly rate: RateVerdict | null;
}

export type Authorize = (request: AccessRequest) => Decision | Promise<Decision>;

export interface AuthorizeDependencies extends RouteDefaults {
  readonly keyring: Pick<Keyring, 'peek' | 'load' | 'peekOwner' | 'loadOwner'>;
  readonly digester: Digester;
  readonly plans: Plans;
  /** Spends units of a limit, or only looks, for a dry run. */
  readonly spend: Limiter['take'];
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** How often a key is read again when it changes while its owner is read. */
const triesMax = 3;

/**
 * The whole of a Check. Synchronous when memory can answer; otherwise after as few reads of the store as it
 * takes, and the key is judged by what holds once the last of them is back.
 */
export function createAuthorize(dependencies: AuthorizeDependencies): Authorize {
  const { keyring, digester, plans, spend, now } = dependencies;

  return (request) => {
    const route = readRoute(request, dependencies);
    if (route.isPublic) return { verdict: 'public' };
    const { environment, permissions, cost } = route;
    const terms = { environment, address: request.address, permissions, cost };
    const presented = findCredential(request, route.schemes);
    if (presented.kind !== 'key') return deny(presented.kind, presented.speaker, terms);
    const digest = digester.sign(presented.text);
    const key = keyring.peek(digest);
    if (key === undefined) return load(presented, digest, terms);
    const owner = key === null || key.owner === null ? null : keyring.peekOwner(key.owner);
    if (owner === undefined) return load(presented, digest, terms);
    return judge(presented, key, owner, terms);
  };

  async function load(presented: PresentedKey, digest: Digest, terms: AccessTerms): Promise<Decision> {
    try {
      for (let tries = 0; tries < triesMax; tries++) {
        const key = keyring.peek(digest) ?? (await keyring.load(digest, digester.candidates(presented.text)));
        if (key === null || key.owner === null) return judge(presented, key, null, terms);
        const known = keyring.peekOwner(key.owner);
        if (known !== undefined) return judge(presented, key, known, terms);
        const owner = await keyring.loadOwner(key.owner);
        const again = keyring.peek(digest);
        // Undefined where nothing is remembered at all: the read itself was no older than this request.
        if (again === key || again === undefined) return judge(presented, key, owner, terms);
      }
      return deny('unavailable', presented.scheme, terms);
    } catch (error) {
      if (error instanceof StoreUnavailable) return deny('unavailable', presented.scheme, terms);
      throw error;
    }
  }

  function judge(
    { scheme, place }: PresentedKey,
    key: KeyRecord | null,
    owner: OwnerRecord | null,
    terms: AccessTerms,
  ): Decision {
    // The same text imported for another scheme is not this scheme's key.
    if (key === null || key.scheme !== scheme.name) return deny('unknown', scheme, terms);
    const at = now();
    const reason = refuse(key, owner, terms, at);
    if (reason !== null) return deny(reason, scheme, terms, key);
    const limit = plans.limitOf(key, owner, scheme);
    const rate = limit === null ? null : spend(key.id, limit, terms.cost, at);
    if (rate?.isAllowed === false) return { ...deny('rate_limited', scheme, terms, key), rate };
    return { verdict: 'allow', key, scheme, place, plan: plans.planOf(key, owner, scheme), rate };
  }
}

/** A denial; also for a wire that could not make sense of what it was sent. */
export function deny(
  reason: Reason,
  scheme: Scheme,
  terms: AccessTerms | null,
  key: KeyRecord | null = null,
): Denied {
  return { verdict: 'deny', reason, scheme, key, terms, rate: null };
}
