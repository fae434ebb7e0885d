import type {
  ChargeKeyRequest,
  GetKeyLimitsRequest,
  KeyAdminServer,
} from '../gen/postern/admin/v1/key_admin.ts';
import { usedLimitMessage } from './messages/used-limit-message.ts';
import type { MethodDependencies } from './unary.ts';

/** How keys stand with their limits, and what was spent of them after the fact. */
export function createLimitMethods({
  admin,
  unary,
}: Pick<MethodDependencies, 'admin' | 'unary'>): Pick<KeyAdminServer, 'getKeyLimits' | 'chargeKey'> {
  return {
    getKeyLimits: unary(async (caller, { id }: GetKeyLimitsRequest) => ({
      limits: (await admin.getKeyLimits(caller, id)).map(usedLimitMessage),
    })),
    chargeKey: unary(async (caller, { id, limit, units, request_id }: ChargeKeyRequest) => {
      const input = {
        ...(limit !== undefined && { limit }),
        units,
        ...(request_id !== undefined && { request_id }),
      };
      return { limit: usedLimitMessage(await admin.chargeKey(caller, id, input)) };
    }),
  };
}
