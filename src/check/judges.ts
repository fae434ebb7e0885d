import { type Authorize, type AuthorizeDependencies, createAuthorize } from './authorize.ts';
import type { NoteInClear } from './cleartext.ts';
import { createPolicy, type Policy, type PolicySettings } from './policy.ts';
import type { TokenFor } from './upstream.ts';

/** Who judges requests, by one policy after the other. */
export interface Judges {
  /** A request is judged from its beginning to its end by the policy that held when it came. */
  readonly authorize: Authorize;
  /** The same, which counts nothing. */
  readonly dryRun: Authorize;
  /**
   * The same for whoever has a key and asks about that key alone: wherever its scheme wants it, by no rule, whatever its
   * environment, and whatever is left of its limits.
   */
  readonly ofHolder: Authorize;
  /** What holds now. */
  readonly policy: () => Policy;
  /** Puts another policy in place for whatever comes from now on; all of it, or none where it throws. */
  replace(settings: PolicySettings): void;
}

export interface JudgesDependencies extends Pick<AuthorizeDependencies, 'keyring' | 'digester' | 'now'> {
  readonly limiter: {
    readonly spend: AuthorizeDependencies['spend'];
    /** The same without spending, for a dry run. */
    readonly look: AuthorizeDependencies['spend'];
  };
  /** As of {@link AuthorizeDependencies}; never by a dry run. */
  readonly noteInClear?: NoteInClear;
  /** Makes the signed identity of a key that is allowed. */
  readonly tokenFor?: TokenFor;
}

export function createJudges(
  { limiter, noteInClear, tokenFor, ...known }: JudgesDependencies,
  settings: PolicySettings,
): Judges {
  let standing = judgesBy(createPolicy(settings, tokenFor));

  return {
    authorize: (request) => standing.authorize(request),
    dryRun: (request) => standing.dryRun(request),
    ofHolder: (request) => standing.ofHolder(request),
    policy: () => standing.policy,
    replace(next) {
      standing = judgesBy(createPolicy(next, tokenFor));
    },
  };

  function judgesBy(policy: Policy) {
    const judging = { ...known, ...policy };
    return {
      policy,
      authorize: createAuthorize({ ...judging, ...limiter, noteInClear }),
      dryRun: createAuthorize({ ...judging, spend: limiter.look, look: limiter.look }),
      ofHolder: createAuthorize(forHolder({ ...judging, spend: limiter.look, look: limiter.look })),
    };
  }
}

/** What {@link Judges.ofHolder} judges by: no route, no environment, and no limit. */
export function forHolder(judging: AuthorizeDependencies): AuthorizeDependencies {
  const plans = { limitsOf: () => [], planOf: () => null, known: () => [] };
  return { ...judging, plans, findRule: () => null, isOfAnyEnvironment: true };
}
