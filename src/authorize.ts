import { type AccessTerms, refuse } from './access.ts';
import type { Reason } from './answer.ts';
import { findCredential, type Presented } from './credential.ts';
import type { KeyRecord } from './key.ts';
import type { Keyring } from './keyring.ts';
import type { AccessRequest } from './request.ts';
import { readRoute } from './route.ts';
import type { Place, Scheme } from './scheme.ts';
import type { Digester } from './secret.ts';
import { StoreUnavailable } from './store.ts';

/** What becomes of a request. There is no third kind: whatever goes wrong is a denial. */
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
}

export interface Denied {
  readonly verdict: 'deny';
  readonly reason: Reason;
  /** The scheme in whose words the caller is told. */
  readonly scheme: Scheme;
  /** The key, once it was found. */
  readonly key: KeyRecord | null;
  readonly terms: AccessTerms;
}

export interface AuthorizeDependencies {
  readonly keyring: Pick<Keyring, 'peek' | 'load'>;
  readonly digester: Digester;
  /** In the order of the configuration. */
  readonly schemes: readonly [Scheme, ...Scheme[]];
  /** The environment that is served where the route names none. */
  readonly environment: string;
  /** Unix milliseconds. */
  readonly now: () => number;
}

type PresentedKey = Presented & { kind: 'key' };

/**
 * The whole of a Check. Synchronous when memory can answer; otherwise one read of the store, after which
 * the key is judged by the clock of that moment.
 */
export function createAuthorize(dependencies: AuthorizeDependencies): Authorize {
  const { keyring, digester, now } = dependencies;

  return (request) => {
    const route = readRoute(request.context, dependencies);
    if (route.isPublic) return { verdict: 'public' };
    const terms = { environment: route.environment, address: request.address, permissions: route.permissions };
    const presented = findCredential(request, route.schemes);
    if (presented.kind !== 'key') return deny(presented.kind, presented.speaker, terms);
    const digest = digester.sign(presented.text);
    const known = keyring.peek(digest);
    if (known !== undefined) return judge(presented, known, terms);
    return keyring.load(digest, digester.candidates(presented.text)).then(
      (loaded) => judge(presented, loaded, terms),
      (error: unknown) => {
        if (error instanceof StoreUnavailable) return deny('unavailable', presented.scheme, terms);
        throw error;
      },
    );
  };

  function judge(presented: PresentedKey, key: KeyRecord | null, terms: AccessTerms): Decision {
    const { scheme, place } = presented;
    // The same text imported for another scheme is not this scheme's key.
    if (key === null || key.scheme !== scheme.name) return deny('unknown', scheme, terms);
    const reason = refuse(key, terms, now());
    if (reason !== null) return deny(reason, scheme, terms, key);
    return { verdict: 'allow', key, scheme, place };
  }
}

export type Authorize = (request: AccessRequest) => Decision | Promise<Decision>;

/** Denies without having looked, for a wire that could not make sense of what it was sent. */
export function deny(reason: Reason, scheme: Scheme, terms: AccessTerms, key: KeyRecord | null = null): Denied {
  return { verdict: 'deny', reason, scheme, key, terms };
}
