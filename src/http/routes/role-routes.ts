import type { FastifyInstance } from 'fastify';
import type { Admin } from '../../admin/admin.ts';
import type { PutRole } from '../../changes/role-changes.ts';
import { roleJson } from '../../changes/role-json.ts';
import { settlementJson } from '../../changes/settlement-json.ts';
import { callerOf } from '../caller.ts';
import { bodyInput, operate, optionalBodyInput, queryInput, withIfMatch } from '../input.ts';

type OneRole = { Params: { id: string } };

/** The admin operations on roles, under `/admin/roles`. An id may hold a `/`, escaped. */
export function addRoleRoutes(app: FastifyInstance, admin: Admin): void {
  app.put<OneRole>('/admin/roles/:id', async (request) =>
    settled(
      await operate(withIfMatch(bodyInput(request), request), (value) =>
        admin.putRole(callerOf(request.raw), request.params.id, value),
      ),
    ),
  );
  app.delete<OneRole>('/admin/roles/:id', async (request) =>
    settled(
      await operate(withIfMatch(optionalBodyInput(request), request), (value) =>
        admin.deleteRole(callerOf(request.raw), request.params.id, value),
      ),
    ),
  );
  app.get<OneRole>('/admin/roles/:id', async (request) => ({
    data: roleJson(await admin.getRole(callerOf(request.raw), request.params.id)),
  }));
  app.get('/admin/roles', async (request) => {
    const page = await operate(queryInput(request.url), (value) =>
      admin.listRoles(callerOf(request.raw), value),
    );
    return { data: page.roles.map(roleJson), next_page_token: page.nextPageToken };
  });
}

function settled(put: PutRole) {
  return { data: { ...roleJson(put.role), ...settlementJson(put) } };
}
