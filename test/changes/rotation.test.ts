import { describe, expect, inject, it } from 'vitest';
import { keyJson } from '../../src/changes/key-json.ts';
import type { KeyRecord, ShownKey } from '../../src/keys/key.ts';
import { audit, callerWith, refusal, root, start, violations } from '../admin-calls.ts';
import { createSetting } from '../mongo/setting.ts';
import type { TestService } from '../service.ts';

const full = {
  name: 'A key',
  scheme: 'converra',
  environment: 'live',
  owner: 'acme',
  permissions: ['a:read', 'a:write'],
  ip_allowlist: ['10.0.0.0/8'],
  expires_in: '30d',
  plan: 'pro',
  rate_limit: { limit: 3, window: '60s' },
  labels: { team: 'grid' },
};

async function withKey(wanted: object = full) {
  const service = await start();
  const { key, secret } = await service.admin.createKey(root(service), wanted);
  const rotate = (input: unknown = {}, id: string = key.id) =>
    service.admin.rotateKey(root(service), id, input);
  const reasonFor = async (given: { reveal(): string } | null) =>
    (await service.admin.verifyKey(root(service), { key: given?.reveal(), address: '10.0.0.1' })).reason;
  return { service, key, secret, rotate, reasonFor };
}

describe('a rotated key', () => {
  it('has a successor with its grants, an id and a secret of its own', async () => {
    const { service, key, secret, rotate } = await withKey();
    service.clock.now += 5_000;
    const rotated = await rotate();
    const { id, digest, prefix, last4 } = rotated.key;
    expect(rotated.key).toEqual({
      ...key,
      ...{ id, digest, prefix, last4, createdAt: service.clock.now, updatedAt: service.clock.now },
      ...{ rotatedFrom: key.id, spender: key.id },
    });
    expect([id, digest, rotated.secret?.reveal()]).not.toContain(secret?.reveal());
    expect(id).not.toBe(key.id);
    expect(digest).not.toBe(key.digest);
    expect(await service.admin.getKey(root(service), id)).toEqual(rotated.key);
  });

  it('is allowed beside its successor for the grace period, and is expired after it', async () => {
    const { service, key, secret, rotate, reasonFor } = await withKey();
    const end = service.clock.now + 3_600_000;
    const rotated = await rotate({ grace_period: '1h' });
    expect(rotated.rotatedKey).toEqual({
      ...key,
      ...{ expiresAt: end, rotatedTo: rotated.key.id, updatedAt: service.clock.now, version: 2 },
    });
    expect(await service.admin.getKey(root(service), key.id)).toEqual(rotated.rotatedKey);
    service.clock.now = end - 1;
    expect([await reasonFor(secret), await reasonFor(rotated.secret)]).toEqual([null, null]);
    service.clock.now = end;
    expect([await reasonFor(secret), await reasonFor(rotated.secret)]).toEqual(['expired', null]);
  });

  it.each([{}, { grace_period: null }, { grace_period: '0s' }])(
    'is expired at once where it has no grace: %j',
    async (input) => {
      const { service, secret, rotate, reasonFor } = await withKey();
      const rotated = await rotate(input);
      expect(rotated).toMatchObject({ effectiveAt: service.clock.now, unconfirmedReplicas: [] });
      expect([await reasonFor(secret), await reasonFor(rotated.secret)]).toEqual(['expired', null]);
    },
  );

  it('keeps its own expiry where that comes before the end of the grace', async () => {
    const { key, rotate } = await withKey();
    expect((await rotate({ grace_period: '60d' })).rotatedKey?.expiresAt).toBe(key.expiresAt);
  });

  it.each([
    [{}, 30],
    [{ expires_at: null, expires_in: null }, 30],
    [{ expires_in: '7d' }, 7],
    [{ expires_in: '90d' }, 90],
    [{ expires_in: 'never' }, null],
  ])('passes its expiry on unless another is asked for: %j', async (input, days) => {
    const { service, rotate } = await withKey();
    const { key } = await rotate({ ...input, grace_period: '1d' });
    expect(key.expiresAt).toBe(days === null ? null : service.clock.now + days * 86_400_000);
  });

  it('shares one rate limit with its successor, and with the successor’s', async () => {
    const { service, secret, rotate } = await withKey();
    const second = await rotate({ grace_period: '1h' });
    const third = await rotate({ grace_period: '1h' }, second.key.id);
    expect(third.key).toMatchObject({ rotatedFrom: second.key.id, spender: second.key.spender });
    const reasons = [];
    for (const given of [secret, second.secret, third.secret, secret, second.secret, third.secret]) {
      reasons.push(await use(service, given?.reveal() ?? ''));
    }
    expect(reasons).toEqual(['allow', 'allow', 'allow', ...Array(3).fill('rate_limited')]);
    service.clock.now += 60_000;
    expect(await use(service, third.secret?.reveal() ?? '')).toBe('allow');
  });

  it('ends with its grace: its expiry can be brought forward and not put off', async () => {
    const { service, key, rotate } = await withKey();
    const rotated = await rotate({ grace_period: '1h' });
    const update = (expires_at: string | null) =>
      service.admin.updateKey(root(service), key.id, { expires_at });
    const at = (ms: number) => new Date(service.clock.now + ms).toISOString();
    for (const later of [at(3_600_001), at(86_400_000), null]) {
      expect(await refusal(update(later))).toBe('FAILED_PRECONDITION KEY_ROTATED');
    }
    const { key: sooner, settlement } = await update(at(60_000));
    expect(sooner.expiresAt).toBe(service.clock.now + 60_000);
    expect(settlement).not.toBe(null);
    expect(await refusal(update(at(60_001)))).toBe('FAILED_PRECONDITION KEY_ROTATED');
    expect((await service.admin.updateKey(root(service), key.id, { name: 'Old' })).key.name).toBe('Old');
    expect((await service.admin.getKey(root(service), rotated.key.id)).expiresAt).toBe(key.expiresAt);
  });

  it('leaves its successor be when it is revoked', async () => {
    const { service, key, secret, rotate, reasonFor } = await withKey();
    const rotated = await rotate({ grace_period: '1h' });
    await service.admin.revokeKey(root(service), key.id);
    expect([await reasonFor(secret), await reasonFor(rotated.secret)]).toEqual(['revoked', null]);
  });
});

