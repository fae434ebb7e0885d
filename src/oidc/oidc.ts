/**
 * Room `oidc/`: Signing in by an OpenID provider. Here: openid-client, loaded where it is configured. Not here: what
 * somebody may do who has signed in (`admin/`), and the pages (`console/`).
 */

import * as client from 'openid-client';
import { fetchBounded } from './fetch-bounded.ts';

export interface OidcOptions {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly clientAuth: 'basic' | 'post';
  readonly scopes: readonly string[];
  /** Whose values are told; of the ID token, else of userinfo. */
  readonly claim: string;
  /** Where the provider leads back to. */
  readonly redirectUri: string;
}

/** What a sign-in that was begun is known again by; of no use to others without the browser's cookie. */
export interface OidcAttempt {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
}

/** Who somebody is, in the provider's word. */
export interface OidcPerson {
  readonly sub: string;
  /** Null for none, or for one that the provider has not verified. */
  readonly email: string | null;
  readonly values: readonly string[];
}

/** `away`: the provider could not be asked. `refused`: it signs nobody in. `wrong`: what came back is not to be believed. */
export type OidcTrouble = 'away' | 'refused' | 'wrong';

export class OidcError extends Error {
  readonly trouble: OidcTrouble;

  /** Why, for the log: codes alone, nothing of what the provider wrote. */
  readonly why: string;

  constructor(trouble: OidcTrouble, why: string, options: ErrorOptions = {}) {
    super(`signing in by the OpenID provider failed: ${why}`, options);
    this.name = 'OidcError';
    this.trouble = trouble;
    this.why = why;
  }
}

/** Every method rejects with {@link OidcError}. */
export interface OidcProvider {
  /** Where a browser is to go. */
  begin(): Promise<{ readonly url: string; readonly attempt: OidcAttempt }>;
  /** Who came back, by the query that they came with. */
  redeem(query: URLSearchParams, attempt: OidcAttempt): Promise<OidcPerson>;
  /** Where a browser signs out at the provider; null where it does not say. */
  endSessionUrl(): Promise<string | null>;
}

/** What the provider says of itself is asked for again after so long. */
const knownMs = 300_000;
const timeoutSeconds = 5;
/** Sign-ins that the provider is asked about at a time; of more it is said that it cannot be asked. */
const underWayMax = 50;

export function createOidcProvider(options: OidcOptions, monotonic: () => number): OidcProvider {
  const { redirectUri, scopes, claim } = options;
  let underWay = 0;
  let known: { readonly at: number; readonly configuration: Promise<client.Configuration> } | null = null;

  /** Remembered for a while, for what anybody may ask for. */
  function recent(): Promise<client.Configuration> {
    if (known !== null && monotonic() - known.at < knownMs) return known.configuration;
    const asked = { at: monotonic(), configuration: discover(options) };
    known = asked;
    asked.configuration.catch(() => {
      if (known === asked) known = null;
    });
    return asked.configuration;
  }

  async function personBy(query: URLSearchParams, { state, nonce, verifier }: OidcAttempt) {
    // Anew, with none of its keys remembered: it may have changed them since.
    const configuration = await discover(options);
    const tokens = await client.authorizationCodeGrant(configuration, new URL(`${redirectUri}?${query}`), {
      ...{ expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier, idTokenExpected: true },
    });
    const claims = tokens.claims();
    if (claims === undefined) throw new OidcError('wrong', 'no ID token');
    const lacks = claims[claim] === undefined || claims.email === undefined;
    const hasMore = lacks && configuration.serverMetadata().userinfo_endpoint !== undefined;
    const more = hasMore ? await client.fetchUserInfo(configuration, tokens.access_token, claims.sub) : {};
    return personOf({ ...more, ...claims }, claim);
  }

  return {
    async begin() {
      const attempt = {
        ...{ state: client.randomState(), nonce: client.randomNonce() },
        verifier: client.randomPKCECodeVerifier(),
      };
      const configuration = await recent().catch(told);
      const url = client.buildAuthorizationUrl(configuration, {
        ...{ redirect_uri: redirectUri, response_type: 'code', scope: scopes.join(' ') },
        ...{ state: attempt.state, nonce: attempt.nonce, code_challenge_method: 'S256' },
        code_challenge: await client.calculatePKCECodeChallenge(attempt.verifier),
      });
      return { url: url.href, attempt };
    },
    async redeem(query, attempt) {
      if (query.get('state') !== attempt.state) throw new OidcError('wrong', 'another state');
      if (underWay >= underWayMax) throw new OidcError('away', 'too many sign-ins at a time');
      underWay += 1;
      try {
        return await personBy(query, attempt);
      } catch (error) {
        return told(error);
      } finally {
        underWay -= 1;
      }
    },
    async endSessionUrl() {
      const configuration = await recent().catch(told);
      if (configuration.serverMetadata().end_session_endpoint === undefined) return null;
      return client.buildEndSessionUrl(configuration, {}).href;
    },
  };
}

async function discover({ issuer, clientId, clientSecret, clientAuth }: OidcOptions) {
  const auth = clientAuth === 'basic' ? client.ClientSecretBasic : client.ClientSecretPost;
  const url = new URL(issuer);
  return client.discovery(url, clientId, undefined, auth(clientSecret), {
    timeout: timeoutSeconds,
    [client.customFetch]: fetchBounded,
    execute: [
      client.enableNonRepudiationChecks,
      // The settings take it on loopback alone.
      ...(url.protocol === 'http:' ? [client.allowInsecureRequests] : []),
    ],
  });
}

function personOf(claims: Readonly<Record<string, unknown>>, claim: string): OidcPerson {
  const { sub, email, email_verified: isVerified } = claims;
  // It goes into the audit log; the length is that of OpenID Connect Core, "ID Token".
  if (typeof sub !== 'string' || !/^[\x20-\x7e]{1,255}$/.test(sub)) {
    throw new OidcError('wrong', 'a sub that is none');
  }
  const isEmail = typeof email === 'string' && /^[^\s\p{C}@]{1,64}@[^\s\p{C}@]{1,189}$/u.test(email);
  const values = [claims[claim]].flat().filter((value) => typeof value === 'string');
  return { sub, email: isEmail && isVerified !== false ? email : null, values };
}

/** What the provider says by a code that it is in trouble itself: OpenID Connect Core, "Authentication Error Response". */
const awayCodes = ['server_error', 'temporarily_unavailable'];

function told(cause: unknown): never {
  if (cause instanceof OidcError) throw cause;
  const why = whyOf(cause);
  if (cause instanceof client.AuthorizationResponseError) {
    throw new OidcError(awayCodes.includes(cause.error) ? 'away' : 'refused', why, { cause });
  }
  throw new OidcError(isAway(cause) ? 'away' : 'wrong', why, { cause });
}

function isAway(error: unknown): boolean {
  const { code, name, cause, status } = Object(error) as Record<string, unknown>;
  if (code === 'OAUTH_TIMEOUT' || code === 'OAUTH_ABORT') return true;
  if (typeof status === 'number') return status >= 500;
  if (cause instanceof Response) return cause.status >= 500;
  return name === 'TypeError' && code === undefined;
}

/** The library's code, and the provider's where it is one. */
function whyOf(error: unknown): string {
  const { code, error: given, name, cause } = Object(error) as Record<string, unknown>;
  const ofCause = Object(cause) as Record<string, unknown>;
  const texts = [name, code, given, ofCause.code];
  const codes = texts.filter((text) => typeof text === 'string' && /^\w{1,64}$/.test(text));
  return [...new Set(codes)].join(' ') || 'unknown';
}
