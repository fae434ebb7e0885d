import { createOidcAccess, givesAll } from '../../admin/people/oidc-access.ts';
import type { Oidc, OidcOutcome } from '../../console/session/oidc.ts';
import type { Refusals } from '../../events/refusals.ts';
import { callerBy } from '../../http/caller.ts';
import type { OidcError, OidcProvider } from '../../oidc/oidc.ts';
import type { ConsoleSettings } from '../../settings/console/console-settings.ts';
import { type Finding, warning } from '../../store/diagnosis/finding.ts';
import type { Logger } from '../../telemetry/log.ts';

/** Signing in to the console by the OpenID provider of the settings. */
export interface OidcSignIn extends Oidc {
  /** What an operator should know of it. */
  findings(): readonly Finding[];
}

export interface OidcSignInDependencies {
  readonly refusals: Pick<Refusals, 'record'>;
  readonly log: Pick<Logger, 'warn'>;
  /** Milliseconds of a clock that never goes back. */
  readonly monotonic: () => number;
}

/** Null where there is none. The library is loaded with the first sign-in. */
export function createOidcSignIn(
  console: Pick<ConsoleSettings, 'oidc' | 'origin'> | null,
  { refusals, log, monotonic }: OidcSignInDependencies,
): OidcSignIn | null {
  if (console === null || console.oidc === null || console.origin === null) return null;
  const { oidc: settings, origin } = console;
  const access = createOidcAccess({ refusals }, settings);
  let loading: Promise<OidcProvider> | null = null;
  /** Why it could not be asked when it was asked last; null where it could. */
  let away: string | null = null;

  function load(): Promise<OidcProvider> {
    loading ??= import('../../oidc/oidc.ts').then(({ createOidcProvider }) =>
      createOidcProvider(
        {
          ...{ ...settings, clientSecret: settings.clientSecret.reveal() },
          redirectUri: `${origin}/console/oidc/callback`,
        },
        monotonic,
      ),
    );
    return loading;
  }

  /** What the provider said, or what was wrong with it; whatever else went wrong is thrown. */
  async function ask<T>(question: (provider: OidcProvider) => Promise<T>): Promise<T | OidcError> {
    const provider = await load();
    try {
      const answer = await question(provider);
      away = null;
      return answer;
    } catch (error) {
      if (!isOidcError(error)) throw error;
      away = error.trouble === 'away' ? error.why : null;
      log.warn({ trouble: error.trouble, why: error.why }, 'a sign-in by the OpenID provider failed');
      return error;
    }
  }

  return {
    provider: new URL(settings.issuer).host,
    identity: access.identity,
    async begin() {
      const begun = await ask((provider) => provider.begin());
      return isOidcError(begun) ? null : begun;
    },
    async finish(request, query, attempt): Promise<OidcOutcome> {
      const caller = callerBy(request, null);
      const person = attempt === null ? null : await ask((provider) => provider.redeem(query, attempt));
      if (person === null || isOidcError(person)) {
        const kind = person?.trouble ?? 'wrong';
        if (kind !== 'away') await access.refuse(caller);
        return { kind };
      }
      const visitor = await access.admit(caller, person);
      if (visitor === null) return { kind: 'no_grant', who: person.email ?? person.sub };
      return { kind: 'signed_in', visitor };
    },
    async signOutUrl() {
      const url = await ask((provider) => provider.endSessionUrl());
      return isOidcError(url) ? null : url;
    },
    findings: () => (away === null ? [] : [unreachable(settings.issuer, away)]),
  };
}

/** Whether somebody may change everything who signs in by the OpenID provider. */
export function isWayIn(console: Pick<ConsoleSettings, 'oidc'> | null): boolean {
  return console !== null && console.oidc !== null && givesAll(console.oidc.grants);
}

function isOidcError(value: unknown): value is OidcError {
  return value instanceof Error && value.name === 'OidcError';
}

function unreachable(issuer: string, why: string): Finding {
  return warning(
    'console.oidc',
    `The OpenID provider could not be asked who somebody is when it was asked last: ${why}.`,
    `Look whether ${issuer}/.well-known/openid-configuration answers from here.`,
    'console.oidc.issuer',
  );
}
