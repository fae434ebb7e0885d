import type { Settlement } from '../../../store/store.ts';
import { timestampOf } from './time-message.ts';

/** From when on a change holds everywhere, to the millisecond, and who had not confirmed it; null for one that waits for nobody. */
export function settlementMessage(settlement: Settlement | null) {
  return {
    effective_at: settlement === null ? undefined : timestampOf(settlement.effectiveAt),
    unconfirmed_replicas: settlement === null ? [] : [...settlement.unconfirmedReplicas],
  };
}
