import { etagOf } from '../keys/key.ts';
import type { RoleRecord } from '../keys/role.ts';
import { formatTime } from '../time/time.ts';

/** A role as the contract shows it, its members in the contract's order. Times are RFC 3339 to the second. */
export function roleJson(role: RoleRecord) {
  return {
    id: role.id,
    description: role.description,
    permissions: role.permissions,
    created_at: formatTime(role.createdAt),
    updated_at: formatTime(role.updatedAt),
    etag: etagOf(role),
  };
}
