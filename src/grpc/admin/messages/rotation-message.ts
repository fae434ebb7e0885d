import type { ShownRotation } from '../../../admin/keys/key-change-operations.ts';
import type { RotateKeyRequest } from '../../gen/postern/admin/v1/key_admin.ts';
import { keyMessage } from './key-message.ts';
import { settlementMessage } from './settlement-message.ts';
import { durationText, timeText } from './time-message.ts';

/** The request in the contract's JSON shape, without the id; what a protobuf caller left unset is left out. */
export function rotateKeyInputOf(request: RotateKeyRequest): Record<string, unknown> {
  const { id: _, grace_period, expires_at, ...rest } = request;
  return {
    ...rest,
    ...(grace_period !== undefined && { grace_period: durationText(grace_period) }),
    ...(expires_at !== undefined && { expires_at: timeText(expires_at) }),
  };
}

/** What a rotation answers: the new key with its secret, and the old one as it is now. */
export function rotatedMessage(rotated: ShownRotation, now: number) {
  const { key, secret, rotatedKey } = rotated;
  return {
    key: keyMessage(key, now),
    secret: secret?.reveal() ?? '',
    rotated_key: rotatedKey === null ? undefined : keyMessage(rotatedKey, now),
    ...settlementMessage(rotated),
  };
}
