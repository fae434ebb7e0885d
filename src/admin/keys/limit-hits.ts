import { limitUnit } from '../../check/rate-headers.ts';
import { isKeyId } from '../../keys/key.ts';
import type { Charge, ChargedLimit, ChargeLimits } from '../../limits/charging.ts';
import type { ChargeHits, LimitHit, LimitStatus } from '../../limits/hits.ts';
import { neverMs } from '../../limits/period.ts';
import { nullIfBad, type Store } from '../../store/store.ts';
import { createKeyLimits, type KeyLimitsDependencies, limitNamed } from './key-limits.ts';

export interface LimitHitsDependencies extends KeyLimitsDependencies {
  readonly store: Pick<Store, 'getOwner' | 'getKey'>;
  readonly charge: ChargeLimits;
  readonly now: () => number;
}

/** Charges all hits or none; a text says what is wrong with them. A revoked key is charged: its request ran before. */
export function createLimitHits(dependencies: LimitHitsDependencies): ChargeHits {
  const { store, charge, now } = dependencies;
  const limitsOf = createKeyLimits(dependencies);

  return async (hits) => {
    const charges: Charge[] = [];
    for (const hit of hits) {
      const found = await chargeOf(hit);
      if (typeof found === 'string') return found;
      charges.push(found);
    }
    return (await charge(charges, null)).map((charged) => statusOf(charged, now()));
  };

  async function chargeOf({ keyId, limit: name, units }: LimitHit): Promise<Charge | string> {
    const key = isKeyId(keyId) ? await store.getKey(keyId).catch(nullIfBad) : null;
    if (key === null) return 'no key has this key_id';
    const { limits, owner } = await limitsOf(key);
    const limit = limitNamed(limits, name);
    return typeof limit === 'string' ? `the entry limit ${limit}` : { key, owner, limit, units };
  }
}

function statusOf({ limit, remaining, leftBefore, end }: ChargedLimit, now: number): LimitStatus {
  return {
    ...{ name: limit.name, limit: limit.limit, unit: limitUnit(limit) },
    ...{ remaining, wasSpent: leftBefore === 0 },
    resetsInSeconds: end === neverMs ? null : Math.max(1, Math.ceil((end - now) / 1_000)),
  };
}
