import type { CheckedKey } from '../keys/key.ts';
import { type Limit, leastLengthMs, noLimits, slowest } from '../keys/limit.ts';
import type { OwnerRecord } from '../keys/owner.ts';
import type { Scheme } from '../schemes/scheme.ts';

/** What keys may spend, by plan. */
export interface Plans {
  /**
   * The limits that hold for a key: its own, else its plan's, else its owner's plan's, else those of its scheme's
   * default plan. A plan that nobody knows is as none, but where nothing else sets a limit, the tightest of all that
   * the scheme and the settings have holds: a typo lifts no limit. Empty for none; the same list each time.
   */
  limitsOf(key: CheckedKey, owner: OwnerRecord | null, scheme: Scheme): readonly Limit[];
  /** The plan that holds for a key; null for none. */
  planOf(key: CheckedKey, owner: OwnerRecord | null, scheme: Scheme): string | null;
  /** The plans that a key of this scheme may have; empty when any name will do. */
  known(scheme: Scheme): readonly string[];
}

/** Plan → its limits, none for `unlimited`. */
export type PlanLimits = ReadonlyMap<string, readonly Limit[]>;

/** Plans of the settings go before a scheme's of the same name. Names match in any case. */
export function createPlans(configured: PlanLimits): Plans {
  const ownPlans = folded(configured);
  const bySchemes = new WeakMap<Scheme, PlanLimits>();

  function plansOf(scheme: Scheme): PlanLimits {
    const known = bySchemes.get(scheme);
    if (known !== undefined) return known;
    const plans = new Map([...folded(scheme.plans), ...ownPlans]);
    bySchemes.set(scheme, plans);
    return plans;
  }

  return {
    limitsOf(key, owner, scheme) {
      if (key.rateLimits.length > 0) return key.rateLimits;
      const plans = plansOf(scheme);
      // Nearly all keys have a plan of their own, by its name in lower case.
      const own = key.plan === null ? undefined : plans.get(key.plan);
      if (own !== undefined) return own;
      let isNamed = false;
      for (const plan of [key.plan, owner?.plan ?? null, scheme.defaultPlan]) {
        const limits = plan === null ? undefined : plans.get(plan.toLowerCase());
        if (limits !== undefined) return limits;
        isNamed ||= plan !== null;
      }
      return isNamed ? tightest(plans.values()) : noLimits;
    },
    planOf,
    known: (scheme) => [...plansOf(scheme).keys()],
  };
}

function planOf(key: CheckedKey, owner: OwnerRecord | null, scheme: Scheme): string | null {
  return key.plan ?? owner?.plan ?? scheme.defaultPlan;
}

/** Empty where no plan has a limit. */
function tightest(plans: Iterable<readonly Limit[]>): readonly Limit[] {
  let least = noLimits;
  for (const limits of plans) {
    const isLess = limits.length > 0 && (least.length === 0 || rateOf(limits) < rateOf(least));
    if (isLess) least = limits;
  }
  return least;
}

/** In the long run. */
function rateOf(limits: readonly Limit[]): number {
  const slow = slowest(limits);
  return slow === null ? Infinity : slow.limit / leastLengthMs(slow);
}

function folded(plans: PlanLimits): Map<string, readonly Limit[]> {
  return new Map([...plans].map(([name, limit]) => [name.toLowerCase(), limit]));
}
