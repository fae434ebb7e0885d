import type { WaysIn } from '../../admin/diagnostics/admin-access.ts';
import { type AdminClient, adminWrite } from '../../keys/admin-permissions.ts';
import type { Config } from '../../settings/config.ts';
import { isWayIn } from './oidc-sign-in.ts';

/** Who may change everything, besides admin keys. */
export function waysInBy({ adminScheme, adminKey, admin, http, console }: Config): WaysIn {
  const asksForCertificates = [admin.tls, http.tls].some((tls) => tls !== null && tls.clientCa !== null);
  return {
    ...{ adminScheme: adminScheme.name, fixedKey: adminKey !== null, asksForCertificates },
    client: asksForCertificates && admin.clients.some(mayWriteAll),
    oidc: isWayIn(console),
  };
}

function mayWriteAll({ permissions, owner }: AdminClient): boolean {
  return owner === null && permissions.includes(adminWrite);
}
