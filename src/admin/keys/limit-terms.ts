import { isDeepStrictEqual } from 'node:util';
import { Failure, type FieldViolation, invalidArgument } from '../../failure.ts';
import type { KeyRecord } from '../../keys/key.ts';
import { type Limit, noLimits } from '../../keys/limit.ts';
import type { Call } from '../call.ts';

/** What says how much a key may spend. */
type Grants = Partial<Pick<KeyRecord, 'plan' | 'rateLimits'>>;

const none: Required<Grants> = { plan: null, rateLimits: noLimits };

/**
 * Throws PERMISSION_DENIED where an admin key that is bound to an owner gives a key another plan or other limits than
 * it has: who pays does not say how much it is.
 */
export function requireMayLimit(call: Call, wanted: Grants, has: Required<Grants> = none): void {
  const found = limitViolation(call, wanted, has);
  if (found === null) return;
  throw new Failure('PERMISSION_DENIED', 'OWNER_MISMATCH', `The field ${found.field} ${found.description}.`);
}

/** What {@link requireMayLimit} refuses; null for nothing. */
export function limitViolation({ identity }: Call, wanted: Grants, has = none): FieldViolation | null {
  const { plan = has.plan, rateLimits = has.rateLimits } = wanted;
  const isOther = !isDeepStrictEqual(rateLimits, has.rateLimits);
  if (identity.owner === null || (plan === has.plan && !isOther)) return null;
  return {
    field: isOther ? 'rate_limits' : 'plan',
    description: 'is for admin keys without an owner to say; this one is bound to an owner',
  };
}

/** Throws INVALID_ARGUMENT for a limit of the key itself that all keys of an owner share, where there is none. */
export function requireSharer(limits: readonly Limit[], owner: string | null): void {
  if (owner !== null) return;
  const violations = limits.flatMap(({ sharedBy }, place) =>
    sharedBy === 'owner'
      ? [
          {
            field: `rate_limits.${place}.shared_by`,
            description: 'the key has no owner whose keys could share it',
          },
        ]
      : [],
  );
  if (violations.length > 0) throw invalidArgument(violations);
}