describe('a rotation', () => {
  it.each<[string, string, (service: TestService, key: KeyRecord) => Promise<unknown>]>([
    ['was rotated', 'KEY_ROTATED', (s, { id }) => s.admin.rotateKey(root(s), id, { grace_period: '1h' })],
    ['was rotated, without a grace', 'KEY_ROTATED', (s, { id }) => s.admin.rotateKey(root(s), id, {})],
    ['is revoked', 'KEY_REVOKED', (s, { id }) => s.admin.revokeKey(root(s), id)],
    ['is disabled', 'KEY_DISABLED', (s, { id }) => s.admin.disableKey(root(s), id)],
    [
      'has expired',
      'KEY_EXPIRED',
      async ({ clock }) => {
        clock.now += 30 * 86_400_000;
      },
    ],
    [
      'was rotated and then revoked',
      'KEY_REVOKED',
      async (s, { id }) => {
        await s.admin.rotateKey(root(s), id, { grace_period: '1h' });
        await s.admin.revokeKey(root(s), id);
      },
    ],
  ])('of a key that %s is refused, and makes nothing', async (_, reason, become) => {
    const { service, key, rotate } = await withKey();
    await become(service, key);
    const keys = async () => (await service.admin.listKeys(root(service), {})).keys;
    const before = await keys();
    for (const input of [{}, { grace_period: '1h', request_id: 'r-1' }]) {
      expect(await refusal(rotate(input))).toBe(`FAILED_PRECONDITION ${reason}`);
    }
    expect(await keys()).toEqual(before);
  });

  it('of a key that is not there, or may not be seen, is NOT_FOUND', async () => {
    const { service, key } = await withKey();
    const bound = await callerWith(service, ['admin:write'], 'other');
    for (const id of [key.id, 'key_00000000000000000000000000', 'x', '']) {
      expect(await refusal(service.admin.rotateKey(bound, id, {}))).toBe('NOT_FOUND KEY_NOT_FOUND');
    }
    const own = await callerWith(service, ['admin:write'], 'acme');
    expect((await service.admin.rotateKey(own, key.id, {})).key.owner).toBe('acme');
  });

  it.each([
    ['grace_period', '-1s'],
    ['grace_period', '60'],
    ['grace_period', '37000d'],
    ['grace_period', 60],
    ['expires_at', '2001-01-01T00:00:00Z'],
    ['expires_in', '0s'],
    ['request_id', ''],
    ['request_id', 'a\nb'],
    ['name', 'Another'],
    ['etag', 'v1'],
  ])('with a bad %s (%j) names it, and rotates nothing', async (field, value) => {
    const { service, key, rotate } = await withKey();
    expect(await violations(rotate({ [field]: value }))).toMatchObject([{ field }]);
    expect(await service.admin.getKey(root(service), key.id)).toEqual(key);
  });

  it('with two expiries names one of them', async () => {
    const { rotate } = await withKey();
    const both = { expires_at: '2199-01-01T00:00:00Z', expires_in: '1d' };
    expect(await violations(rotate(both))).toMatchObject([{ field: 'expires_in' }]);
  });

  it('is one event, of the old key, with both keys in it', async () => {
    const { service, key, rotate } = await withKey();
    const { key: made, rotatedKey } = await rotate({ grace_period: '1h', request_id: 'r-1' });
    const at = service.clock.now;
    expect(await audit(service, { action: 'RotateKey' })).toMatchObject([
      {
        ...{ actor: 'POSTERN_ADMIN_KEY', target: key.id, owner: 'acme', outcome: 'ok', requestId: 'r-1' },
        before: keyJson(key, at),
        after: { rotated: keyJson(rotatedKey as ShownKey, at), made: keyJson(made, at) },
      },
    ]);
  });

  it('of an admin key leaves its holder an admin', async () => {
    const service = await start();
    const caller = await callerWith(service, ['admin:write'], 'acme');
    const { secret } = await service.admin.rotateKey(caller, caller.key.id, { grace_period: '1h' });
    const next = { authorization: [`Bearer ${secret?.reveal()}`], address: '' };
    for (const one of [caller, next]) {
      expect((await service.admin.createKey(one, { name: 'Mine' })).key.owner).toBe('acme');
    }
  });
});

