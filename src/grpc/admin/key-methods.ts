import type {
  CreateKeyRequest,
  FindKeyRequest,
  GetKeyRequest,
  GetKeyUsageRequest,
  KeyAdminServer,
  ListKeysRequest,
  VerifyKeyRequest,
} from '../gen/postern/admin/v1/key_admin.ts';
import { createKeyInputOf, keyMessage, listKeysInputOf } from './messages/key-message.ts';
import { usageInputOf, usageMessage } from './messages/usage-message.ts';
import type { MethodDependencies } from './unary.ts';

/** Making keys and looking at them. */
export function createKeyMethods({
  admin,
  now,
  unary,
}: MethodDependencies): Pick<
  KeyAdminServer,
  'createKey' | 'findKey' | 'getKey' | 'getKeyUsage' | 'listKeys' | 'verifyKey'
> {
  return {
    createKey: unary(async (caller, request: CreateKeyRequest) => {
      const { key, secret } = await admin.createKey(caller, createKeyInputOf(request));
      return { key: keyMessage(key, now()), secret: secret?.reveal() ?? '' };
    }),
    getKey: unary(async (caller, request: GetKeyRequest) => ({
      key: keyMessage(await admin.getKey(caller, request.id), now()),
    })),
    findKey: unary(async (caller, { key }: FindKeyRequest) => ({
      key: keyMessage(await admin.findKey(caller, { key }), now()),
    })),
    getKeyUsage: unary(async (caller, request: GetKeyUsageRequest) =>
      usageMessage(await admin.getKeyUsage(caller, request.id, usageInputOf(request))),
    ),
    listKeys: unary(async (caller, request: ListKeysRequest) => {
      const page = await admin.listKeys(caller, listKeysInputOf(request));
      const at = now();
      return {
        keys: page.keys.map((key) => keyMessage(key, at)),
        next_page_token: page.nextPageToken ?? '',
        total_size: page.totalSize,
      };
    }),
    verifyKey: unary(async (caller, request: VerifyKeyRequest) => {
      const judged = await admin.verifyKey(caller, { ...request });
      const { allowed, reason, status, keyId, ...observed } = judged;
      return { allowed, reason: reason ?? '', status, key_id: keyId ?? '', observed: undefined, ...observed };
    }),
  };
}
