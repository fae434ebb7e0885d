import { z } from 'zod';
import { adminRead, adminWrite } from '../../keys/admin-permissions.ts';
import type { Secret } from '../../keys/secret.ts';
import type { ConfigProblem } from '../config-problem.ts';
import { text } from '../setting-forms.ts';

/** What who has a value in the claim may do. */
export interface OidcGrant {
  readonly value: string;
  readonly permissions: readonly string[];
  /** The one owner whose keys they see and change; null for every owner's. */
  readonly owner: string | null;
}

/** Who signs operators in. */
export interface OidcSettings {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: Secret;
  readonly clientAuth: 'basic' | 'post';
  readonly scopes: readonly string[];
  readonly claim: string;
  /** The first that fits holds. */
  readonly grants: readonly OidcGrant[];
}

const issuerError =
  'expected the https URL of an OpenID provider, as it calls itself; http on loopback alone';

const issuer = text(/^https?:\/\/[^?#@\s\\]+$/, issuerError).refine(
  (given) => {
    const url = URL.parse(given);
    return (
      url !== null && (url.protocol === 'https:' || /^(?:localhost|127\.[0-9.]+|\[::1\])$/.test(url.hostname))
    );
  },
  { error: issuerError },
);

const line = (lengthMax: number) =>
  text(
    new RegExp(`^[\\x20-\\x7e]{1,${lengthMax}}$`),
    `expected 1 to ${lengthMax} printable ASCII characters`,
  );

/** `console.oidc` in the settings. */
export const oidcSpec = z.strictObject({
  issuer: issuer.describe('The OpenID provider, as it calls itself: https://accounts.example.com.'),
  client_id: line(256).describe('What the provider knows the console by.'),
  client_auth: z
    .enum(['basic', 'post'])
    .default('basic')
    .describe('How the client secret is sent: client_secret_basic or client_secret_post.'),
  scopes: z
    .array(text(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, 'expected a scope'))
    .max(20)
    .prefault([])
    .describe('Scopes that are asked for beside openid and email.'),
  claim: line(256)
    .default('groups')
    .describe(
      'The claim of the ID token, or else of userinfo, that grants go by; a text or a list of texts.',
    ),
  grants: z
    .array(
      z.strictObject({
        value: z.string().min(1).max(256).describe('A value of the claim.'),
        permissions: z
          .array(z.enum([adminRead, adminWrite]))
          .min(1)
          .describe('What who has it may do: admin:read, admin:write.'),
        owner: text(/^[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?$/, 'expected an owner')
          .optional()
          .describe('The one owner whose keys they see and change (default: every owner’s).'),
      }),
    )
    .min(1)
    .max(100)
    .describe('Who may do what; the first that fits holds.'),
});

/** Null where nobody signs in so. */
export function oidcOf(
  given: z.output<typeof oidcSpec> | undefined,
  clientSecret: Secret | null,
): OidcSettings | null {
  if (given === undefined || clientSecret === null) return null;
  return {
    ...{ issuer: given.issuer, clientId: given.client_id, clientSecret, clientAuth: given.client_auth },
    scopes: [...new Set(['openid', 'email', ...given.scopes])],
    claim: given.claim,
    grants: given.grants.map(({ owner, ...grant }) => ({ ...grant, owner: owner ?? null })),
  };
}

interface GivenConsole {
  readonly enabled: boolean;
  readonly admin_keys: boolean;
  readonly oidc?: unknown;
  readonly origin?: unknown;
}

/** What signing in to the console cannot do without. */
export function oidcProblems(
  console: GivenConsole | undefined,
  { oidcClientSecret }: { readonly oidcClientSecret?: string | undefined },
): ConfigProblem[] {
  if (console?.enabled !== true) return [];
  if (console.oidc === undefined) return console.admin_keys ? [] : [noWayIn];
  const problems: ConfigProblem[] = [];
  if (console.origin === undefined) {
    const message = 'is needed with console.oidc: the provider leads back to it';
    problems.push({ path: ['console', 'origin'], message });
  }
  if (!oidcClientSecret) {
    const message = 'needs the client secret: set POSTERN_OIDC_CLIENT_SECRET';
    problems.push({ path: ['console', 'oidc'], message });
  }
  return problems;
}

const noWayIn: ConfigProblem = {
  path: ['console', 'admin_keys'],
  message: 'nobody could sign in to the console: set console.oidc, or console.enabled: false',
};
