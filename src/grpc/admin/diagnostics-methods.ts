import type { GetDiagnosticsRequest, KeyAdminServer } from '../gen/postern/admin/v1/key_admin.ts';
import { durationOf, timestampOf } from './messages/time-message.ts';
import type { MethodDependencies } from './unary.ts';

/** How the service stands. */
export function createDiagnosticsMethods({
  admin,
  unary,
}: Pick<MethodDependencies, 'admin' | 'unary'>): Pick<KeyAdminServer, 'getDiagnostics'> {
  return {
    getDiagnostics: unary(async (caller, _: GetDiagnosticsRequest) => {
      const { version, store, now, peppers, findings, ...rest } = await admin.getDiagnostics(caller);
      return {
        ...{ version, store, now: timestampOf(now) },
        peppers: peppers.map((pepper) => ({ ...pepper })),
        findings: findings.map((finding) => ({ ...finding, where: finding.where ?? '' })),
        store_reachable: rest.storeReachable,
        keys: rest.keys ?? undefined,
        replicas: rest.replicas.map(({ id, lagMs }) => ({ id, lag: durationOf(Math.round(lagMs)) })),
        uptime: durationOf(Math.round(rest.uptimeMs)),
      };
    }),
  };
}
