import type { Policy } from '../../check/policy.ts';
import type { Store } from '../../store/store.ts';
import type { Logger } from '../../telemetry/log.ts';

export interface PolicyChangeDependencies {
  readonly store: Pick<Store, 'listKeys'>;
  readonly log: Pick<Logger, 'warn'>;
  readonly now: () => number;
}

/** Keys are counted up to here. */
const countMax = 100;

/** Says which keys are without their scheme, or their plan's limit, from now on. */
export async function warnAboutRemoved(
  dependencies: PolicyChangeDependencies,
  before: Policy,
  after: Policy,
): Promise<void> {
  const { log } = dependencies;
  const plans = after.keySchemes.flatMap((scheme) => {
    const known = after.plans.known(scheme);
    const was = before.keySchemes.find(({ name }) => name === scheme.name);
    return was === undefined ? [] : before.plans.known(was).filter((plan) => !known.includes(plan));
  });
  for (const plan of new Set(plans)) {
    const message =
      'a plan is gone: keys on it have the limit that holds without it, or else the tightest of those there are';
    log.warn({ plan }, message);
  }
  for (const { name } of before.schemes) {
    if (after.schemes.some((scheme) => scheme.name === name)) continue;
    const keys = await countKeys(dependencies, name);
    log.warn({ scheme: name, keys }, 'a scheme is gone: its keys are allowed no more');
  }
}

/** Active keys of a scheme as text, `unknown` while the store cannot be asked. */
async function countKeys({ store, now }: PolicyChangeDependencies, scheme: string): Promise<string> {
  try {
    const filter = { scheme, state: 'active', now: now() } as const;
    const found = await store.listKeys(filter, { before: null, size: countMax + 1 });
    return found.length > countMax ? `more than ${countMax}` : String(found.length);
  } catch {
    return 'unknown';
  }
}
