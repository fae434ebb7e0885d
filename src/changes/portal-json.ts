import type { PortalSessionRecord } from '../keys/portal-session.ts';
import { formatTime } from '../time/time.ts';

/** A portal session as the contract shows it; its link is in the answer that made it alone. */
export function portalJson(session: PortalSessionRecord) {
  const timeOrNull = (time: number | null) => (time === null ? null : formatTime(time));
  return {
    id: session.id,
    owner: session.owner,
    permissions: session.permissions,
    return_url: session.returnUrl,
    created_at: formatTime(session.createdAt),
    opened_at: timeOrNull(session.openedAt),
    expires_at: formatTime(session.expiresAt),
    ended_at: timeOrNull(session.endedAt),
  };
}
