import { etagOf } from '../keys/key.ts';
import { isActive, type OwnerRecord } from '../keys/owner.ts';
import { formatTime } from '../time/time.ts';

/**
 * An owner as the contract shows it, its members in the contract's order. Times are RFC 3339 to the second,
 * what is absent is null, `active` is judged at `now` (Unix milliseconds).
 */
export function ownerJson(owner: OwnerRecord, now: number) {
  return {
    id: owner.id,
    plan: owner.plan,
    active_until: owner.activeUntil === null ? null : formatTime(owner.activeUntil),
    suspended: owner.suspended,
    active: isActive(owner, now),
    created_at: formatTime(owner.createdAt),
    updated_at: formatTime(owner.updatedAt),
    etag: etagOf(owner),
    name: owner.name,
    contact: owner.contact,
    labels: owner.labels,
    billing_anchor: owner.billingAnchor === null ? null : formatTime(owner.billingAnchor),
    keys_max: owner.keysMax,
  };
}
