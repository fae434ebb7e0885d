import type { FastifyInstance } from 'fastify';
import type { Admin } from '../../admin/admin.ts';
import { formatTimeMs } from '../../time/time.ts';
import { callerOf } from '../caller.ts';

/** How the service stands, under `/admin/diagnostics`. */
export function addDiagnosticsRoutes(app: FastifyInstance, admin: Admin): void {
  app.get('/admin/diagnostics', async (request) => {
    const { now, ...diagnostics } = await admin.getDiagnostics(callerOf(request.raw));
    return { data: { ...diagnostics, now: formatTimeMs(now) } };
  });
}
