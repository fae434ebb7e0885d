import type { FastifyInstance } from 'fastify';
import type { Admin } from '../../admin/admin.ts';
import { callerOf } from '../caller.ts';

/** Who calls, and what keys they may ask for, under `/admin/terms`. */
export function addTermsRoutes(app: FastifyInstance, admin: Admin): void {
  app.get('/admin/terms', async (request) => {
    const { actor, permissions, owner, schemes, replicas, ...life } = await admin.getTerms(
      callerOf(request.raw),
    );
    const { lifetime_max, lifetime_default, allowlist_required } = life;
    const told = { lifetime_max, lifetime_default, allowlist_required };
    return { data: { actor, permissions, owner, schemes, ...told, replicas } };
  });
}
