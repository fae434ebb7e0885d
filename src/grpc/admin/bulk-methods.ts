import type { EndedKeys } from '../../admin/keys/bulk-operations.ts';
import type {
  DisableKeysRequest,
  KeyAdminServer,
  RevokeKeysRequest,
} from '../gen/postern/admin/v1/key_admin.ts';
import { keyFilterInputOf } from './messages/key-message.ts';
import { timestampOf } from './messages/time-message.ts';
import type { MethodDependencies } from './unary.ts';

/** Many keys at once. */
export function createBulkMethods({
  admin,
  unary,
}: MethodDependencies): Pick<KeyAdminServer, 'revokeKeys' | 'disableKeys'> {
  return {
    revokeKeys: unary(async (caller, request: RevokeKeysRequest) =>
      endedMessage(await admin.revokeKeys(caller, inputOf(request))),
    ),
    disableKeys: unary(async (caller, request: DisableKeysRequest) =>
      endedMessage(await admin.disableKeys(caller, inputOf(request))),
    ),
  };
}

function inputOf({ filter, ids, dry_run }: RevokeKeysRequest): Record<string, unknown> {
  return { ...(filter !== undefined && { filter: keyFilterInputOf(filter) }), ids, dry_run };
}

function endedMessage({ matched, changed, effectiveAt, unconfirmedReplicas }: EndedKeys) {
  return {
    ...{ matched, changed, unconfirmed_replicas: [...unconfirmedReplicas] },
    effective_at: effectiveAt === null ? undefined : timestampOf(effectiveAt),
  };
}
