import { afterEach, describe, expect, it } from 'vitest';
import type { Decision } from '../../src/check/authorize.ts';
import { createAuthorize } from '../../src/check/authorize.ts';
import { createRules } from '../../src/check/rules.ts';
import type { CheckedKey } from '../../src/keys/key.ts';
import { createPlans } from '../../src/limits/plan.ts';
import { mintSecret, type Scheme } from '../../src/schemes/scheme.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { keyRecord } from '../records.ts';
import { accessRequest } from '../requests.ts';
import { createTestService, type TestService } from '../service.ts';

const services: TestService[] = [];
afterEach(async () => {
  for (const service of services.splice(0)) await service.store.close();
});

describe('authorize', () => {
  it('allows a key that was made, without a promise once memory knows it', async () => {
    const { service, ask, make } = await setUp();
    const { key, secret } = await make('postern');
    expect(await ask(`Bearer ${secret}`)).toMatchObject({ verdict: 'allow', key: { id: key.id } });
    const again = service.authorize(accessRequest({ headers: [['authorization', `Bearer ${secret}`]] }));
    expect(again).toMatchObject({ verdict: 'allow', key: { id: key.id } });
  });

  it('denies a well-formed key that nobody made, and asks the store for it once', async () => {
    const { service, ask } = await setUp();
    const secret = mintSecret(service.schemes[0], 'live')?.secret.reveal();
    expect(await ask(`Bearer ${secret}`)).toMatchObject({ verdict: 'deny', reason: 'unknown', key: null });
    const again = service.authorize(accessRequest({ headers: [['authorization', `Bearer ${secret}`]] }));
    expect(again).toMatchObject({ verdict: 'deny', reason: 'unknown' });
  });

  it('does no work in the store or in memory for a malformed key', () => {
    const { schemes, digester } = { schemes: [fakeScheme()] as const, digester: untouchable() };
    const authorize = createAuthorize({ ...judging(Date.now), keyring: untouchable(), digester, schemes });
    const decision = authorize(accessRequest({ headers: [['authorization', 'Bearer pst_live_short']] }));
    expect(decision).toMatchObject({ verdict: 'deny', reason: 'malformed' });
  });

  it('tells revoked, disabled and expired apart, at once when they come about', async () => {
    const { service, ask, make } = await setUp();
    const { admin, adminAuthorization, clock } = service;
    const caller = { authorization: [adminAuthorization], address: '127.0.0.1' };
    const [revoked, disabled, expiring] = [
      await make('postern'),
      await make('postern'),
      await make('postern', '1d'),
    ];
    for (const { secret } of [revoked, disabled, expiring])
      expect((await ask(`Bearer ${secret}`)).verdict).toBe('allow');
    await admin.revokeKey(caller, revoked.key.id);
    await admin.disableKey(caller, disabled.key.id);
    clock.now += 86_400_000;
    expect(await ask(`Bearer ${revoked.secret}`)).toMatchObject({
      reason: 'revoked',
      key: { id: revoked.key.id },
    });
    expect(await ask(`Bearer ${disabled.secret}`)).toMatchObject({ reason: 'disabled' });
    expect(await ask(`Bearer ${expiring.secret}`)).toMatchObject({ reason: 'expired' });
    await admin.enableKey(caller, disabled.key.id);
    expect((await ask(`Bearer ${disabled.secret}`)).verdict).toBe('allow');
  });

  it('serves test and live keys at once, each on its own routes', async () => {
    const { ask, make } = await setUp();
    const live = (await make('converra')).secret;
    const test = (await make('converra', undefined, 'test')).secret;
    const testRoute = { environment: 'test' };
    expect(await ask(`Bearer ${live}`)).toMatchObject({ verdict: 'allow' });
    expect(await ask(`Bearer ${test}`)).toMatchObject({ reason: 'wrong_environment' });
    expect(await ask(`Bearer ${live}`, testRoute)).toMatchObject({ reason: 'wrong_environment' });
    expect(await ask(`Bearer ${test}`, testRoute)).toMatchObject({ verdict: 'allow' });
  });

  it("lets in the keys of the route's schemes alone", async () => {
    const { ask, make } = await setUp();
    const { secret } = await make('converra');
    expect(await ask(`Bearer ${secret}`, { scheme: 'converra' })).toMatchObject({ verdict: 'allow' });
    expect(await ask(`Bearer ${secret}`, { scheme: 'mira, converra' })).toMatchObject({ verdict: 'allow' });
    expect(await ask(`Bearer ${secret}`, { scheme: 'mira' })).toMatchObject({
      reason: 'malformed',
      scheme: { name: 'mira' },
    });
  });

  it('looks at no key on a public route, and takes only "true" for public', async () => {
    const { ask } = await setUp();
    expect(await ask('Bearer rubbish', { public: 'true' })).toEqual({ verdict: 'public' });
    for (const value of ['', 'false', 'True', '1', 'yes']) {
      expect(await ask('Bearer rubbish', { public: value })).toMatchObject({ verdict: 'deny' });
    }
  });

  it('says unavailable when the store cannot be asked, and throws when something else breaks', async () => {
    const { service } = await setUp();
    const { schemes, digester } = service;
    const secret = mintSecret(schemes[0], 'live')?.secret.reveal();
    const request = accessRequest({ headers: [['authorization', `Bearer ${secret}`]] });
    const withLoad = (load: () => Promise<null>) =>
      createAuthorize({
        ...judging(Date.now),
        keyring: { ...noOwners, peek: () => undefined, load },
        digester,
        schemes,
      });
    const away = withLoad(() => Promise.reject(new StoreUnavailable('away')));
    expect(await away(request)).toMatchObject({ verdict: 'deny', reason: 'unavailable' });
    await expect(withLoad(() => Promise.reject(new TypeError('bug')))(request)).rejects.toThrow('bug');
  });

  it('judges by the clock after a read, not before it', async () => {
    const { service } = await setUp();
    const { schemes, digester } = service;
    const secret = mintSecret(schemes[0], 'live')?.secret.reveal();
    let now = 1_000;
    const load = async () => {
      now = 2_000;
      return keyRecord({ expiresAt: 1_500 });
    };
    const authorize = createAuthorize({
      ...judging(() => now),
      keyring: { ...noOwners, peek: () => undefined, load },
      digester,
      schemes,
    });
    const request = accessRequest({ headers: [['authorization', `Bearer ${secret}`]] });
    expect(await authorize(request)).toMatchObject({ reason: 'expired' });
  });

  it("is no other scheme's key though the record has another scheme", async () => {
    const { service } = await setUp();
    const { schemes, digester } = service;
    const secret = mintSecret(schemes[0], 'live')?.secret.reveal();
    const keyring = { ...untouchable(), ...noOwners, peek: () => keyRecord({ scheme: 'converra' }) };
    const authorize = createAuthorize({ ...judging(Date.now), keyring, digester, schemes });
    expect(authorize(accessRequest({ headers: [['authorization', `Bearer ${secret}`]] }))).toMatchObject({
      reason: 'unknown',
    });
  });
});

