import { type KeySet, keySet, revokedKeys } from '../common/keys.ts';
import type { SeedKeys } from '../common/seed.ts';
import { leavingOwner, leavingTogether } from './alongside.ts';
import type { Group, Member } from './scenario.ts';

/** Whose keys are in the service and may not pass, once it is suspended. */
export const lapsedOwner = 'lapsed';

const crowdAllowlist = ['100.0.0.0/8', '203.0.113.0/24'];
const leavingKeys = 10_000;

/** Plans that no load here exhausts, and one that is always exhausted by a request that costs more. */
const plans =
  'plans: { minute: { limit: 1000000000, window: 60s }, brief: { limit: 1000000000, window: 10s }, tight: { limit: 1, window: 1h } }\n';

/** A mongod that shares the client's core may take its time. */
const patience = 'check: { store_timeout: 5s }\n';

export function settingsOf({ seeding, store }: Pick<Group, 'seeding' | 'store'>): string {
  return (
    `${store === 'mongodb' ? patience : ''}${seeding === 'usual' || seeding === 'leaving' ? '' : plans}` ||
    '{}\n'
  );
}

/** What a Postern has in its store at the start. */
export function seedKeysOf({ keys, seeding }: Group, { hasPlan }: Member, seed: number): SeedKeys {
  const of = (set: KeySet, count = keys) => keySet(set, count, seed);
  const active = of('active');
  if (seeding === 'plans') {
    const plan = (name: string) => (hasPlan ? { plan: name } : {});
    return {
      active,
      record: plan('minute'),
      revoked: [],
      more: [{ keys: of('window'), record: plan('brief') }],
    };
  }
  if (seeding === 'storm') {
    const now = Date.now();
    return {
      ...{ active, revoked: of('revoked'), record: { ipAllowlist: crowdAllowlist } },
      more: [
        { keys: of('disabled'), record: { disabledAt: now } },
        { keys: of('expired'), record: { expiresAt: now } },
        { keys: of('owner'), record: { owner: lapsedOwner } },
        { keys: of('limit'), record: { plan: 'tight' } },
      ],
    };
  }
  const revoked = revokedKeys(keys, seed);
  if (seeding === 'usual') return { active, revoked };
  // Those that leave one by one do so while it is warmed up, too.
  const owners = [leavingOwner, leavingOwner, ...leavingTogether];
  const each = Math.min(keys, leavingKeys);
  const leaving = of('leaving', each * owners.length);
  return {
    ...{ active, revoked },
    more: owners.map((owner, at) => ({
      ...{ keys: leaving.slice(at * each, (at + 1) * each), record: { owner } },
    })),
  };
}
