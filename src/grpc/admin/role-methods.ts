import { etagOf } from '../../keys/key.ts';
import type { RoleRecord } from '../../keys/role.ts';
import type {
  DeleteRoleRequest,
  GetRoleRequest,
  KeyAdminServer,
  ListRolesRequest,
  PutRoleRequest,
  Role,
} from '../gen/postern/admin/v1/key_admin.ts';
import { settlementMessage } from './messages/settlement-message.ts';
import { seconds } from './messages/time-message.ts';
import type { MethodDependencies } from './unary.ts';

/** Putting roles, deleting them and looking at them. */
export function createRoleMethods({
  admin,
  unary,
}: MethodDependencies): Pick<KeyAdminServer, 'putRole' | 'getRole' | 'listRoles' | 'deleteRole'> {
  return {
    putRole: unary(async (caller, { id, etag, ...rest }: PutRoleRequest) => {
      const put = await admin.putRole(caller, id, { ...rest, ...etagInput(etag) });
      return { role: roleMessage(put.role), ...settlementMessage(put) };
    }),
    getRole: unary(async (caller, { id }: GetRoleRequest) => ({
      role: roleMessage(await admin.getRole(caller, id)),
    })),
    listRoles: unary(async (caller, { page_size, page_token }: ListRolesRequest) => {
      const asked = { page_size, ...(page_token !== '' && { page_token }) };
      const page = await admin.listRoles(caller, asked);
      return { roles: page.roles.map(roleMessage), next_page_token: page.nextPageToken ?? '' };
    }),
    deleteRole: unary(async (caller, { id, etag }: DeleteRoleRequest) => {
      const deleted = await admin.deleteRole(caller, id, etagInput(etag));
      return { role: roleMessage(deleted.role), ...settlementMessage(deleted) };
    }),
  };
}

/** Times are whole seconds. */
function roleMessage(role: RoleRecord): Role {
  return {
    id: role.id,
    description: role.description ?? undefined,
    permissions: [...role.permissions],
    created_at: seconds(role.createdAt),
    updated_at: seconds(role.updatedAt),
    etag: etagOf(role),
  };
}

function etagInput(etag: string) {
  return etag === '' ? {} : { etag };
}
