import type { Shown } from '../../admin/keys/shown-keys.ts';
import type { Narrowed } from '../../changes/registry.ts';
import type {
  KeyAdminServer,
  RevokeKeyRequest,
  RotateKeyRequest,
  UpdateKeyRequest,
} from '../gen/postern/admin/v1/key_admin.ts';
import { keyMessage } from './messages/key-message.ts';
import { maskedInput, toldByPlace } from './messages/masked-update.ts';
import { rotateKeyInputOf } from './messages/rotation-message.ts';
import { settlementMessage } from './messages/settlement-message.ts';
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
  const narrowed = (result: Shown<Narrowed>) => ({
    key: keyMessage(result.key, now()),
    ...settlementMessage(result),
  });

  return {
    updateKey: unary(async (caller, request: UpdateKeyRequest) => {
      const update = keyUpdate(request);
      const updating = admin.updateKey(caller, request.key?.id ?? '', maskedInput(update));
      const { key, settlement } = await updating.catch(toldByPlace(update));
      return { key: keyMessage(key, now()), ...settlementMessage(settlement) };
    }),
    rotateKey: unary(async (caller, request: RotateKeyRequest) => {
      const rotated = await admin.rotateKey(caller, request.id, rotateKeyInputOf(request));
      const [at, { key, secret, rotatedKey }] = [now(), rotated];
      return {
        key: keyMessage(key, at),
        secret: secret?.reveal() ?? '',
        rotated_key: rotatedKey === null ? undefined : keyMessage(rotatedKey, at),
        ...settlementMessage(rotated),
      };
    }),
    revokeKey: unary(async (caller, { id }: RevokeKeyRequest) => narrowed(await admin.revokeKey(caller, id))),
    disableKey: unary(async (caller, { id }: RevokeKeyRequest) =>
      narrowed(await admin.disableKey(caller, id)),
    ),
    enableKey: unary(async (caller, { id }: RevokeKeyRequest) => ({
      key: keyMessage(await admin.enableKey(caller, id), now()),
    })),
  };
}
