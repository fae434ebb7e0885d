import type { KeyPolicy } from '../../check/policy.ts';
import { invalidArgument } from '../../failure.ts';
import type { Scheme } from '../../schemes/scheme.ts';
import { nearestName } from '../../settings/nearest-name.ts';

/** What a request may ask for of a key, judged by the configuration and the clock. */
export interface KeyTerms {
  /** All that keys may be of. */
  schemes(): readonly Scheme[];
  /** Unix milliseconds. */
  now(): number;
  /** Null asks for the first that is configured. Throws INVALID_ARGUMENT for one that is not. */
  schemeFor(name: string | null): Scheme;
  /** The same, for a key that is to be made. Throws INVALID_ARGUMENT for one whose keys are imported and never made. */
  schemeToMake(name: string | null): Scheme;
  /** The environment of a key of this scheme that names none. */
  environmentOf(scheme: Scheme): string;
  /** Null asks for {@link KeyTerms.environmentOf}. Throws INVALID_ARGUMENT for one that the scheme has no keys for. */
  environmentFor(name: string | null, scheme: Scheme): string;
  /**
   * A plan for keys of this scheme, or for an owner. Throws INVALID_ARGUMENT for one that is not among the scheme's
   * plans, or where it has none, and for an owner, among those of any scheme and of the settings, if there are any.
   */
  planFor(plan: string | null, scheme: Scheme | null): string | null;
  /**
   * When a key ends: Unix milliseconds, null for never, undefined where nothing is said of it. Throws
   * INVALID_ARGUMENT for a time that is not in the future.
   */
  expiryFor(asked: Expiry): number | null | undefined;
}

export interface Expiry {
  /** Unix milliseconds. */
  readonly expires_at: number | null;
  /** Milliseconds from now. */
  readonly expires_in: number | 'never' | null;
}

export interface KeyTermsDependencies {
  /** What holds now. */
  readonly policy: () => KeyPolicy;
  readonly now: () => number;
}

export function createKeyTerms({ policy, now }: KeyTermsDependencies): KeyTerms {
  const environmentOf = ({ prefixes }: Scheme) => {
    const { environment } = policy();
    const has = prefixes.some((prefix) => prefix.environment === environment);
    return has ? environment : (prefixes[0]?.environment ?? environment);
  };

  const schemeFor = (name: string | null) => {
    const { keySchemes: schemes } = policy();
    const scheme = name === null ? schemes[0] : schemes.find((known) => known.name === name);
    if (scheme !== undefined) return scheme;
    const known = schemes.map((one) => one.name).join(', ');
    throw invalidArgument([{ field: 'scheme', description: `is not configured; there are: ${known}` }]);
  };

  return {
    schemes: () => policy().keySchemes,
    now,
    schemeFor,
    schemeToMake(name) {
      const scheme = schemeFor(name);
      if (scheme.mint !== null) return scheme;
      const others = policy().keySchemes.filter(({ mint }) => mint !== null);
      const description = `keys of ${scheme.name} have no prefix, and so are imported and never made; name one of: ${others.map((one) => one.name).join(', ')}`;
      throw invalidArgument([{ field: 'scheme', description }]);
    },
    environmentOf,
    environmentFor(name, scheme) {
      if (name === null) return environmentOf(scheme);
      if (scheme.prefixes.some((prefix) => prefix.environment === name)) return name;
      const known = scheme.prefixes.map((prefix) => prefix.environment).join(', ');
      const description = `the scheme ${scheme.name} has keys for: ${known}`;
      throw invalidArgument([{ field: 'environment', description }]);
    },
    planFor(plan, scheme) {
      if (plan === null) return null;
      const { plans, keySchemes } = policy();
      const own = scheme === null ? [] : plans.known(scheme);
      const known = own.length > 0 ? own : [...new Set(keySchemes.flatMap((one) => plans.known(one)))];
      if (known.length === 0 || known.includes(plan.toLowerCase())) return plan;
      const what =
        own.length > 0 ? 'is not a plan of this scheme' : 'is a plan that no scheme and no setting knows';
      const nearest = nearestName(plan.toLowerCase(), known);
      const hint = nearest === null ? '' : `; did you mean ${nearest}?`;
      const description = `${what}; there are: ${known.join(', ')}${hint}`;
      throw invalidArgument([{ field: 'plan', description }]);
    },
    expiryFor({ expires_at, expires_in }) {
      const at = now();
      if (expires_in === 'never') return null;
      if (expires_in !== null) return at + expires_in;
      if (expires_at === null) return undefined;
      if (expires_at > at) return expires_at;
      throw invalidArgument([{ field: 'expires_at', description: 'is in the past' }]);
    },
  };
}
