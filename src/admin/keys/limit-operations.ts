import type { KeyPolicy } from '../../check/policy.ts';
import { Failure, invalidArgument, notFound } from '../../failure.ts';
import { changeDraft } from '../../journal/journal.ts';
import type { KeyRecord } from '../../keys/key.ts';
import type { ChargeLimits } from '../../limits/charging.ts';
import type { Standings, UsedLimit } from '../../limits/standings.ts';
import type { Store } from '../../store/store.ts';
import { OtherCharge } from '../../store/units.ts';
import { chargeKeyInput, emptyInput } from '../admin-input.ts';
import { type Call, keyId, requireUnbound, visibleTo } from '../call.ts';
import { readInput } from '../read-input.ts';
import { createKeyLimits, limitNamed } from './key-limits.ts';

/** How keys stand with their limits, and what was spent of them after the fact. */
export interface LimitOperations {
  /** In the order in which they hold; the input is an empty object. */
  getKeyLimits(call: Call, id: string, input?: unknown): Promise<readonly UsedLimit[]>;
  /** Answers the limit as it is after the charge. Giving back is for unbound admin keys alone. */
  chargeKey(call: Call, id: string, input: unknown): Promise<UsedLimit>;
}

export interface LimitOperationsDependencies {
  readonly store: Pick<Store, 'getKey' | 'getOwner' | 'appendJournal'>;
  readonly standings: Pick<Standings, 'of'>;
  readonly charge: ChargeLimits;
  /** What holds now. */
  readonly policy: () => Pick<KeyPolicy, 'keySchemes' | 'plans'>;
  readonly now: () => number;
}

export function createLimitOperations(dependencies: LimitOperationsDependencies): LimitOperations {
  const { store, standings, charge, now } = dependencies;
  const limitsOf = createKeyLimits(dependencies);

  return {
    async getKeyLimits(call, id, input = {}) {
      readInput(emptyInput, input);
      const key = await keyOf(call, id);
      const { limits, owner } = await limitsOf(key);
      return standings.of(key, owner, limits, now());
    },
    async chargeKey(call, id, input) {
      const { limit: name, units, request_id } = readInput(chargeKeyInput, input);
      if (units < 0) requireUnbound(call);
      const key = await keyOf(call, id);
      const { limits, owner } = await limitsOf(key);
      const limit = limitNamed(limits, name);
      if (typeof limit === 'string') throw invalidArgument([{ field: 'limit', description: limit }]);
      const body = JSON.stringify([limit.name, units]);
      const once = request_id === null ? null : { id: `${key.id} ${request_id}`, body };
      const [charged] = await charge([{ key, owner, limit, units }], once).catch(otherCharge);
      if (charged === undefined) throw new Error('a charge has an answer');
      if (units < 0) await note(call, key, { limit: limit.name, units, used: charged.used, request_id });
      return charged;
    },
  };

  async function keyOf(call: Call, id: string): Promise<KeyRecord> {
    const key = await store.getKey(keyId(id));
    if (key === null || !visibleTo(call)(key)) throw notFound('key');
    return key;
  }

  /** What is given back lets a key do more, as a change of its limits does; what is spent is use. */
  async function note({ origin }: Call, { id, name, owner }: KeyRecord, after: object): Promise<void> {
    await store.appendJournal([
      changeDraft(origin, { target: id, targetName: name, owner, before: null, after }),
    ]);
  }
}

function otherCharge(error: unknown): never {
  if (!(error instanceof OtherCharge)) throw error;
  const description = 'was used for another charge of this key; nothing is counted';
  throw new Failure('ALREADY_EXISTS', 'REQUEST_ID_USED', `The field request_id ${description}.`, [
    { field: 'request_id', description },
  ]);
}
