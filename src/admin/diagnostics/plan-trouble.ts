import type { KeyPolicy } from '../../check/policy.ts';
import { type Finding, warning } from '../../store/diagnosis/finding.ts';
import type { Store } from '../../store/store.ts';

/** Keys, and owners, that are looked at. */
const recordsMax = 1_000;
const namedMax = 10;

/** Plans that keys and owners name and that nobody knows any more, as far as the newest keys and the first owners tell. */
export async function findPlanTrouble(
  store: Pick<Store, 'listKeys' | 'listOwners'>,
  { keySchemes, plans }: Pick<KeyPolicy, 'keySchemes' | 'plans'>,
  now: number,
): Promise<Finding[]> {
  const known = new Set(keySchemes.flatMap((scheme) => plans.known(scheme)));
  if (known.size === 0) return [];
  const keys = await store.listKeys({ state: 'active', now }, { before: null, size: recordsMax });
  const owners = await store.listOwners({ after: null, size: recordsMax });
  const counts = new Map<string, { keys: number; owners: number }>();
  const count = (plan: string | null, kind: 'keys' | 'owners') => {
    if (plan === null || known.has(plan.toLowerCase())) return;
    const counted = counts.get(plan) ?? { keys: 0, owners: 0 };
    counted[kind] += 1;
    counts.set(plan, counted);
  };
  for (const { plan } of keys) count(plan, 'keys');
  for (const { plan } of owners) count(plan, 'owners');
  return [...counts].slice(0, namedMax).map(([plan, counted]) => unknownPlan(plan, counted));
}

function unknownPlan(plan: string, { keys, owners }: { keys: number; owners: number }): Finding {
  return warning(
    'plans.unknown',
    `No scheme and no setting knows the plan ${plan}, which ${keys} keys and ${owners} owners name (of the newest 1000 keys, the first 1000 owners). They have the limit of the plan that would hold without it, or else the tightest that is configured.`,
    'Configure the plan, or give them another: postern keys update KEY_ID --plan PLAN, postern owners update OWNER --plan PLAN.',
  );
}
