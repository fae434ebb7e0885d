import type { FastifyInstance } from 'fastify';
import type { Admin } from '../../admin/admin.ts';
import { auditJson } from '../../journal/journal.ts';
import { callerOf } from '../caller.ts';
import { operate, queryInput } from '../input.ts';

/** The journal, under `/admin/audit-events`. */
export function addAuditRoutes(app: FastifyInstance, admin: Admin): void {
  app.get('/admin/audit-events', async (request) => {
    const page = await operate(queryInput(request.url), (value) =>
      admin.listAuditEvents(callerOf(request.raw), value),
    );
    return { data: page.events.map(auditJson), next_page_token: page.nextPageToken };
  });
}
