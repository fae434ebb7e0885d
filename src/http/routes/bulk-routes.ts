import type { FastifyInstance } from 'fastify';
import type { Admin } from '../../admin/admin.ts';
import type { EndedKeys } from '../../admin/keys/bulk-operations.ts';
import { formatTimeMs } from '../../time/time.ts';
import { callerOf } from '../caller.ts';
import { bodyInput, operate } from '../input.ts';

/** Many keys at once, under `/admin/api-keys`. */
export function addBulkRoutes(app: FastifyInstance, admin: Admin): void {
  app.post('/admin/api-keys::revoke', async (request) =>
    endedJson(await operate(bodyInput(request), (value) => admin.revokeKeys(callerOf(request.raw), value))),
  );
  app.post('/admin/api-keys::disable', async (request) =>
    endedJson(await operate(bodyInput(request), (value) => admin.disableKeys(callerOf(request.raw), value))),
  );
}

function endedJson({ matched, changed, effectiveAt, unconfirmedReplicas }: EndedKeys) {
  const effective_at = effectiveAt === null ? null : formatTimeMs(effectiveAt);
  return { data: { matched, changed, effective_at, unconfirmed_replicas: unconfirmedReplicas } };
}
