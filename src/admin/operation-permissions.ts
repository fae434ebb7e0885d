import { adminRead, adminWrite } from '../keys/admin-permissions.ts';
import type { PortalPermission } from '../keys/portal-session.ts';

/**
 * The permission that each operation of KeyAdmin needs, by its RPC's name; SignIn is the console's, and no RPC. Every face reads it here: the operations
 * themselves, the OpenAPI document, the console.
 */
export const operationPermissions = {
  CreateKey: adminWrite,
  GetKey: adminRead,
  GetKeyUsage: adminRead,
  ListKeyRequests: adminRead,
  GetUsage: adminRead,
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
  CreatePortalSession: adminWrite,
  DeletePortalSession: adminWrite,
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

const readsKeys = ['GetTerms', 'GetKey', 'ListKeys', 'FindKey'] as const;

/** The operations that each permission of a portal session is for; what is named nowhere is for none. */
const portalOperations: Readonly<Record<PortalPermission, readonly OperationName[]>> = {
  'keys:read': readsKeys,
  'keys:write': [
    ...([
      ...readsKeys,
      'CreateKey',
      'UpdateKey',
      'RotateKey',
      'RevokeKey',
      'DisableKey',
      'EnableKey',
    ] as const),
    ...(['RevokeKeys', 'DisableKeys'] as const),
  ],
  'usage:read': ['GetTerms', 'GetKeyUsage', 'GetKeyLimits', 'ListKeyRequests', 'GetUsage'],
};

/** Whether a portal session with these permissions may make the call. */
export function portalMayCall(permissions: readonly string[], operation: OperationName): boolean {
  return Object.entries(portalOperations).some(
    ([permission, operations]) => permissions.includes(permission) && operations.includes(operation),
  );
}

/** The least that a portal session needs for the call; null where none may make it. */
export function portalNeeds(operation: OperationName): string | null {
  const found = Object.entries(portalOperations).find(([, operations]) => operations.includes(operation));
  return found?.[0] ?? null;
}

/** Whether a caller with these permissions may make the call, as `GetTerms` tells them: writing includes reading. */
export function mayCall(permissions: readonly string[], operation: OperationName): boolean {
  const isAdmin = permissions.includes(adminWrite) || permissions.includes(operationPermissions[operation]);
  return isAdmin || portalMayCall(permissions, operation);
}