describe('the request id of a rotation', () => {
  it('makes a retry safe: the key comes back, the secret does not', async () => {
    const { service, rotate } = await withKey();
    const wanted = { grace_period: '1h', request_id: 'r-1' };
    const first = await rotate(wanted);
    service.clock.now += 1_000;
    expect(await rotate(wanted)).toEqual({ ...first, secret: null, effectiveAt: service.clock.now });
    expect(await audit(service, { action: 'RotateKey' })).toHaveLength(1);
  });

  it('gives the keys as they are by now, whatever became of them and whatever the retry asks for', async () => {
    const { service, key, rotate } = await withKey();
    const { key: made } = await rotate({ grace_period: '1h', request_id: 'r-1' });
    await service.admin.revokeKey(root(service), key.id);
    await service.admin.disableKey(root(service), made.id);
    const again = await rotate({ request_id: 'r-1' });
    expect(again).toMatchObject({ secret: null, key: { id: made.id }, rotatedKey: { id: key.id } });
    expect([again.key.disabledAt, again.rotatedKey?.revokedAt]).not.toContain(null);
  });

  it('belongs to one key, and to one kind of call', async () => {
    const { service, key, rotate } = await withKey();
    const { key: created } = await service.admin.createKey(root(service), {
      ...{ name: 'Two', request_id: 'r-1' },
    });
    const one = await rotate({ request_id: 'r-1' });
    const other = await rotate({ request_id: 'r-1' }, created.id);
    const again = await rotate({ request_id: 'r-2' }, one.key.id);
    expect(new Set([key, created, one.key, other.key, again.key].map(({ id }) => id)).size).toBe(5);
    expect([one, other, again].map(({ secret }) => secret)).not.toContain(null);
  });

  it('of one that was refused may be used again', async () => {
    const { service, key, rotate } = await withKey();
    await service.admin.disableKey(root(service), key.id);
    expect(await refusal(rotate({ request_id: 'r-1' }))).toMatch(/KEY_DISABLED/);
    await service.admin.enableKey(root(service), key.id);
    expect((await rotate({ request_id: 'r-1' })).secret).not.toBe(null);
  });

  it('makes one key and shows one secret, however many ask at once', async () => {
    await expectOneRotation([await start()]);
  });

  it('makes one key and shows one secret, however many ask two replicas at once', async () => {
    const setting = await createSetting(inject('mongoUri'));
    await expectOneRotation([
      await start({ store: setting.store() }),
      await start({ store: setting.store() }),
    ]);
  });
});

it('of those who rotate one key at once without a request id one does, and the others are told so', async () => {
  const setting = await createSetting(inject('mongoUri'));
  const services = [await start({ store: setting.store() }), await start({ store: setting.store() })];
  const [first] = services as [TestService];
  const { key } = await first.admin.createKey(root(first), { name: 'one' });
  const outcomes = await Promise.all(
    services
      .flatMap((service) => [service, service, service])
      .map((service) => refusal(service.admin.rotateKey(root(service), key.id, { grace_period: '1h' }))),
  );
  expect(outcomes.toSorted()).toEqual([
    ...Array(5).fill('FAILED_PRECONDITION KEY_ROTATED'),
    'was not refused',
  ]);
  expect((await first.admin.listKeys(root(first), {})).keys).toHaveLength(2);
});

async function expectOneRotation(services: readonly TestService[]): Promise<void> {
  const [first] = services as [TestService];
  const { key } = await first.admin.createKey(root(first), { name: 'one' });
  const rotated = await Promise.all(
    Array.from({ length: 12 }, (_, at) => {
      const service = services[at % services.length] as TestService;
      const wanted = { grace_period: '1h', request_id: 'r-1' };
      return service.admin.rotateKey(root(service), key.id, wanted);
    }),
  );
  expect(new Set(rotated.map((one) => one.key.id)).size).toBe(1);
  expect(rotated.filter(({ secret }) => secret !== null)).toHaveLength(1);
  expect(new Set(rotated.map((one) => one.rotatedKey?.id))).toEqual(new Set([key.id]));
  expect((await first.admin.listKeys(root(first), {})).keys).toHaveLength(2);
  expect(await audit(first, { action: 'RotateKey' })).toHaveLength(1);
}

/** What a Check answers that counts. */
async function use({ authorize }: TestService, key: string): Promise<string> {
  const headers = new Map([['authorization', [`Bearer ${key}`]]]);
  const decision = await authorize({
    ...{ method: 'GET', host: 'api.example.com', path: '/', address: '10.0.0.1', context: new Map() },
    header: (name) => headers.get(name) ?? [],
    reservedHeaders: () => [],
  });
  return decision.verdict === 'deny' ? decision.reason : decision.verdict;
}
