import { portalActor } from '../../changes/portal-changes.ts';
import type { Registry } from '../../changes/registry.ts';
import type { Refusals } from '../../events/refusals.ts';
import { isUnderWay, type PortalSessionRecord, portalPermissions } from '../../keys/portal-session.ts';
import type { Store } from '../../store/store.ts';
import { callName } from '../admin-fields.ts';
import { type Caller, type Identity, keyless } from '../identity.ts';

/** Who looks at the console by a portal session. */
export interface PortalAccess {
  /** Whether the link that carries the token can be opened. */
  canOpen(token: string): Promise<boolean>;
  /** Opens the session once; null where its link was used, is too old or never was. Either is in the journal. */
  open(caller: Caller, token: string): Promise<PortalSessionRecord | null>;
  /** Null once the session has ended, on whatever replica somebody ended it. */
  identity(id: string): Promise<Identity | null>;
  /** Ends the session, by itself. */
  end(caller: Caller, id: string): Promise<void>;
}

export function createPortalAccess({
  registry,
  store,
  refusals,
  now,
}: {
  readonly registry: Pick<Registry, 'canOpenPortalSession' | 'openPortalSession' | 'deletePortalSession'>;
  readonly store: Pick<Store, 'getPortalSession'>;
  readonly refusals: Pick<Refusals, 'record'>;
  /** Unix milliseconds. */
  readonly now: () => number;
}): PortalAccess {
  return {
    canOpen: registry.canOpenPortalSession,
    async open(caller, token) {
      const origin = { action: 'SignIn', ...calledBy(caller) };
      const session = await registry.openPortalSession(token, origin);
      if (session === null) {
        await refusals.record({
          ...{ ...origin, kind: 'call', actor: null, target: null, owner: null, before: null, after: null },
          ...{ outcome: 'refused', error: 'UNAUTHENTICATED', once: null },
        });
      }
      return session;
    },
    async identity(id) {
      const session = await store.getPortalSession(id);
      return session !== null && isUnderWay(session, now()) ? identityOf(session) : null;
    },
    async end(caller, id) {
      const actor = portalActor({ id });
      await registry.deletePortalSession(id, null, {
        ...calledBy(caller),
        actor,
        action: 'DeletePortalSession',
      });
    },
  };
}

function calledBy({ address, requestId }: Caller) {
  return { address: address || null, requestId: callName(requestId ?? null) };
}

function identityOf({ id, owner, permissions }: PortalSessionRecord): Identity {
  return {
    ...{ ...keyless, actor: portalActor({ id }), canRead: false, canWrite: false, owner },
    portal: portalPermissions.filter((permission) => permissions.includes(permission)),
  };
}
