import { neverMs } from '../../limits/period.ts';
import type { UsedLimit } from '../../limits/standings.ts';
import type {
  ChargeKeyRequest,
  GetKeyLimitsRequest,
  KeyAdminServer,
  KeyLimit,
} from '../gen/postern/admin/v1/key_admin.ts';
import { seconds } from './messages/time-message.ts';
import type { MethodDependencies } from './unary.ts';

/** How keys stand with their limits, and what was spent of them after the fact. */
export function createLimitMethods({
  admin,
  unary,
}: Pick<MethodDependencies, 'admin' | 'unary'>): Pick<KeyAdminServer, 'getKeyLimits' | 'chargeKey'> {
  return {
    getKeyLimits: unary(async (caller, { id }: GetKeyLimitsRequest) => ({
      limits: (await admin.getKeyLimits(caller, id)).map(limitMessage),
    })),
    chargeKey: unary(async (caller, { id, limit, units, request_id }: ChargeKeyRequest) => {
      const input = {
        ...(limit !== undefined && { limit }),
        units,
        ...(request_id !== undefined && { request_id }),
      };
      return { limit: limitMessage(await admin.chargeKey(caller, id, input)) };
    }),
  };
}

function limitMessage({ limit, used, remaining, end }: UsedLimit): KeyLimit {
  return {
    ...{ name: limit.name, limit: limit.limit, used, remaining },
    resets_at: end === neverMs ? undefined : seconds(Math.ceil(end / 1_000) * 1_000),
    shared_by: limit.sharedBy,
  };
}
