import type { ModelKey } from './model.ts';

type Wanted = Partial<
  Pick<ModelKey, 'name' | 'permissions' | 'ipAllowlist' | 'expiresAt' | 'plan' | 'rateLimit' | 'labels'>
>;

/**
 * Whether an update narrows access, and so has to say from when on that holds: sure where it does, sure where
 * it does not, and open where it may.
 */
export function narrowing(before: ModelKey, wanted: Wanted, isChange: boolean): 'always' | 'never' | 'maybe' {
  const { name: _, labels: __, ...grants } = wanted;
  if (Object.keys(grants).length === 0) return 'never';
  // Nothing new may be the retry of what took something away.
  if (!isChange) return 'maybe';
  if (takesAway(before, grants)) return 'always';
  return mayTakeAway(before, grants) ? 'maybe' : 'never';
}

function takesAway(before: ModelKey, { permissions, ipAllowlist, expiresAt, rateLimit }: Wanted): boolean {
  const isFewer = permissions !== undefined && before.permissions.some((one) => !permissions.includes(one));
  const isSooner = expiresAt !== undefined && (expiresAt ?? Infinity) < (before.expiresAt ?? Infinity);
  // The networks of the steps have nothing in common.
  const isNarrower =
    ipAllowlist !== undefined &&
    ipAllowlist.length > 0 &&
    (before.ipAllowlist.length === 0 || before.ipAllowlist.some((one) => !ipAllowlist.includes(one)));
  const isLess =
    rateLimit != null &&
    before.rateLimit !== null &&
    before.rateLimit.windowMs === rateLimit.windowMs &&
    before.rateLimit.limit > rateLimit.limit;
  return isFewer || isSooner || isNarrower || isLess;
}

function mayTakeAway(before: ModelKey, { plan, rateLimit }: Wanted): boolean {
  const isOtherPlan = plan !== undefined && plan !== before.plan;
  if (rateLimit === undefined) return isOtherPlan;
  const [one, other] = [before.rateLimit, rateLimit];
  return isOtherPlan || one?.windowMs !== other?.windowMs;
}
