import type { RotateKeyRequest } from '../../gen/postern/admin/v1/key_admin.ts';
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
