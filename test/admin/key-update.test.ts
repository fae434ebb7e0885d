import { describe, expect, inject, it } from 'vitest';
import type { Admin } from '../../src/admin/admin.ts';
import { etagOf, type KeyRecord } from '../../src/keys/key.ts';
import { audit, callerWith, refusal, root, start, violations } from '../admin-calls.ts';
import { createSetting } from '../mongo/setting.ts';
import type { TestService } from '../service.ts';

const full = {
  name: 'A key',
  scheme: 'converra',
  owner: 'acme',
  permissions: ['a:read', 'a:write'],
  ip_allowlist: ['10.0.0.0/8', '192.0.2.1'],
  expires_in: '30d',
  plan: 'pro',
  rate_limit: { limit: 100, window: '60s' },
  labels: { team: 'grid' },
};

async function withKey(wanted: object = full) {
  const service = await start();
  const { key } = await service.admin.createKey(root(service), wanted);
  const update = (input: unknown, id: string = key.id) => service.admin.updateKey(root(service), id, input);
  return { service, key, update };
}

function days(count: number, { clock }: TestService): string {
  return new Date(clock.now + count * 86_400_000).toISOString();
}

describe('an update of a key', () => {
  it('changes what it names and leaves all else, with a new version and time', async () => {
    const { service, key, update } = await withKey();
    service.clock.now += 5_000;
    const updated = await update({ name: 'Another', labels: { team: 'wind', tier: '1' } });
    expect(updated.key).toEqual({
      ...key,
      ...{ name: 'Another', labels: { team: 'wind', tier: '1' } },
      ...{ updatedAt: service.clock.now, version: 2 },
    });
    expect(await service.admin.getKey(root(service), key.id)).toEqual(updated.key);
  });

  it('empties what it names with null, but a name', async () => {
    const { key, update } = await withKey();
    const nothing = { permissions: null, ip_allowlist: null, expires_at: null, plan: null };
    const { key: emptied } = await update({ ...nothing, rate_limit: null, labels: null });
    expect(emptied).toEqual({
      ...key,
      ...{ permissions: [], ipAllowlist: [], expiresAt: null, plan: null, rateLimits: [], labels: {} },
      ...{ updatedAt: emptied.updatedAt, version: 2 },
    });
    expect(await violations(update({ name: null }))).toMatchObject([{ field: 'name' }]);
  });

  it('that names nothing, or what is so already, writes and journals nothing', async () => {
    const { service, key, update } = await withKey();
    const { permissions, ip_allowlist, plan, rate_limit, labels, name } = full;
    for (const same of [{}, { permissions, ip_allowlist, plan, rate_limit, labels, name }]) {
      expect((await update(same)).key).toEqual(key);
    }
    expect(await audit(service, { action: 'UpdateKey' })).toEqual([]);
  });

  it('keeps of what a list repeats one', async () => {
    const { update } = await withKey();
    const { key } = await update({ permissions: ['b', 'a', 'b'], ip_allowlist: ['10.0.0.1', '10.0.0.1'] });
    expect(key).toMatchObject({ permissions: ['b', 'a'], ipAllowlist: ['10.0.0.1'] });
  });

  it('holds for Checks at once', async () => {
    const { service, update } = await withKey({ name: 'One', permissions: ['a'] });
    const { key, secret } = await service.admin.createKey(root(service), { name: 'Two', permissions: ['a'] });
    const judge = async () => {
      const asked = { key: secret?.reveal(), permissions: ['a'] };
      return (await service.admin.verifyKey(root(service), asked)).reason;
    };
    expect(await judge()).toBe(null);
    await update({ permissions: ['b'] }, key.id);
    expect(await judge()).toBe('permission_denied');
    await update({ permissions: ['a'], expires_at: days(1, service) }, key.id);
    expect(await judge()).toBe(null);
    service.clock.now += 86_400_000;
    expect(await judge()).toBe('expired');
    await update({ expires_at: null }, key.id);
    expect(await judge()).toBe(null);
  });

  it.each(
    'id prefix created_at last_used_at scheme environment owner last4 state updated_at revoked_at rotated_from'.split(
      ' ',
    ),
  )('says of %s that it cannot be changed', async (field) => {
    const { key, update } = await withKey();
    for (const value of ['x', null, 7, {}]) {
      expect(await violations(update({ name: 'Another', [field]: value }))).toEqual([
        { field, description: 'cannot be changed' },
      ]);
    }
    expect((await update({})).key).toEqual(key);
  });

  it.each([
    ['unknown', {}, 'unknown field'],
    ['key', 'x', 'unknown field'],
    ['expires_in', '1d', 'unknown field'],
    ['__proto__', {}, 'unknown field'],
    ['name', '', 'is required'],
    ['name', 'x'.repeat(201), 'may have at most 200 characters'],
    ['name', 'a\u202eb', 'holds control characters'],
    ['name', { $ne: null }, expect.any(String)],
    ['permissions', 'a:read', expect.any(String)],
    ['permissions', Array(101).fill('a'), expect.any(String)],
    ['expires_at', 'tomorrow', expect.any(String)],
    ['expires_at', '2001-01-01T00:00:00Z', 'is in the past'],
    ['plan', '', 'is required'],
    ['plan', 'nonesuch', expect.stringContaining('is not a plan of this scheme')],
    ['rate_limit', 7, expect.any(String)],
    ['etag', 7, expect.any(String)],
  ])('with a bad %s (%j) names it, and changes nothing', async (field, value, description) => {
    const { key, update } = await withKey();
    const input = Object.fromEntries([
      ['labels', {}],
      [field, value],
    ]);
    expect(await violations(update(input))).toEqual([{ field, description }]);
    expect((await update({})).key).toEqual(key);
  });

  it.each([
    ['permissions.1', { permissions: ['a', 'a b'] }],
    ['ip_allowlist.0', { ip_allowlist: ['10.0.0.1/8'] }],
    ['rate_limit.limit', { rate_limit: { limit: 0, window: '60s' } }],
    ['rate_limit.window', { rate_limit: { limit: 1, window: '0s' } }],
    ['rate_limit.burst', { rate_limit: { limit: 1, window: '1s', burst: 1 } }],
    ['labels.a b', { labels: { 'a b': 'c' } }],
    ['labels.a', { labels: { a: 'b\nc' } }],
  ])('names %s where that is at fault', async (field, input) => {
    const { update } = await withKey();
    expect(await violations(update(input))).toMatchObject([{ field }]);
  });

  it('names every field at fault, and what is wrong with the call before whether the key is there', async () => {
    const { update } = await withKey();
    const bad = { name: '', owner: 'other', expires_at: '2001-01-01T00:00:00Z' };
    expect(await violations(update(bad, 'key_00000000000000000000000000'))).toMatchObject([
      { field: 'name' },
      { field: 'owner' },
    ]);
    const past = { expires_at: '2001-01-01T00:00:00Z' };
    expect(await violations(update(past, 'key_00000000000000000000000000'))).toMatchObject([
      { field: 'expires_at' },
    ]);
  });

  it('of a revoked key is refused, of a disabled or an expired one it is not', async () => {
    const { service, key, update } = await withKey();
    await service.admin.disableKey(root(service), key.id);
    expect((await update({ name: 'Disabled' })).key.name).toBe('Disabled');
    service.clock.now += 31 * 86_400_000;
    expect((await update({ name: 'Expired' })).key.name).toBe('Expired');
    await service.admin.revokeKey(root(service), key.id);
    expect(await refusal(update({ name: 'Revoked' }))).toBe('FAILED_PRECONDITION KEY_REVOKED');
    expect(await refusal(update({ expires_at: null }))).toBe('FAILED_PRECONDITION KEY_REVOKED');
  });

  it('of a key that is not there, or may not be seen, is NOT_FOUND', async () => {
    const { service, key } = await withKey();
    const bound = await callerWith(service, ['admin:write'], 'other');
    for (const id of [key.id, 'key_00000000000000000000000000', 'x', '']) {
      expect(await refusal(service.admin.updateKey(bound, id, { name: 'Mine' }))).toBe(
        'NOT_FOUND KEY_NOT_FOUND',
      );
    }
  });
});

