import type { Settlement } from '../store/store.ts';
import { formatTimeMs } from '../time/time.ts';

/** From when on a change holds everywhere, to the millisecond, and who had not confirmed it. */
export function settlementJson({ effectiveAt, unconfirmedReplicas }: Settlement) {
  return { effective_at: formatTimeMs(effectiveAt), unconfirmed_replicas: unconfirmedReplicas };
}
