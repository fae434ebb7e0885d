import type { FastifyInstance } from 'fastify';
import type { Admin } from '../../admin/admin.ts';
import { keyJson } from '../../changes/key-json.ts';
import type { ShownKey } from '../../keys/key.ts';
import { callerOf } from '../caller.ts';
import { bodyInput, operate, queryInput, withIdempotencyKey } from '../input.ts';
import { usageJson } from './usage-json.ts';

type OneKey = { Params: { id: string } };

/** Making keys and looking at them, under `/admin/api-keys`. */
export function addKeyRoutes(app: FastifyInstance, admin: Admin, now: () => number): void {
  app.post('/admin/api-keys', async (request, reply) => {
    const input = withIdempotencyKey(bodyInput(request), request);
    const made = await operate(input, (value) => admin.createKey(callerOf(request.raw), value));
    reply.code(201);
    return { data: { ...keyJson(made.key, now()), key: made.secret?.reveal() ?? null } };
  });
  app.get('/admin/api-keys', async (request) => {
    const page = await operate(queryInput(request.url), (value) =>
      admin.listKeys(callerOf(request.raw), value),
    );
    const at = now();
    return {
      data: page.keys.map((key) => keyJson(key, at)),
      next_page_token: page.nextPageToken,
      ...(page.totalSize !== undefined && { total_size: page.totalSize }),
    };
  });
  app.post('/admin/api-keys::find', async (request) => {
    const input = bodyInput(request);
    return shown(await operate(input, (value) => admin.findKey(callerOf(request.raw), value)));
  });
  app.post('/admin/api-keys::verify', async (request) => {
    const input = bodyInput(request);
    const judged = await operate(input, (value) => admin.verifyKey(callerOf(request.raw), value));
    const { allowed, reason, status, keyId, ...observed } = judged;
    return { data: { allowed, reason, status, key_id: keyId, ...observed } };
  });

  app.get<OneKey>('/admin/api-keys/:id', async (request) =>
    shown(await admin.getKey(callerOf(request.raw), request.params.id)),
  );
  app.get<OneKey>('/admin/api-keys/:id/usage', async (request) => {
    const usage = await operate(queryInput(request.url), (value) =>
      admin.getKeyUsage(callerOf(request.raw), request.params.id, value),
    );
    return { data: usageJson(usage) };
  });

  function shown(key: ShownKey) {
    return { data: keyJson(key, now()) };
  }
}
