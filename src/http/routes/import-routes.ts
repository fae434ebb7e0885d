import type { FastifyInstance } from 'fastify';
import type { Admin } from '../../admin/admin.ts';
import { callerOf } from '../caller.ts';
import { bodyInput, operate } from '../input.ts';

/** The largest body that an import may have, whatever the settings say of others: 1 000 keys of 4 KiB each. */
export const importBytesMax = 4 * 1_024 * 1_024;

/** Taking in keys that were made elsewhere. */
export function addImportRoutes(app: FastifyInstance, admin: Admin): void {
  app.post('/admin/api-keys::import', { bodyLimit: importBytesMax }, async (request) => {
    const { imported, duplicates, failures } = await operate(bodyInput(request), (value) =>
      admin.importKeys(callerOf(request.raw), value),
    );
    return { data: { imported, duplicates, failures } };
  });
}
