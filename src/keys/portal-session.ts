import { hash, randomBytes, timingSafeEqual } from 'node:crypto';

/** What a portal session may be for; to write keys is to read them too. */
export const portalPermissions = ['keys:read', 'keys:write', 'usage:read'] as const;
export type PortalPermission = (typeof portalPermissions)[number];

/** A while in which somebody may look after the keys of one owner in the console. Times are Unix milliseconds. */
export interface PortalSessionRecord {
  readonly id: string;
  readonly owner: string;
  /** As they were asked for; what is none of {@link portalPermissions} gives nothing. */
  readonly permissions: readonly string[];
  /** Where its pages lead back to; null for nowhere. */
  readonly returnUrl: string | null;
  /** Of the secret part of its link; see {@link portalToken}. */
  readonly tokenDigest: string;
  readonly createdAt: number;
  /** Until then the link can be opened. */
  readonly openUntil: number;
  /** When it was opened; null while it was not. */
  readonly openedAt: number | null;
  readonly expiresAt: number;
  /** When somebody ended it; null while nobody has. */
  readonly endedAt: number | null;
  /** Grows by one with every change. */
  readonly version: number;
}

/** So long after its end it is removed: for that long it is told from one that never was. */
const retentionMs = 86_400_000;

export function portalPurgeAt({ expiresAt }: PortalSessionRecord): number {
  return expiresAt + retentionMs;
}

export function isPortalSessionId(text: string): boolean {
  return /^ps_[0-9A-Za-z_-]{22}$/.test(text);
}

/** 128 random bits. */
export function newPortalSessionId(): string {
  return `ps_${randomBytes(16).toString('base64url')}`;
}

/** What a link carries: the session's id and 256 random bits, of which the store keeps the digest alone. */
export function portalToken(id: string): { readonly token: string; readonly digest: string } {
  const secret = randomBytes(32).toString('base64url');
  return { token: `${id}.${secret}`, digest: digestOf(secret) };
}

/** The id in a token of that form; null for any other text. */
export function portalSessionIdIn(token: string): string | null {
  const [id = '', secret = '', ...more] = token.split('.');
  const isOne = more.length === 0 && isPortalSessionId(id) && /^[0-9A-Za-z_-]{43}$/.test(secret);
  return isOne ? id : null;
}

export function isTokenOf(session: Pick<PortalSessionRecord, 'tokenDigest'>, token: string): boolean {
  const [one, other] = [Buffer.from(session.tokenDigest), Buffer.from(digestOf(token.split('.')[1] ?? ''))];
  return one.length === other.length && timingSafeEqual(one, other);
}

/** Whether its link may be opened at that time. */
export function canOpen(session: PortalSessionRecord, now: number): boolean {
  return session.openedAt === null && now < session.openUntil && isUnderWay(session, now);
}

/** Whether nobody has ended it, and its time has not run out. */
export function isUnderWay({ endedAt, expiresAt }: PortalSessionRecord, now: number): boolean {
  return endedAt === null && now < expiresAt;
}

function digestOf(secret: string): string {
  return hash('sha256', secret, 'base64url');
}