async function setUp() {
  const service = await createTestService();
  services.push(service);
  const caller = { authorization: [service.adminAuthorization], address: '127.0.0.1' };
  return {
    service,
    ask: async (authorization: string, context: Record<string, string> = {}): Promise<Decision> =>
      service.authorize(accessRequest({ headers: [['authorization', authorization]], context })),
    make: async (scheme: string, expiresIn?: string, environment?: string) => {
      const { key, secret } = await service.admin.createKey(caller, {
        name: 'A key',
        scheme,
        environment,
        expires_in: expiresIn,
      });
      return { key, secret: secret?.reveal() };
    },
  };
}

function fakeScheme(): Scheme {
  return {
    name: 'fake',
    places: [{ kind: 'header', name: 'authorization', word: 'Bearer' }],
    bodyLengthMin: 1,
    prefixes: [{ text: 'pst_live_', environment: 'live' }],
    form: { pattern: 'none' },
    accepts: () => false,
    mint: { alphabet: 'a', length: 10 },
    checksum: null,
    forwardCredential: false,
    plans: new Map(),
    defaultPlan: null,
    rateLimitHeaders: 'x',
    answers: {} as never,
    mode: null,
    cleartext: null,
  };
}

const noOwners = {
  peekOwner: () => null,
  loadOwner: async () => null,
  peekGrants: (key: CheckedKey) => key.permissions,
  loadGrants: async (key: CheckedKey) => key.permissions,
};

function judging(now: () => number) {
  const spend = (): never => {
    throw new Error('nothing is limited here');
  };
  return {
    environment: 'live',
    plans: createPlans(new Map()),
    findRule: createRules([]),
    spend,
    look: spend,
    now,
  };
}

/** A dependency of which any use fails the test. */
function untouchable() {
  const touched = (): never => {
    throw new Error('was used');
  };
  return {
    peek: touched,
    load: touched,
    peekOwner: touched,
    loadOwner: touched,
    peekGrants: touched,
    loadGrants: touched,
    sign: touched,
    candidates: touched,
    pepperIds: [],
  };
}
