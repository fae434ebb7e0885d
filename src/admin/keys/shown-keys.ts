import type { ChangedKey } from '../../changes/key-change.ts';
import { type KeyRecord, keyState, type ShownKey, shownKey } from '../../keys/key.ts';
import { isActive } from '../../keys/owner.ts';
import { type Store, StoreUnavailable } from '../../store/store.ts';

/** An answer about a key, which is shown with what stands in its way. */
export type Shown<Answer extends { readonly key: KeyRecord }> = Omit<Answer, 'key' | 'isOwnerActive'> & {
  readonly key: ShownKey;
};

/** Looks up what stands in the way of keys beside their own records: that their owner is not active. */
export interface ShowKeys {
  /** Rejects with `StoreUnavailable` where that cannot be told. At most a page of keys. */
  all(keys: readonly KeyRecord[]): Promise<ShownKey[]>;
  one(key: KeyRecord): Promise<ShownKey>;
  /**
   * For the answer to a change, which was made and has to be told: where it cannot be told, nothing is said to block. What the change
   * knows of the owner is not read again.
   */
  changed<Answer extends ChangedKey>(answer: Answer): Promise<Shown<Answer>>;
}

export interface ShowKeysDependencies {
  readonly store: Pick<Store, 'getOwners'>;
  /** Unix milliseconds. */
  readonly now: () => number;
}

export function createShowKeys({ store, now }: ShowKeysDependencies): ShowKeys {
  return {
    all,
    one,
    async changed({ key, isOwnerActive, ...answer }) {
      if (isOwnerActive !== undefined) return { ...answer, key: shownKey(key, isOwnerActive, now()) };
      return { ...answer, key: await one(key).catch(unblockedWhenAway(key)) };
    },
  };

  async function all(keys: readonly KeyRecord[]): Promise<ShownKey[]> {
    const at = now();
    const active = keys.filter((key) => keyState(key, at) === 'active');
    const ids = [...new Set(active.flatMap(({ owner }) => owner ?? []))];
    const owners = ids.length === 0 ? [] : await store.getOwners(ids);
    const inactive = new Set(owners.flatMap((owner) => (isActive(owner, at) ? [] : [owner.id])));
    return keys.map((key) => shownKey(key, key.owner === null || !inactive.has(key.owner), at));
  }

  async function one(key: KeyRecord): Promise<ShownKey> {
    const [shown] = await all([key]);
    return shown ?? shownKey(key, true, now());
  }
}

function unblockedWhenAway(key: KeyRecord): (error: unknown) => ShownKey {
  return (error) => {
    if (error instanceof StoreUnavailable) return { ...key, blocked: null };
    throw error;
  };
}
