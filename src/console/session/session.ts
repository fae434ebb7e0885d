import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';

/** Who has signed in, as the cookie says it. */
export type Holder =
  | { readonly kind: 'key'; readonly adminKey: string }
  | {
      readonly kind: 'portal';
      readonly id: string;
      readonly returnUrl: string | null;
      /** Unix milliseconds; its session lasts until then, however seldom it is used. */
      readonly expiresAt: number;
    };

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

const cipher = 'aes-256-gcm';
const purpose = Buffer.from('postern console session v1');
const nonceBytes = 12;
const tagBytes = 16;
const sealedLengthMax = 4_096;
/** Past the end of every portal session. */
const portalAgeMaxMs = 2 * 86_400_000;

export function createSessions(now: () => number, { secret, idleMs, ageMaxMs }: SessionOptions): Sessions {
  const sealKey = derive(secret, 'postern console: sealing sessions');
  const tokenKey = derive(secret, 'postern console: tokens of forms');

  return {
    start: (holder) => ({
      ...{ id: randomBytes(16).toString('base64url'), holder },
      ...{ startedAt: now(), seenAt: now() },
    }),
    open(sealed) {
      const text = sealed === undefined || sealed.length > sealedLengthMax ? null : unseal(sealed);
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
      const nonce = randomBytes(nonceBytes);
      const sealing = createCipheriv(cipher, sealKey, nonce).setAAD(purpose);
      const kept = holder?.kind === 'key' ? holder.adminKey : holder;
      const text = JSON.stringify([id, kept, startedAt, seenAt]);
      const body = Buffer.concat([sealing.update(text, 'utf8'), sealing.final()]);
      return Buffer.concat([nonce, body, sealing.getAuthTag()]).toString('base64url');
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

  function unseal(sealed: string): string | null {
    const bytes = Buffer.from(sealed, 'base64url');
    if (bytes.length <= nonceBytes + tagBytes) return null;
    const opening = createDecipheriv(cipher, sealKey, bytes.subarray(0, nonceBytes), {
      authTagLength: tagBytes,
    });
    opening.setAAD(purpose).setAuthTag(bytes.subarray(-tagBytes));
    try {
      return opening.update(bytes.subarray(nonceBytes, -tagBytes), undefined, 'utf8') + opening.final('utf8');
    } catch {
      return null;
    }
  }
}

function derive(secret: Buffer, use: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', use, 32));
}
