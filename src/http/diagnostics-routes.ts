import type { FastifyInstance } from 'fastify';
import type { Admin } from '../admin.ts';
import { callerOf } from './caller.ts';

/** How the service stands, under `/admin/diagnostics`. */
export function addDiagnosticsRoutes(app: FastifyInstance, admin: Admin): void {
  app.get('/admin/diagnostics', async (request) => ({
    data: await admin.getDiagnostics(callerOf(request.raw)),
  }));
}
