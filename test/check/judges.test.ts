import { describe, expect, it } from 'vitest';
import { createJudges } from '../../src/check/judges.ts';
import type { PolicySettings } from '../../src/check/policy.ts';
import type { CheckedKey, KeyRecord } from '../../src/keys/key.ts';
import { limitsOfShort } from '../../src/keys/limit.ts';
import { createDigester } from '../../src/keys/secret.ts';
import type { Limiter } from '../../src/limits/limiter.ts';
import { readPresets } from '../../src/presets/read.ts';
import { mintSecret, type Scheme } from '../../src/schemes/scheme.ts';
import { keyRecord, rateVerdict } from '../records.ts';
import { accessRequest } from '../requests.ts';

const presets = readPresets();
const [own, mira] = [presets.get('postern'), presets.get('mira')] as [Scheme, Scheme];
const secret = mintSecret(own, 'live')?.secret.reveal() ?? '';
const request = accessRequest({ headers: [['authorization', `Bearer ${secret}`]] });

/** What one moment's settings say. */
function settings(given: Partial<PolicySettings> = {}): PolicySettings {
  return {
    ...{ schemes: [own], adminScheme: own, environment: 'live', plans: new Map(), rules: [] },
    ...{
      mode: 'enforce',
      cleartext: 'allow',
      upstreamHeaders: new Map(),
      identityHeaders: true,
      identityToken: null,
    },
    ...given,
  };
}

function asks(permission: string): PolicySettings {
  return settings({ rules: [{ match: {}, permissions: [permission], isPublic: false }] });
}

function setUp(first: PolicySettings) {
  const record = keyRecord({ scheme: 'postern', owner: null, permissions: ['old'] });
  const loads: ((key: KeyRecord | null) => void)[] = [];
  const spends: (() => void)[] = [];
  const rate = rateVerdict();
  const limiter: Pick<Limiter, 'spend' | 'look'> = {
    spend: () => new Promise((resolve) => spends.push(() => resolve(rate))),
    look: () => rate,
  };
  let known: KeyRecord | undefined;
  const keyring = {
    peek: () => known,
    load: () => new Promise<KeyRecord | null>((resolve) => loads.push(resolve)),
    peekOwner: () => null,
    loadOwner: async () => null,
    peekGrants: (key: CheckedKey) => key.permissions,
    loadGrants: async (key: CheckedKey) => key.permissions,
  };
  const judges = createJudges({ keyring, limiter, digester: createDigester([]), now: () => 1_000 }, first);
  return { judges, record, loads, spends, remember: (key: KeyRecord) => (known = key) };
}

describe('a policy that is replaced', () => {
  it('holds on for a Check that waits for the store, and not for the next', async () => {
    const { judges, record, loads } = setUp(asks('old'));
    const begun = judges.authorize(request);
    judges.replace(asks('new'));
    const next = judges.authorize(request);
    for (const resolve of loads) resolve(record);
    expect(await begun).toMatchObject({ verdict: 'allow' });
    expect(await next).toMatchObject({ verdict: 'deny', reason: 'permission_denied' });
  });

  it('holds on for a Check that waits for units of its limit, by the plan it began with', async () => {
    const { judges, record, spends, remember } = setUp(settings({ plans: new Map([['p', limitOf(5)]]) }));
    remember({ ...record, plan: 'p' });
    const begun = judges.authorize(request);
    judges.replace(asks('new'));
    for (const spend of spends) spend();
    expect(await begun).toMatchObject({ verdict: 'allow', plan: 'p', rate: { limit: 9 } });
    expect(judges.authorize(request)).toMatchObject({ reason: 'permission_denied' });
  });

  it('is of one piece: schemes, plans, rules and the environment change together', () => {
    const { judges } = setUp(settings());
    const before = judges.policy();
    const next = settings({ schemes: [mira], environment: 'test', plans: new Map([['gold', limitOf(5)]]) });
    judges.replace(next);
    const after = judges.policy();
    expect(after.schemes).toEqual([mira]);
    expect(after.keySchemes).toEqual([mira, own]);
    expect([after.environment, after.plans.known(mira)]).toEqual(['test', ['gold']]);
    expect([before.environment, before.schemes]).toEqual(['live', [own]]);
    expect(judges.authorize(request)).toMatchObject({ verdict: 'deny', reason: 'malformed' });
    expect(judges.dryRun(request)).toMatchObject({ verdict: 'deny', reason: 'malformed' });
  });

  it('stays where the next cannot be made', () => {
    const { judges } = setUp(settings());
    const before = judges.policy();
    const broken = settings({ rules: [null as never] });
    expect(() => judges.replace(broken)).toThrow();
    expect(judges.policy()).toBe(before);
  });
});

function limitOf(limit: number) {
  return limitsOfShort({ limit, windowMs: 60_000 });
}
