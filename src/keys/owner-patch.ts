import { isDeepStrictEqual } from 'node:util';
import { isLater } from './key-patch.ts';
import type { OwnerRecord } from './owner.ts';

/** What of an owner may be changed; absent members stay as they are. */
export type OwnerPatch = Partial<
  Pick<
    OwnerRecord,
    'plan' | 'activeUntil' | 'suspended' | 'name' | 'contact' | 'labels' | 'billingAnchor' | 'keysMax'
  >
>;

/** The owner with the patch, null where nothing changes. */
export function patchedOwner(owner: OwnerRecord, patch: OwnerPatch): OwnerRecord | null {
  const after = { ...owner, ...patch };
  return isDeepStrictEqual(after, owner) ? null : after;
}

/**
 * Whether a patch may narrow what the owner's keys give, or how many there may be. Sure to say so when it does; it may also say so of a
 * plan that is merely another.
 */
export function narrowsOwner(before: OwnerRecord, after: OwnerRecord): boolean {
  return (
    (after.suspended && !before.suspended) ||
    isLater(before.activeUntil, after.activeUntil) ||
    before.plan !== after.plan ||
    before.billingAnchor !== after.billingAnchor ||
    (after.keysMax ?? Infinity) < (before.keysMax ?? Infinity)
  );
}

/** Whether a patch is of the kind that can narrow access: a resumption is not, nor what only describes the owner. */
export function mayNarrowOwner({ suspended, ...patch }: OwnerPatch): boolean {
  const { plan, activeUntil, billingAnchor, keysMax } = patch;
  return suspended === true || [plan, activeUntil, billingAnchor, keysMax].some((one) => one !== undefined);
}
