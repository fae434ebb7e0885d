import type { Keyring } from '../../cache/keyring.ts';
import { Failure, type FieldViolation, invalidArgument } from '../../failure.ts';
import { type KeyRecord, keyState } from '../../keys/key.ts';
import {
  breachesOf,
  type KeyRule,
  lifetimeDefaultOf,
  type RuledField,
  type RuledKey,
  rulesTaking,
} from '../../keys/key-rules.ts';
import type { OwnerRecord } from '../../keys/owner.ts';
import type { OwnedKeys } from '../../store/records/key-filter.ts';
import type { Store } from '../../store/store.ts';

/** Holds keys that are made and changed to the rules of the settings, and owners to their number of keys. */
export interface RuleGuard {
  /** When a key ends for which nothing is asked; null for never. */
  defaultExpiry(key: RuledKey): number | null;
  /** Throws INVALID_ARGUMENT for what is wrong with a key itself. */
  requireTerms(key: TermsOf, fields?: readonly RuledField[]): void;
  /**
   * Makes keys of one owner one after another where their number is bounded, and all at once elsewhere.
   */
  inTurn<T>(key: RuledKey, make: (requireRoom: RequireRoom) => Promise<T>): Promise<T>;
  /** The same for a change of a key that is there. */
  requireChange(before: KeyRecord, after: KeyRecord, at: number): Promise<void>;
  /** Counts keys that are about to be made together. */
  tally(): KeyTally;
}

/**
 * Rejects with RESOURCE_EXHAUSTED where the owner has as many keys as there may be; resolves to the owner as it was when
 * the key's turn came, or as Checks know it where no number is bounded; null for none that anybody has put.
 */
export type RequireRoom = () => Promise<OwnerRecord | null>;

export type TermsOf = Parameters<typeof breachesOf>[1];

export interface KeyTally {
  /** Whether the number of keys of any of these owners is bounded. Asks for each owner once, for all together. */
  isBounded(keys: readonly RuledKey[]): Promise<boolean>;
  /** What is wrong with one more key beside those that were asked for before; it counts where nothing is. */
  add(key: RuledKey): Promise<FieldViolation | null>;
}

export interface RuleGuardDependencies {
  readonly store: Pick<Store, 'countOwned' | 'getOwner'>;
  readonly keyring: Pick<Keyring, 'peekOwner' | 'loadOwner'>;
  /** What holds now. */
  readonly policy: () => { readonly keyRules: readonly KeyRule[] };
  readonly now: () => number;
}

interface Bound {
  readonly asked: OwnedKeys;
  readonly max: number;
}

export function createRuleGuard({ store, keyring, policy, now }: RuleGuardDependencies): RuleGuard {
  const turns = new Map<string, Promise<unknown>>();

  return {
    defaultExpiry(key) {
      const lifetime = lifetimeDefaultOf(rulesTaking(policy().keyRules, key));
      return lifetime === null ? null : now() + lifetime;
    },
    requireTerms(key, fields) {
      const breaches = breachesOf(policy().keyRules, key, fields);
      if (breaches.length > 0) throw invalidArgument(breaches);
    },
    async inTurn(key, make) {
      const { owner } = key;
      const record = await rememberedOwner(key);
      if (owner === null || boundsBy(key, record).length === 0) return make(async () => record);
      const before = turns.get(owner) ?? Promise.resolve();
      const makeKey = () => make(() => requireRoom(key));
      const made = before.then(makeKey, makeKey);
      turns.set(owner, made);
      try {
        return await made;
      } finally {
        if (turns.get(owner) === made) turns.delete(owner);
      }
    },
    async requireChange(before, after, at) {
      const fields: RuledField[] = [
        ...(after.expiresAt === before.expiresAt ? [] : ['expires_at' as const]),
        ...(after.ipAllowlist === before.ipAllowlist ? [] : ['ip_allowlist' as const]),
      ];
      this.requireTerms(after, fields);
      if (!isCounted(before, at) && isCounted(after, at)) await requireRoom(after);
    },
    tally() {
      const counts = new Map<string, number>();
      const found = new Map<string, Promise<Bound[]>>();
      const boundsFor = (key: RuledKey): Promise<Bound[]> => {
        const name = JSON.stringify([key.owner, key.scheme, key.environment]);
        const bounds = found.get(name) ?? boundsOf(key);
        found.set(name, bounds);
        return bounds;
      };
      return {
        isBounded: async (keys) =>
          (await Promise.all(keys.map(boundsFor))).some((bounds) => bounds.length > 0),
        async add(key) {
          const named = (await boundsFor(key)).map((bound) => ({
            ...bound,
            name: JSON.stringify(bound.asked),
          }));
          for (const { asked, max, name } of named) {
            const count = counts.get(name) ?? (await store.countOwned({ ...asked, now: now() }, max));
            counts.set(name, count);
            if (count >= max) return tooMany(max);
          }
          for (const { name } of named) counts.set(name, (counts.get(name) ?? 0) + 1);
          return null;
        },
      };
    },
  };

  async function requireRoom(key: RuledKey): Promise<OwnerRecord | null> {
    const record = await ownerOf(key);
    for (const { asked, max } of boundsBy(key, record)) {
      if ((await store.countOwned({ ...asked, now: now() }, max)) < max) continue;
      const violation = tooMany(max);
      throw new Failure('RESOURCE_EXHAUSTED', 'TOO_MANY_KEYS', `owner: ${violation.description}`, [
        violation,
      ]);
    }
    return record;
  }

  /** As Checks judge by it, which costs the store nothing for an owner who is known. */
  async function rememberedOwner({ owner }: RuledKey): Promise<OwnerRecord | null> {
    if (owner === null) return null;
    const known = keyring.peekOwner(owner);
    return known === undefined ? keyring.loadOwner(owner) : known;
  }

  async function ownerOf({ owner }: RuledKey): Promise<OwnerRecord | null> {
    return owner === null ? null : store.getOwner(owner);
  }

  async function boundsOf(key: RuledKey): Promise<Bound[]> {
    return boundsBy(key, await ownerOf(key));
  }

  /** How many keys the owner may have, all in all and by each rule that takes the key. */
  function boundsBy(key: RuledKey, record: OwnerRecord | null): Bound[] {
    const { owner } = key;
    if (owner === null) return [];
    const taking = rulesTaking(policy().keyRules, key);
    const byRule = taking.flatMap(({ keysPerOwnerMax: max, match: { scheme, environment } }) => {
      const asked = {
        owner,
        ...(scheme !== undefined && { scheme }),
        ...(environment !== undefined && { environment }),
      };
      return max === null ? [] : [{ asked: { ...asked, now: 0 }, max }];
    });
    const max = record?.keysMax ?? null;
    return max === null ? byRule : [...byRule, { asked: { owner, now: 0 }, max }];
  }
}

/** Whether it is one of the keys that its owner has. */
function isCounted(key: KeyRecord, at: number): boolean {
  return key.rotatedTo === null && ['active', 'disabled'].includes(keyState(key, at)) && !hasEnded(key, at);
}

function hasEnded({ expiresAt }: KeyRecord, at: number): boolean {
  return expiresAt !== null && at >= expiresAt;
}

function tooMany(max: number): FieldViolation {
  return {
    field: 'owner',
    description: `has ${max} keys, which is as many as it may have; revoke one first`,
  };
}
