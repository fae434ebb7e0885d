import type { FastifyInstance } from 'fastify';
import type { Admin } from '../../admin/admin.ts';
import { portalJson } from '../../changes/portal-json.ts';
import { formatTime } from '../../time/time.ts';
import { callerOf } from '../caller.ts';
import { bodyInput, operate, optionalBodyInput } from '../input.ts';

/** The admin operations on portal sessions, under `/admin/portal-sessions`. */
export function addPortalRoutes(app: FastifyInstance, admin: Admin): void {
  app.post('/admin/portal-sessions', async (request, reply) => {
    const host = request.headers.host ?? null;
    const { session, url } = await operate(bodyInput(request), (value) =>
      admin.createPortalSession(callerOf(request.raw), value, host),
    );
    reply.code(201);
    return { data: { id: session.id, url, expires_at: formatTime(session.expiresAt) } };
  });
  app.delete<{ Params: { id: string } }>('/admin/portal-sessions/:id', async (request) => ({
    data: portalJson(
      await operate(optionalBodyInput(request), (value) =>
        admin.deletePortalSession(callerOf(request.raw), request.params.id, value),
      ),
    ),
  }));
}
