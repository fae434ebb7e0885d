import type { KeyPolicy } from '../../check/policy.ts';
import type { KeyRecord } from '../../keys/key.ts';
import type { Limit } from '../../keys/limit.ts';
import type { OwnerRecord } from '../../keys/owner.ts';
import { BadRecord, type Store, StoreUnavailable } from '../../store/store.ts';

/** The limits that hold for a key, and its owner, from whom their periods run. */
export interface HeldLimits {
  readonly limits: readonly Limit[];
  readonly owner: OwnerRecord | null;
}

export interface KeyLimitsDependencies {
  readonly store: Pick<Store, 'getOwner'>;
  readonly policy: () => Pick<KeyPolicy, 'keySchemes' | 'plans'>;
}

/** Those by which a Check would judge the key now. Rejects with `StoreUnavailable` where that cannot be told. */
export function createKeyLimits({ store, policy }: KeyLimitsDependencies) {
  return async (key: KeyRecord): Promise<HeldLimits> => {
    const owner = key.owner === null ? null : await ownerOf(key.owner);
    const { keySchemes, plans } = policy();
    const scheme = keySchemes.find(({ name }) => name === key.scheme);
    // Of a scheme that is gone no Check allows a key; its own limits are still its own.
    return { limits: scheme === undefined ? key.rateLimits : plans.limitsOf(key, owner, scheme), owner };
  };

  async function ownerOf(id: string): Promise<OwnerRecord | null> {
    try {
      return await store.getOwner(id);
    } catch (error) {
      if (error instanceof BadRecord)
        throw new StoreUnavailable('the owner cannot be read', { cause: error });
      throw error;
    }
  }
}

/** The limit of that name, or the only one; else what is wrong with asking for it so. */
export function limitNamed(limits: readonly Limit[], name: string | null): Limit | string {
  const names = limits.map((limit) => limit.name).join(', ');
  const [only, ...others] = limits;
  if (only === undefined) return 'the key has no limit';
  if (name === null)
    return others.length === 0 ? only : `is required, since the key has more than one: ${names}`;
  return limits.find((limit) => limit.name === name) ?? `is not a limit of the key; there are: ${names}`;
}
