import { adminRead, adminWrite } from '../keys/admin-permissions.ts';

/**
 * The permission that each operation of KeyAdmin needs, by its RPC's name; SignIn is the console's, and no RPC. Every face reads it here: the operations
 * themselves, the OpenAPI document, the console.
 */
export const operationPermissions = {
  CreateKey: adminWrite,
  GetKey: adminRead,
  GetKeyUsage: adminRead,
  ListKeyRequests: adminRead,
  GetKeyLimits: adminRead,
  ChargeKey: adminWrite,
  ListKeys: adminRead,
  FindKey: adminRead,
  VerifyKey: adminRead,
  UpdateKey: adminWrite,
  RotateKey: adminWrite,
  RevokeKey: adminWrite,
  DisableKey: adminWrite,
  EnableKey: adminWrite,
  RevokeKeys: adminWrite,
  DisableKeys: adminWrite,
  ImportKeys: adminWrite,
  PutOwner: adminWrite,
  UpdateOwner: adminWrite,
  GetOwner: adminRead,
  ListOwners: adminRead,
  PutRole: adminWrite,
  GetRole: adminRead,
  ListRoles: adminRead,
  DeleteRole: adminWrite,
  ListAuditEvents: adminRead,
  GetDiagnostics: adminRead,
  GetTerms: adminRead,
  SignIn: adminRead,
  ReportLeakedKeys: adminWrite,
  WatchKeys: adminRead,
} as const satisfies Readonly<Record<string, AdminPermission>>;

export type AdminPermission = typeof adminRead | typeof adminWrite;
export type OperationName = keyof typeof operationPermissions;

/** What the operation of that name needs; null where none has it. */
export function permissionFor(operation: string): AdminPermission | null {
  return Object.hasOwn(operationPermissions, operation)
    ? operationPermissions[operation as OperationName]
    : null;
}

/** Whether a caller with these permissions may make the call: writing includes reading. */
export function mayCall(permissions: readonly string[], operation: OperationName): boolean {
  return permissions.includes(adminWrite) || permissions.includes(operationPermissions[operation]);
}
