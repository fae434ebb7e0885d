import type { FastifyInstance } from 'fastify';
import type { Admin } from '../../admin/admin.ts';
import { formatTimeMs } from '../../time/time.ts';
import { callerOf } from '../caller.ts';

/** How the service stands, under `/admin/diagnostics`. */
export function addDiagnosticsRoutes(app: FastifyInstance, admin: Admin): void {
  app.get('/admin/diagnostics', async (request) => {
    const { now, storeReachable, replicas, uptimeMs, ...diagnostics } = await admin.getDiagnostics(
      callerOf(request.raw),
    );
    return {
      data: {
        ...diagnostics,
        now: formatTimeMs(now),
        store_reachable: storeReachable,
        replicas: replicas.map(({ id, lagMs }) => ({ id, lag_ms: Math.round(lagMs) })),
        uptime_s: Math.floor(uptimeMs / 1_000),
      },
    };
  });
}
