import type { FastifyReply, FastifyRequest } from 'fastify';
import type { OidcAttempt } from './oidc.ts';
import { createSealing } from './sealing.ts';

/** A sign-in, and the page that it leads on to; empty for none. */
export interface Begun {
  readonly attempt: OidcAttempt;
  readonly next: string;
}

/** The sign-in that a browser has begun, sealed in a cookie of its own. */
export interface OidcAttempts {
  begin(reply: FastifyReply, attempt: OidcAttempt, next: string): void;
  /** Ends it, whatever comes of it; null for none, or for one that is too old. */
  take(request: FastifyRequest, reply: FastifyReply): Begun | null;
}

const lifeMs = 600_000;

export function createOidcAttempts(
  now: () => number,
  { secret, isSecure }: { readonly secret: Buffer; readonly isSecure: boolean },
): OidcAttempts {
  const sealing = createSealing(secret, {
    use: 'postern console: sealing sign-ins',
    purpose: 'postern console sign-in v1',
  });
  const cookie = isSecure ? '__Secure-postern_console_oidc' : 'postern_console_oidc';
  // Lax: the provider leads back to here, from another site.
  const attributes = { path: '/console/oidc', httpOnly: true, sameSite: 'lax', secure: isSecure } as const;

  return {
    begin(reply, { state, nonce, verifier }, next) {
      const sealed = sealing.seal(JSON.stringify([state, nonce, verifier, now(), next]));
      reply.setCookie(cookie, sealed, { ...attributes, maxAge: lifeMs / 1_000 });
    },
    take(request, reply) {
      const text = sealing.open(request.cookies[cookie]);
      if (text === null) return null;
      reply.clearCookie(cookie, attributes);
      const [state, nonce, verifier, at, next = ''] = JSON.parse(text) as [
        ...[string, string, string],
        number,
        string?,
      ];
      return now() - at < lifeMs ? { attempt: { state, nonce, verifier }, next } : null;
    },
  };
}
