import type { KeyAdminServer, ReportLeakedKeysRequest } from '../gen/postern/admin/v1/key_admin.ts';
import { settlementMessage } from './messages/settlement-message.ts';
import type { MethodDependencies } from './unary.ts';

/** Revoking what was found where it should not be. */
export function createLeakMethods({
  admin,
  unary,
}: Pick<MethodDependencies, 'admin' | 'unary'>): Pick<KeyAdminServer, 'reportLeakedKeys'> {
  return {
    reportLeakedKeys: unary(async (caller, { keys }: ReportLeakedKeysRequest) => {
      const reported = keys.map(({ key, url, source }) => ({
        key,
        url: url || null,
        source: source || null,
      }));
      const answer = await admin.reportLeakedKeys(caller, { keys: reported });
      return { received: answer.received, ...settlementMessage(answer) };
    }),
  };
}
