import { z } from 'zod';
import type { Secrets } from '../secret-settings.ts';
import { duration, text } from '../setting-forms.ts';
import { type OidcSettings, oidcOf, oidcSpec } from './oidc-spec.ts';

/** How the pages for people are served. */
export interface ConsoleSettings {
  /** A session that was not used for so long has ended. */
  readonly sessionIdleMs: number;
  /** A session that began so long ago has ended. */
  readonly sessionMaxMs: number;
  /** Whether browsers reach it by TLS. */
  readonly isSecure: boolean;
  /** Where browsers reach it, as in `https://console.example.com`; null where only a request says it. */
  readonly origin: string | null;
  /** Where the pages of portal sessions may lead back to. */
  readonly returnOrigins: readonly string[];
  /** Whether people may sign in with an admin key. */
  readonly adminKeys: boolean;
  /** Who signs people in; null for nobody. */
  readonly oidc: OidcSettings | null;
  /** What sessions are sealed by; null where each process makes its own. */
  readonly sessionSecret: Buffer | null;
}

const day = 86_400_000;
const originError = 'expected an origin, scheme, host and port alone: https://console.example.com';

/** An origin as browsers write it. */
const origin = text(/^https?:\/\/[^/?#@\s\\]+$/, originError).transform((given, context) => {
  const url = URL.parse(given);
  if (url !== null && url.origin !== 'null') return url.origin;
  context.addIssue(originError);
  return z.NEVER;
});

/** `console` in the settings. */
export const consoleSpec = z.strictObject({
  enabled: z
    .boolean()
    .default(true)
    .describe('Whether there are pages for people under /console on the HTTP listener.'),
  session_idle: duration(60_000, day)
    .prefault('30m')
    .describe('How long a session lasts without being used.'),
  session_max: duration(60_000, 30 * day)
    .prefault('12h')
    .describe('How long a session lasts at most.'),
  behind_tls: z
    .boolean()
    .default(false)
    .describe('Whether browsers reach it by TLS of a proxy in front; where http.tls is set they do.'),
  origin: origin
    .optional()
    .describe('Where browsers reach it: https://console.example.com (default: as a request says).'),
  return_origins: z
    .array(origin)
    .max(100)
    .prefault([])
    .describe('Origins that the pages of portal sessions may lead back to.'),
  admin_keys: z
    .boolean()
    .default(true)
    .describe('Whether people may sign in with an admin key; without it console.oidc is needed.'),
  oidc: oidcSpec.optional().describe('The OpenID provider that signs operators in.'),
});

/** Null where there are to be no pages. */
export function consoleOf(
  settings: z.output<typeof consoleSpec>,
  hasTls: boolean,
  { sessionSecret, oidcClientSecret }: Pick<Secrets, 'sessionSecret' | 'oidcClientSecret'>,
): ConsoleSettings | null {
  if (!settings.enabled) return null;
  const { session_idle, session_max, behind_tls, origin, return_origins } = settings;
  return {
    ...{ sessionIdleMs: session_idle, sessionMaxMs: session_max },
    ...{ isSecure: behind_tls || hasTls, sessionSecret },
    ...{ adminKeys: settings.admin_keys, oidc: oidcOf(settings.oidc, oidcClientSecret) },
    ...{ origin: origin ?? null, returnOrigins: [...new Set(return_origins)] },
  };
}
