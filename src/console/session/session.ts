import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { createSealing, deriveKey } from './sealing.ts';

/** Who has signed in, as the cookie says it. */
export type Holder =
  | { readonly kind: 'key'; readonly adminKey: string }
  | {
      readonly kind: 'portal';
      readonly id: string;
      readonly returnUrl: string | null;
      /** Unix milliseconds; its session lasts until then, however seldom it is used. */
      readonly expiresAt: number;
    }
  | OidcHolder;

/** Who signed in by the OpenID provider. */
export interface OidcHolder {
  readonly kind: 'oidc';
  /** The provider that knows them, and what it calls them. */
  readonly issuer: string;
  readonly sub: string;
  readonly email: string | null;
  /** The value by which a grant held when they signed in. */
  readonly value: string;
}

/** Who looks at the console in one browser, for a while. */
export interface Session {
  /** What its forms are bound to. */
  readonly id: string;
  /** Null before signing in. */
  readonly holder: Holder | null;
  /** Unix milliseconds, as below: when it signed in. */
  readonly startedAt: number;
  /** When it was last used, to a twentieth of the idle bound. */
  readonly seenAt: number;
}

export interface SessionOptions {
  /** 32 or more bytes, the same on every replica. */
  readonly secret: Buffer;
  /** A session that was not used for so long has ended. */
  readonly idleMs: number;
  /** A session that began so long ago has ended. */
  readonly ageMaxMs: number;
}

/** Sessions that are kept nowhere but in the cookie, sealed. */
export interface Sessions {
  start(holder: Holder | null): Session;
  /** The session in a cookie's value; null for none, one that has ended, or one that was not sealed here. */
  open(sealed: string | undefined): Session | null;
  /** The session as used now; the same one where its time need not be written again. */
  touch(session: Session): Session;
  /** Up to 4 000 characters of a cookie's value for an admin key of up to 2 048. */
  seal(session: Session): string;
  /** What a form of the session carries. */
  token(session: Session): string;
  isToken(session: Session, token: string): boolean;
}

/** Past the end of every portal session. */
const portalAgeMaxMs = 2 * 86_400_000;

export function createSessions(now: () => number, { secret, idleMs, ageMaxMs }: SessionOptions): Sessions {
  const sealing = createSealing(secret, {
    use: 'postern console: sealing sessions',
    purpose: 'postern console session v1',
  });
  const tokenKey = deriveKey(secret, 'postern console: tokens of forms');

  return {
    start: (holder) => ({
      ...{ id: randomBytes(16).toString('base64url'), holder },
      ...{ startedAt: now(), seenAt: now() },
    }),
    open(sealed) {
      const text = sealing.open(sealed);
      if (text === null) return null;
      const [id, kept, startedAt, seenAt] = JSON.parse(text) as [
        string,
        string | Holder | null,
        number,
        number,
      ];
      // Releases that know admin keys alone write the key itself.
      const holder = typeof kept === 'string' ? { kind: 'key' as const, adminKey: kept } : kept;
      const session = { id, holder, startedAt, seenAt };
      return isOver(session) ? null : session;
    },
    touch: (session) => (now() - session.seenAt < idleMs / 20 ? session : { ...session, seenAt: now() }),
    seal({ id, holder, startedAt, seenAt }) {
      const kept = holder?.kind === 'key' ? holder.adminKey : holder;
      return sealing.seal(JSON.stringify([id, kept, startedAt, seenAt]));
    },
    token,
    isToken(session, given) {
      const [one, other] = [Buffer.from(token(session)), Buffer.from(given)];
      return one.length === other.length && timingSafeEqual(one, other);
    },
  };

  /** That of a portal session is kept, for its page to say so. */
  function isOver({ holder, seenAt, startedAt }: Session): boolean {
    const at = now();
    if (holder?.kind === 'portal') return at - startedAt >= portalAgeMaxMs;
    return at - seenAt >= idleMs || at - startedAt >= ageMaxMs;
  }

  function token({ id }: Session): string {
    return createHmac('sha256', tokenKey).update(id).digest('base64url');
  }
}
