import type { Registry } from '../../changes/registry.ts';
import type { PutRole } from '../../changes/role-changes.ts';
import { invalidArgument, notFound } from '../../failure.ts';
import type { RoleRecord } from '../../keys/role.ts';
import type { Store } from '../../store/store.ts';
import { type Call, requireUnbound } from '../call.ts';
import { cut, pageSize } from '../page.ts';
import { readNameToken, writeNameToken } from '../page-token.ts';
import { readInput } from '../read-input.ts';
import { deleteRoleInput, listRolesInput, putRoleInput } from './role-input.ts';

export interface RolePage {
  /** By id. */
  readonly roles: readonly RoleRecord[];
  /** Null on the last page. */
  readonly nextPageToken: string | null;
}

/** Permissions under one name, for admin keys without an owner alone. */
export interface RoleOperations {
  /** Replaces what the role was, or makes it. */
  putRole(call: Call, id: string, input: unknown): Promise<PutRole>;
  getRole(call: Call, id: string): Promise<RoleRecord>;
  listRoles(call: Call, input: unknown): Promise<RolePage>;
  /** Answers the role as it was. Keys go on naming it, and it gives them nothing. */
  deleteRole(call: Call, id: string, input?: unknown): Promise<PutRole>;
}

export function createRoleOperations(dependencies: {
  readonly registry: Pick<Registry, 'putRole' | 'deleteRole'>;
  readonly store: Pick<Store, 'getRole' | 'listRoles'>;
}): RoleOperations {
  const { registry, store } = dependencies;

  return {
    async putRole(call, id, input) {
      requireUnbound(call);
      const { description, permissions, etag } = readInput(putRoleInput, withId(input, id));
      const wanted = { id, description, permissions: [...new Set(permissions)] };
      return registry.putRole(wanted, etag ?? null, call.origin);
    },
    async getRole(call, id) {
      requireUnbound(call);
      const role = await store.getRole(id);
      if (role === null) throw notFound('role');
      return role;
    },
    async listRoles(call, input) {
      requireUnbound(call);
      const { page_size, page_token } = readInput(listRolesInput, input);
      const after = page_token ? readNameToken('roles', page_token) : null;
      const size = pageSize(page_size);
      const { shown, last } = cut(await store.listRoles({ after, size: size + 1 }), size);
      return { roles: shown, nextPageToken: last === null ? null : writeNameToken('roles', last.id) };
    },
    async deleteRole(call, id, input = {}) {
      requireUnbound(call);
      const { etag } = readInput(deleteRoleInput, input);
      return registry.deleteRole(id, etag ?? null, call.origin);
    },
  };
}

/** The id stands in the address and is checked with the rest; the input may repeat it, but name no other. */
function withId(input: unknown, id: string): unknown {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return input;
  if ('id' in input && input.id !== id) {
    throw invalidArgument([{ field: 'id', description: 'is not the one in the address' }]);
  }
  return { ...input, id };
}
