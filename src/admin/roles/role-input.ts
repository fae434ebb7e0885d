import { z } from 'zod';
import { heldPermission, line, listMax, none, pageSize, pageToken, role, words } from '../admin-fields.ts';

/** One that a role may give: what opens the admin API is on keys alone. */
const rolePermission = heldPermission.refine(
  (text) => !text.startsWith('admin:'),
  'begins with "admin:": what opens the admin API stands on a key itself, and in no role',
);

/** `PUT /admin/roles/{id}` and PutRoleRequest, with the id. */
export const putRoleInput = z.strictObject({
  id: role,
  description: none(words(256)),
  permissions: z
    .array(rolePermission)
    .max(listMax)
    .nullish()
    .transform((value) => value ?? []),
  etag: line(64).nullish(),
});

/** `GET /admin/roles` and ListRolesRequest. */
export const listRolesInput = z.strictObject({
  page_size: pageSize,
  page_token: pageToken,
});

/** `DELETE /admin/roles/{id}` and DeleteRoleRequest, without the id. */
export const deleteRoleInput = z.strictObject({ etag: line(64).nullish() });
