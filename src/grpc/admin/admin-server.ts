import type { Admin } from '../../admin/admin.ts';
import { KeyAdminService } from '../gen/postern/admin/v1/key_admin.ts';
import type { GrpcService } from '../server.ts';
import { createAuditMethods } from './audit-methods.ts';
import { createBulkMethods } from './bulk-methods.ts';
import { withClampedNumbers } from './clamped-numbers.ts';
import { createDiagnosticsMethods } from './diagnostics-methods.ts';
import { createImportMethods } from './import-methods.ts';
import { createKeyChangeMethods } from './key-change-methods.ts';
import { createKeyMethods } from './key-methods.ts';
import { createLeakMethods } from './leak-methods.ts';
import { createLimitMethods } from './limit-methods.ts';
import { createOwnerMethods } from './owner-methods.ts';
import { createPortalMethods } from './portal-methods.ts';
import { createRoleMethods } from './role-methods.ts';
import { createTermsMethods } from './terms-methods.ts';
import { createUnary, type MethodDependencies } from './unary.ts';
import { createUseMethods } from './use-methods.ts';
import { createWatchMethods } from './watch-methods.ts';

export interface AdminServiceDependencies {
  readonly admin: Admin;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Told of an error that the caller is not shown. */
  readonly onBroken: (error: unknown) => void;
  /** Aborts when the service stops, which ends imports after the message under way; default: it does not. */
  readonly stopping?: AbortSignal;
}

/** `postern.admin.v1.KeyAdmin` on grpc-js. */
export function createAdminService({
  admin,
  now,
  onBroken,
  stopping,
}: AdminServiceDependencies): GrpcService {
  const dependencies: MethodDependencies = { admin, now, unary: createUnary(onBroken) };
  return {
    name: 'postern.admin.v1.KeyAdmin',
    definition: withClampedNumbers(KeyAdminService),
    implementation: {
      ...createKeyMethods(dependencies),
      ...createKeyChangeMethods(dependencies),
      ...createBulkMethods(dependencies),
      ...createImportMethods({ admin, onBroken, stopping }),
      ...createOwnerMethods(dependencies),
      ...createRoleMethods(dependencies),
      ...createPortalMethods(dependencies),
      ...createAuditMethods(dependencies),
      ...createDiagnosticsMethods(dependencies),
      ...createLeakMethods(dependencies),
      ...createLimitMethods(dependencies),
      ...createTermsMethods(dependencies),
      ...createUseMethods(dependencies),
      ...createWatchMethods({ admin, onBroken }),
    },
  };
}
