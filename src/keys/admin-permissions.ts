/** What an admin key must hold to read, and to change things, which includes reading. */
export const adminRead = 'admin:read';
export const adminWrite = 'admin:write';
export const adminPermissions = [adminRead, adminWrite] as const;

/** Who may make admin calls by a client certificate. */
export interface AdminClient {
  /** One of the certificate's names, with its kind: `URI:spiffe://cluster.local/ns/ops/sa/deploy`. */
  readonly name: string;
  readonly permissions: readonly string[];
  readonly owner: string | null;
}
