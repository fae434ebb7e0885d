import { etagOf } from '../../../keys/key.ts';
import { isActive, type OwnerRecord } from '../../../keys/owner.ts';
import type { ListOwnersRequest, Owner, PutOwnerRequest } from '../../gen/postern/admin/v1/key_admin.ts';
import { seconds, timeText } from './time-message.ts';

/** An owner as KeyAdmin shows it; times are whole seconds. */
export function ownerMessage(owner: OwnerRecord, now: number): Owner {
  return {
    id: owner.id,
    plan: owner.plan ?? undefined,
    active_until: seconds(owner.activeUntil),
    suspended: owner.suspended,
    active: isActive(owner, now),
    created_at: seconds(owner.createdAt),
    updated_at: seconds(owner.updatedAt),
    etag: etagOf(owner),
    name: owner.name ?? undefined,
    contact: owner.contact ?? undefined,
    labels: { ...owner.labels },
    billing_anchor: seconds(owner.billingAnchor),
    keys_max: owner.keysMax ?? undefined,
  };
}

/** The request in the contract's JSON shape; what a protobuf caller left unset is left out. */
export function putOwnerInputOf(request: PutOwnerRequest): Record<string, unknown> {
  const { active_until, billing_anchor, ...rest } = request;
  return {
    ...rest,
    ...(active_until !== undefined && { active_until: timeText(active_until) }),
    ...(billing_anchor !== undefined && { billing_anchor: timeText(billing_anchor) }),
  };
}

/** The request in the contract's JSON shape. */
export function listOwnersInputOf({ page_size, page_token }: ListOwnersRequest): Record<string, unknown> {
  return { page_size, ...(page_token !== '' && { page_token }) };
}
