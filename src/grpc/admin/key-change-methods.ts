import type {
  KeyAdminServer,
  RevokeKeyRequest,
  RotateKeyRequest,
  UpdateKeyRequest,
} from '../gen/postern/admin/v1/key_admin.ts';
import { keyMessage } from './messages/key-message.ts';
import { maskedInput, toldByPlace } from './messages/masked-update.ts';
import { rotatedMessage, rotateKeyInputOf } from './messages/rotation-message.ts';
import { narrowedMessage, settlementMessage } from './messages/settlement-message.ts';
import { keyUpdate } from './messages/update-message.ts';
import type { MethodDependencies } from './unary.ts';

/** Changing keys that are there. */
export function createKeyChangeMethods({
  admin,
  now,
  unary,
}: MethodDependencies): Pick<
  KeyAdminServer,
  'updateKey' | 'rotateKey' | 'revokeKey' | 'disableKey' | 'enableKey'
> {
  return {
    updateKey: unary(async (caller, request: UpdateKeyRequest) => {
      const update = keyUpdate(request);
      const updating = admin.updateKey(caller, request.key?.id ?? '', maskedInput(update));
      const { key, settlement } = await updating.catch(toldByPlace(update));
      return { key: keyMessage(key, now()), ...settlementMessage(settlement) };
    }),
    rotateKey: unary(async (caller, request: RotateKeyRequest) => {
      const rotated = await admin.rotateKey(caller, request.id, rotateKeyInputOf(request));
      return rotatedMessage(rotated, now());
    }),
    revokeKey: unary(async (caller, { id }: RevokeKeyRequest) =>
      narrowedMessage(await admin.revokeKey(caller, id), now()),
    ),
    disableKey: unary(async (caller, { id }: RevokeKeyRequest) =>
      narrowedMessage(await admin.disableKey(caller, id), now()),
    ),
    enableKey: unary(async (caller, { id }: RevokeKeyRequest) => ({
      key: keyMessage(await admin.enableKey(caller, id), now()),
    })),
  };
}
