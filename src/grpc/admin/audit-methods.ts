import type { KeyAdminServer, ListAuditEventsRequest } from '../gen/postern/admin/v1/key_admin.ts';
import { auditMessage, listAuditEventsInputOf } from './messages/audit-message.ts';
import type { MethodDependencies } from './unary.ts';

/** Looking at the journal. */
export function createAuditMethods({
  admin,
  unary,
}: Pick<MethodDependencies, 'admin' | 'unary'>): Pick<KeyAdminServer, 'listAuditEvents'> {
  return {
    listAuditEvents: unary(async (caller, request: ListAuditEventsRequest) => {
      const page = await admin.listAuditEvents(caller, listAuditEventsInputOf(request));
      return { events: page.events.map(auditMessage), next_page_token: page.nextPageToken ?? '' };
    }),
  };
}
