/** Permissions under one name, which keys hold by naming the role. Times are Unix milliseconds. */
export interface RoleRecord {
  readonly id: string;
  /** What it is for; null for nothing said. */
  readonly description: string | null;
  readonly permissions: readonly string[];
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Grows by one with every change; the etag is made of it. */
  readonly version: number;
}

/** The most that one key may name. */
export const rolesMax = 20;

/** What holds of a key in all, each permission once, its own first; a role that there is not gives nothing. */
export function grantedBy(
  own: readonly string[],
  roles: readonly (Pick<RoleRecord, 'permissions'> | null)[],
): readonly string[] {
  return [...new Set([...own, ...roles.flatMap((role) => role?.permissions ?? [])])];
}