describe('an etag', () => {
  it('that is the key’s lets the change through, another refuses it', async () => {
    const { key, update } = await withKey();
    const { key: changed } = await update({ name: 'First', etag: etagOf(key) });
    expect(etagOf(changed)).not.toBe(etagOf(key));
    for (const etag of [etagOf(key), 'v', '*', 'v2 ']) {
      expect(await refusal(update({ name: 'Second', etag }))).toBe('ABORTED ETAG_MISMATCH');
    }
    expect((await update({ name: 'Second', etag: etagOf(changed) })).key.name).toBe('Second');
  });

  it.each(['disableKey', 'enableKey', 'revokeKey', 'rotateKey'] as const)('changes with %s', async (call) => {
    const { service, key, update } = await withKey();
    if (call === 'enableKey') await service.admin.disableKey(root(service), key.id);
    const before = await service.admin.getKey(root(service), key.id);
    await (service.admin[call] as Admin['rotateKey'])(root(service), key.id, {});
    expect(await refusal(update({ name: 'Late', etag: etagOf(before) }))).toBe('ABORTED ETAG_MISMATCH');
  });

  it('lets one of those through who change the key at once, and without it all', async () => {
    await expectOneWinner([await start()]);
  });

  it('lets one through also where they change it by two replicas', async () => {
    const setting = await createSetting(inject('mongoUri'));
    await expectOneWinner([await start({ store: setting.store() }), await start({ store: setting.store() })]);
  });
});

