import type { CheckedKey, RateLimit } from '../keys/key.ts';
import type { OwnerRecord } from '../keys/owner.ts';
import type { Scheme } from '../schemes/scheme.ts';

/** What keys may spend, by plan. */
export interface Plans {
  /**
   * The limit that holds for a key: its own, else its plan's, else its owner's plan's, else that of its scheme's
   * default plan. A plan that nobody knows is as none, but where nothing else sets a limit, the tightest of all that
   * the scheme and the settings have holds: a typo lifts no limit. Null for none.
   */
  limitOf(key: CheckedKey, owner: OwnerRecord | null, scheme: Scheme): RateLimit | null;
  /** The plan that holds for a key; null for none. */
  planOf(key: CheckedKey, owner: OwnerRecord | null, scheme: Scheme): string | null;
  /** The plans that a key of this scheme may have; empty when any name will do. */
  known(scheme: Scheme): readonly string[];
}

/** Plans of the settings go before a scheme's of the same name. Names match in any case. */
export function createPlans(configured: ReadonlyMap<string, RateLimit | null>): Plans {
  const ownPlans = folded(configured);
  const bySchemes = new WeakMap<Scheme, ReadonlyMap<string, RateLimit | null>>();

  function plansOf(scheme: Scheme): ReadonlyMap<string, RateLimit | null> {
    const known = bySchemes.get(scheme);
    if (known !== undefined) return known;
    const plans = new Map([...folded(scheme.plans), ...ownPlans]);
    bySchemes.set(scheme, plans);
    return plans;
  }

  return {
    limitOf(key, owner, scheme) {
      if (key.rateLimit !== null) return key.rateLimit;
      const plans = plansOf(scheme);
      let isNamed = false;
      for (const plan of [key.plan, owner?.plan ?? null, scheme.defaultPlan]) {
        const limit = plan === null ? undefined : plans.get(plan.toLowerCase());
        if (limit !== undefined) return limit;
        isNamed ||= plan !== null;
      }
      return isNamed ? tightest(plans.values()) : null;
    },
    planOf,
    known: (scheme) => [...plansOf(scheme).keys()],
  };
}

function planOf(key: CheckedKey, owner: OwnerRecord | null, scheme: Scheme): string | null {
  return key.plan ?? owner?.plan ?? scheme.defaultPlan;
}

/** Null where no plan has a limit. */
function tightest(limits: Iterable<RateLimit | null>): RateLimit | null {
  let least: RateLimit | null = null;
  for (const limit of limits) {
    const isLess = limit !== null && (least === null || rateOf(limit) < rateOf(least));
    if (isLess) least = limit;
  }
  return least;
}

function rateOf({ limit, windowMs }: RateLimit): number {
  return limit / windowMs;
}

function folded(plans: ReadonlyMap<string, RateLimit | null>): Map<string, RateLimit | null> {
  return new Map([...plans].map(([name, limit]) => [name.toLowerCase(), limit]));
}
