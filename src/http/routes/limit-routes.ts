import type { FastifyInstance } from 'fastify';
import type { Admin } from '../../admin/admin.ts';
import { usedLimitJson } from '../../changes/limit-json.ts';
import { callerOf } from '../caller.ts';
import { bodyInput, operate, queryInput, withIdempotencyKey } from '../input.ts';

type OneKey = { Params: { id: string } };

/** How a key stands with its limits, and charges, under `/admin/api-keys/{id}`. */
export function addLimitRoutes(app: FastifyInstance, admin: Admin): void {
  app.get<OneKey>('/admin/api-keys/:id/limits', async (request) => {
    const limits = await operate(queryInput(request.url), (value) =>
      admin.getKeyLimits(callerOf(request.raw), request.params.id, value),
    );
    return { data: limits.map(usedLimitJson) };
  });
  // The id ends before its first colon: no id has one.
  app.post<OneKey>('/admin/api-keys/:id(^[^:/]+)::charge', async (request) => {
    const input = withIdempotencyKey(bodyInput(request), request);
    const charged = await operate(input, (value) =>
      admin.chargeKey(callerOf(request.raw), request.params.id, value),
    );
    return { data: usedLimitJson(charged) };
  });
}
