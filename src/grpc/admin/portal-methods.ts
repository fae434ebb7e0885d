import type { PortalSessionRecord } from '../../keys/portal-session.ts';
import type {
  CreatePortalSessionRequest,
  DeletePortalSessionRequest,
  KeyAdminServer,
  PortalSession,
} from '../gen/postern/admin/v1/key_admin.ts';
import { seconds } from './messages/time-message.ts';
import type { MethodDependencies } from './unary.ts';

/** Making portal sessions, and ending them. */
export function createPortalMethods({
  admin,
  unary,
}: MethodDependencies): Pick<KeyAdminServer, 'createPortalSession' | 'deletePortalSession'> {
  return {
    createPortalSession: unary(async (caller, { owner, ...rest }: CreatePortalSessionRequest) => {
      const asked = { ...rest, owner: owner === '' ? null : owner };
      // No browser reaches the console where this call came.
      const { session, url } = await admin.createPortalSession(caller, asked, null);
      return { id: session.id, url, expires_at: seconds(session.expiresAt) };
    }),
    deletePortalSession: unary(async (caller, { id }: DeletePortalSessionRequest) => ({
      session: portalMessage(await admin.deletePortalSession(caller, id)),
    })),
  };
}

/** Times are whole seconds. */
function portalMessage(session: PortalSessionRecord): PortalSession {
  const { openedAt, endedAt } = session;
  return {
    id: session.id,
    owner: session.owner,
    permissions: [...session.permissions],
    return_url: session.returnUrl ?? undefined,
    created_at: seconds(session.createdAt),
    opened_at: openedAt === null ? undefined : seconds(openedAt),
    expires_at: seconds(session.expiresAt),
    ended_at: endedAt === null ? undefined : seconds(endedAt),
  };
}
