import type { Shown } from '../../../admin/keys/shown-keys.ts';
import type { Narrowed } from '../../../changes/registry.ts';
import type { Settlement } from '../../../store/store.ts';
import { keyMessage } from './key-message.ts';
import { timestampOf } from './time-message.ts';

/** From when on a change holds everywhere, to the millisecond, and who had not confirmed it; null for one that waits for nobody. */
export function settlementMessage(settlement: Settlement | null) {
  return {
    effective_at: settlement === null ? undefined : timestampOf(settlement.effectiveAt),
    unconfirmed_replicas: settlement === null ? [] : [...settlement.unconfirmedReplicas],
  };
}

/** A key that may do less than before, and from when on. */
export function narrowedMessage(narrowed: Shown<Narrowed>, now: number) {
  return { key: keyMessage(narrowed.key, now), ...settlementMessage(narrowed) };
}