async function expectOneWinner(services: readonly TestService[]): Promise<void> {
  const [first] = services as [TestService];
  const { key } = await first.admin.createKey(root(first), { name: 'Contended' });
  const updateAll = (etag: string | null) =>
    Promise.all(
      Array.from({ length: 6 }, (_, at) => {
        const service = services[at % services.length] as TestService;
        return refusal(
          service.admin.updateKey(root(service), key.id, { labels: { at: `${etag}-${at}` }, etag }),
        );
      }),
    );
  const guarded = await updateAll(etagOf(key));
  expect(guarded.toSorted()).toEqual([...Array(5).fill('ABORTED ETAG_MISMATCH'), 'was not refused']);
  expect(await updateAll(null)).toEqual(Array(6).fill('was not refused'));
  expect((await first.admin.getKey(root(first), key.id)).version).toBe(8);
  expect(await audit(first, { action: 'UpdateKey', outcome: 'ok' })).toHaveLength(7);
}

describe('an update that narrows access', () => {
  const narrowing: [string, object][] = [
    ['a permission', { permissions: ['a:read'] }],
    ['every permission', { permissions: null }],
    ['an address', { ip_allowlist: ['192.0.2.1'] }],
    ['time', { expires_at: '2099-01-01T00:00:00Z' }],
    ['units of its limit', { rate_limit: { limit: 99, window: '60s' } }],
    ['the limit of its own, for that of its plan', { rate_limit: null }],
    ['the plan, for another', { plan: 'free' }],
  ];
  it.each(narrowing)('(%s) says from when on that holds', async (_, input) => {
    const { service, update } = await withKey({ ...full, expires_in: 'never' });
    service.clock.now += 1_000;
    const { settlement } = await update(input);
    expect(settlement).toEqual({ effectiveAt: service.clock.now, unconfirmedReplicas: [] });
    // The answer to a retry of what has been done is as good.
    expect((await update(input)).settlement).not.toBe(null);
  });

  it('narrows an allowlist also where every address was allowed, and principals where anybody was', async () => {
    const { update } = await withKey({ name: 'One' });
    expect((await update({ ip_allowlist: ['10.0.0.0/8'] })).settlement).not.toBe(null);
    expect((await update({ principals: ['a.example', '*.b'] })).settlement).not.toBe(null);
    expect((await update({ principals: ['a.example', '*.b', 'c'] })).settlement).toBe(null);
    expect((await update({ principals: ['a.example'] })).settlement).not.toBe(null);
    expect((await update({ principals: [] })).settlement).toBe(null);
  });

  it.each<[string, (key: KeyRecord) => object]>([
    ['a name', () => ({ name: 'Another' })],
    ['labels', () => ({ labels: null })],
    ['a permission more', ({ permissions }) => ({ permissions: [...permissions, 'more'] })],
    ['an address more', ({ ipAllowlist }) => ({ ip_allowlist: [...ipAllowlist, '192.0.2.2'] })],
    ['any address', () => ({ ip_allowlist: [] })],
    ['more time', () => ({ expires_at: '2199-01-01T00:00:00Z' })],
    ['all time', () => ({ expires_at: null })],
    ['more units', () => ({ rate_limit: { limit: 101, window: '60s' } })],
  ])('is not one that gives %s, which waits for nobody', async (_, input) => {
    const { key, update } = await withKey();
    expect((await update(input(key))).settlement).toBe(null);
  });
});
