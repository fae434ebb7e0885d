/** What an admin key must hold to read, and to change things, which includes reading. */
export const adminRead = 'admin:read';
export const adminWrite = 'admin:write';
export const adminPermissions = [adminRead, adminWrite] as const;

/** Whether one of these opens the admin API, or looks so. */
export function opensAdmin(permissions: readonly string[]): boolean {
  return permissions.some((permission) => permission.startsWith('admin:'));
}

/** Who may make admin calls by a client certificate. */
export interface AdminClient {
  /** One of the certificate's names, with its kind: `URI:spiffe://cluster.local/ns/ops/sa/deploy`. */
  readonly name: string;
  readonly permissions: readonly string[];
  readonly owner: string | null;
}

/** Whether a key of the scheme of admin keys is one; by its own permissions alone, since roles give none of these. */
export function isAdmin({ permissions }: { readonly permissions: readonly string[] }): boolean {
  return adminPermissions.some((permission) => permissions.includes(permission));
}
