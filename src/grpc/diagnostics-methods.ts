import type { MethodDependencies } from './admin-server.ts';
import type { GetDiagnosticsRequest, KeyAdminServer } from './gen/postern/admin/v1/key_admin.ts';

/** How the service stands. */
export function createDiagnosticsMethods({
  admin,
  unary,
}: Pick<MethodDependencies, 'admin' | 'unary'>): Pick<KeyAdminServer, 'getDiagnostics'> {
  return {
    getDiagnostics: unary(async (caller, _: GetDiagnosticsRequest) => {
      const { version, store, peppers } = await admin.getDiagnostics(caller);
      return { version, store, peppers: peppers.map((pepper) => ({ ...pepper })) };
    }),
  };
}
