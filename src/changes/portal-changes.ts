import { notFound } from '../failure.ts';
import { changeDraft, type Origin } from '../journal/journal.ts';
import {
  canOpen,
  isPortalSessionId,
  isTokenOf,
  isUnderWay,
  newPortalSessionId,
  type PortalSessionRecord,
  portalSessionIdIn,
  portalToken,
} from '../keys/portal-session.ts';
import type { Store } from '../store/store.ts';
import { contention, triesMax } from './key-change.ts';
import { portalJson } from './portal-json.ts';

/** What a portal session is to be. */
export interface NewPortalSession extends Pick<PortalSessionRecord, 'owner' | 'permissions' | 'returnUrl'> {
  readonly lifeMs: number;
}

export interface MadePortalSession {
  readonly session: PortalSessionRecord;
  /** What its link carries, this once. */
  readonly token: string;
}

/** Every change of a portal session, written with its entry in the journal. */
export interface PortalChanges {
  createPortalSession(wanted: NewPortalSession, origin: Origin): Promise<MadePortalSession>;
  /** Whether the link that carries the token can be opened. */
  canOpenPortalSession(token: string): Promise<boolean>;
  /**
   * Opens the session once, however many try at once, on whatever replica; null where its link was used, is too old
   * or never was. The entry has the session as its actor.
   */
  openPortalSession(token: string, origin: Omit<Origin, 'actor'>): Promise<PortalSessionRecord | null>;
  /** NOT_FOUND where there is none of this owner, null being anybody's; what has ended already stays as it is. */
  deletePortalSession(id: string, owner: string | null, origin: Origin): Promise<PortalSessionRecord>;
}

export interface PortalChangesDependencies {
  readonly store: Pick<Store, 'getPortalSession' | 'putPortalSession'>;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** A link is followed at once, or never. */
const openMs = 5 * 60_000;

/** What the journal calls who looks at the console by such a session. */
export function portalActor({ id }: Pick<PortalSessionRecord, 'id'>): string {
  return `portal:${id}`;
}

export function createPortalChanges({ store, now }: PortalChangesDependencies): PortalChanges {
  return {
    async createPortalSession({ lifeMs, ...wanted }, origin) {
      const at = now();
      const id = newPortalSessionId();
      const { token, digest } = portalToken(id);
      const session: PortalSessionRecord = {
        ...{ id, ...wanted, tokenDigest: digest, createdAt: at, openUntil: at + openMs },
        ...{ openedAt: null, expiresAt: at + lifeMs, endedAt: null, version: 1 },
      };
      const isNew = await store.putPortalSession(session, 0, draftOf(origin, null, session));
      if (!isNew) throw new Error('two portal sessions have the same id');
      return { session, token };
    },
    async canOpenPortalSession(token) {
      const session = await sessionOf(token);
      return session !== null && canOpen(session, now());
    },
    async openPortalSession(token, origin) {
      const session = await sessionOf(token);
      if (session === null || !canOpen(session, now())) return null;
      const opened = { ...session, openedAt: now(), version: session.version + 1 };
      const draft = changeDraft(
        { ...origin, actor: portalActor(session) },
        { target: session.id, owner: session.owner, before: null, after: portalJson(opened) },
      );
      return (await store.putPortalSession(opened, session.version, draft)) ? opened : null;
    },
    async deletePortalSession(id, owner, origin) {
      for (let tries = 0; tries < triesMax; tries++) {
        const session = isPortalSessionId(id) ? await store.getPortalSession(id) : null;
        if (session === null || (owner !== null && session.owner !== owner)) throw notFound('portal session');
        if (!isUnderWay(session, now())) return session;
        const ended = { ...session, endedAt: now(), version: session.version + 1 };
        const draft = draftOf(origin, session, ended);
        if (await store.putPortalSession(ended, session.version, draft)) return ended;
      }
      throw contention('portal session');
    },
  };

  async function sessionOf(token: string): Promise<PortalSessionRecord | null> {
    const id = portalSessionIdIn(token);
    const session = id === null ? null : await store.getPortalSession(id);
    return session !== null && isTokenOf(session, token) ? session : null;
  }
}

function draftOf(origin: Origin, before: PortalSessionRecord | null, after: PortalSessionRecord) {
  return changeDraft(origin, {
    ...{ target: after.id, owner: after.owner },
    before: before === null ? null : portalJson(before),
    after: portalJson(after),
  });
}
