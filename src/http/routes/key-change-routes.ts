import type { FastifyInstance } from 'fastify';
import type { Admin } from '../../admin/admin.ts';
import type { ShownRotation } from '../../admin/keys/key-change-operations.ts';
import type { Shown } from '../../admin/keys/shown-keys.ts';
import { keyJson, narrowedJson } from '../../changes/key-json.ts';
import type { Narrowed } from '../../changes/registry.ts';
import { settlementJson } from '../../changes/settlement-json.ts';
import { callerOf } from '../caller.ts';
import { bodyInput, operate, optionalBodyInput, withIdempotencyKey, withIfMatch } from '../input.ts';

type OneKey = { Params: { id: string } };

/** The key that replaced another, with its secret, and the other one as it is from now on. */
export function rotatedJson(rotated: ShownRotation, at: number) {
  const { key, secret, rotatedKey } = rotated;
  return {
    ...keyJson(key, at),
    key: secret?.reveal() ?? null,
    rotated_key: rotatedKey === null ? null : keyJson(rotatedKey, at),
    ...settlementJson(rotated),
  };
}

/** Changing keys that are there, under `/admin/api-keys/{id}`. */
export function addKeyChangeRoutes(app: FastifyInstance, admin: Admin, now: () => number): void {
  app.patch<OneKey>('/admin/api-keys/:id', async (request) => {
    const { key, settlement } = await operate(withIfMatch(bodyInput(request), request), (value) =>
      admin.updateKey(callerOf(request.raw), request.params.id, value),
    );
    return { data: settlement === null ? keyJson(key, now()) : narrowedJson({ key, ...settlement }, now()) };
  });
  app.post<OneKey>('/admin/api-keys/:id/rotate', async (request) => {
    const rotated = await operate(withIdempotencyKey(optionalBodyInput(request), request), (value) =>
      admin.rotateKey(callerOf(request.raw), request.params.id, value),
    );
    return { data: rotatedJson(rotated, now()) };
  });
  app.delete<OneKey>('/admin/api-keys/:id', async (request) =>
    narrowed(
      await operate(optionalBodyInput(request), (value) =>
        admin.revokeKey(callerOf(request.raw), request.params.id, value),
      ),
    ),
  );
  app.post<OneKey>('/admin/api-keys/:id/disable', async (request) =>
    narrowed(
      await operate(optionalBodyInput(request), (value) =>
        admin.disableKey(callerOf(request.raw), request.params.id, value),
      ),
    ),
  );
  app.post<OneKey>('/admin/api-keys/:id/enable', async (request) => {
    const key = await operate(optionalBodyInput(request), (value) =>
      admin.enableKey(callerOf(request.raw), request.params.id, value),
    );
    return { data: keyJson(key, now()) };
  });

  function narrowed(result: Shown<Narrowed>) {
    return { data: narrowedJson(result, now()) };
  }
}
