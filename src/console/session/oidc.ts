import type { IncomingMessage } from 'node:http';
import type { Identity } from '../../admin/identity.ts';
import type { OidcVisitor } from '../../admin/people/oidc-access.ts';

/** Signing in by an OpenID provider. */
export interface Oidc {
  /** What people know it by. */
  readonly provider: string;
  /** Where a browser goes to sign in; null while the provider cannot be asked. */
  begin(): Promise<{ readonly url: string; readonly attempt: OidcAttempt } | null>;
  /** Who came back with that query; `attempt` is null where their browser has begun none. It is in the journal. */
  finish(request: IncomingMessage, query: URLSearchParams, attempt: OidcAttempt | null): Promise<OidcOutcome>;
  /** Null for who may not come in any more. */
  identity(visitor: OidcVisitor): Identity | null;
  /** Where they sign out at the provider; null where it does not say. */
  signOutUrl(): Promise<string | null>;
}

/** What a sign-in that was begun is known again by. */
export interface OidcAttempt {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
}

export type OidcOutcome =
  | { readonly kind: 'signed_in'; readonly visitor: OidcVisitor }
  | { readonly kind: 'no_grant'; readonly who: string }
  /** The provider could not be asked; it signs nobody in; what came back is not to be believed. */
  | { readonly kind: 'away' | 'refused' | 'wrong' };
