import { describe, expect, inject, it } from 'vitest';
import { callerWith, refusal, root, start } from '../admin-calls.ts';
import { createSetting } from '../mongo/setting.ts';
import type { TestService } from '../service.ts';

async function countKeys(service: TestService): Promise<number> {
  return (await service.admin.listKeys(root(service), { page_size: 1_000 })).keys.length;
}

describe('a request id', () => {
  it('makes a retry safe: the key comes back, the secret does not', async () => {
    const service = await start();
    const wanted = { name: 'one', permissions: ['read:things'], request_id: 'r-1' };
    const made = await service.admin.createKey(root(service), wanted);
    const again = await service.admin.createKey(root(service), wanted);
    expect(made.secret?.reveal()).toMatch(/^pst_live_/);
    expect(again).toEqual({ key: made.key, secret: null });
    expect(await countKeys(service)).toBe(1);
  });

  it('gives the key as it is by now, whatever the retry asks for and whatever became of it', async () => {
    const service = await start();
    const { key } = await service.admin.createKey(root(service), { name: 'one', request_id: 'r-1' });
    await service.admin.revokeKey(root(service), key.id);
    const again = await service.admin.createKey(root(service), { name: 'two', request_id: 'r-1' });
    expect(again).toMatchObject({ key: { id: key.id, name: 'one' }, secret: null });
    expect(again.key.revokedAt).not.toBe(null);
  });

  it('gives the key to a retry after its owner has lapsed, and makes no other', async () => {
    const service = await start();
    const wanted = { name: 'one', owner: 'acme', request_id: 'r-1' };
    const { key } = await service.admin.createKey(root(service), wanted);
    await service.admin.putOwner(root(service), 'acme', { suspended: true });
    expect(await service.admin.createKey(root(service), wanted)).toEqual({
      ...{ key: { ...key, blocked: 'owner_inactive' }, secret: null },
    });
    expect(await refusal(service.admin.createKey(root(service), { ...wanted, request_id: 'r-2' }))).toBe(
      'FAILED_PRECONDITION OWNER_INACTIVE',
    );
  });

  it('makes nothing of a request that was refused: it may be tried again under the same id', async () => {
    const service = await start();
    const wanted = { name: 'one', owner: 'acme', request_id: 'r-1' };
    await service.admin.putOwner(root(service), 'acme', { suspended: true });
    expect(await refusal(service.admin.createKey(root(service), wanted))).toMatch(/OWNER_INACTIVE/);
    await service.admin.putOwner(root(service), 'acme', {});
    expect((await service.admin.createKey(root(service), wanted)).secret).not.toBe(null);
  });

  it('is not another one that differs by a letter, and none is shared by requests without', async () => {
    const service = await start();
    for (const request_id of ['r-1', 'R-1', 'r-1 ', null, null]) {
      const made = await service.admin.createKey(root(service), { name: 'one', request_id });
      expect(made.secret).not.toBe(null);
    }
    expect(await countKeys(service)).toBe(5);
  });

  it('belongs to the owner that the admin key is bound to: nobody meets a key of another', async () => {
    const service = await start();
    const acme = await callerWith(service, ['admin:write'], 'acme');
    const colleague = await callerWith(service, ['admin:write'], 'acme');
    const other = await callerWith(service, ['admin:write'], 'other');
    const wanted = { name: 'one', request_id: 'r-1' };
    const [first, second, third, replayed] = [
      await service.admin.createKey(acme, wanted),
      await service.admin.createKey(other, wanted),
      await service.admin.createKey(root(service), { ...wanted, owner: 'acme' }),
      await service.admin.createKey(colleague, wanted),
    ];
    expect(new Set([first, second, third].map(({ key }) => key.id)).size).toBe(3);
    expect([first, second, third].map(({ key }) => key.owner)).toEqual(['acme', 'other', 'acme']);
    expect(replayed).toEqual({ key: first.key, secret: null });
  });

  it.each([
    ['empty', ''],
    ['too long', 'x'.repeat(129)],
    ['of several lines', 'a\nb'],
    ['no text', 7],
  ])('is refused where it is %s', async (_, request_id) => {
    const service = await start();
    await expect(service.admin.createKey(root(service), { name: 'one', request_id })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      violations: [{ field: 'request_id' }],
    });
    const longest = { name: 'one', request_id: '\u{1f511}'.repeat(128) };
    expect((await service.admin.createKey(root(service), longest)).secret).not.toBe(null);
  });

  it('makes one key and shows one secret, however many ask at once', async () => {
    await expectOneKey([await start()]);
  });

  it('makes one key and shows one secret, however many ask two replicas at once', async () => {
    const setting = await createSetting(inject('mongoUri'));
    await expectOneKey([await start({ store: setting.store() }), await start({ store: setting.store() })]);
  });
});

async function expectOneKey(services: readonly TestService[]): Promise<void> {
  const wanted = { name: 'one', request_id: 'r-1' };
  const made = await Promise.all(
    Array.from({ length: 20 }, (_, index) => {
      const service = services[index % services.length] as TestService;
      return service.admin.createKey(root(service), wanted);
    }),
  );
  expect(new Set(made.map(({ key }) => key.id)).size).toBe(1);
  expect(made.filter(({ secret }) => secret !== null)).toHaveLength(1);
  expect(await countKeys(services[0] as TestService)).toBe(1);
}

describe('an owner', () => {
  it('is what it was put as last, made once, with a version for each change', async () => {
    const service = await start();
    const { clock, admin } = service;
    const madeAt = clock.now;
    const made = await admin.putOwner(root(service), 'acme', {
      plan: 'pro',
      active_until: '2199-01-01T00:00:00.500Z',
    });
    clock.now += 5_000;
    const changed = await admin.putOwner(root(service), 'acme', { suspended: true });
    expect(made.owner).toEqual({
      id: 'acme',
      plan: 'pro',
      activeUntil: Date.parse('2199-01-01T00:00:00.500Z'),
      suspended: false,
      ...{ name: null, contact: null, labels: {}, billingAnchor: null, keysMax: null },
      createdAt: madeAt,
      updatedAt: madeAt,
      version: 1,
    });
    expect(changed).toEqual({
      owner: {
        ...{ id: 'acme', plan: null, activeUntil: null, suspended: true },
        ...{ name: null, contact: null, labels: {}, billingAnchor: null, keysMax: null },
        ...{ createdAt: madeAt, updatedAt: clock.now, version: 2 },
      },
      effectiveAt: clock.now,
      unconfirmedReplicas: [],
    });
    expect(await admin.getOwner(root(service), 'acme')).toEqual(changed.owner);
  });

  it('takes each of several changes that come at once, one after the other', async () => {
    const service = await start();
    const puts = ['free', 'pro', 'enterprise', 'free'].map((plan) =>
      service.admin.putOwner(root(service), 'acme', { plan }),
    );
    const versions = (await Promise.all(puts)).map(({ owner }) => owner.version);
    expect(versions.sort()).toEqual([1, 2, 3, 4]);
  });

  it.each([
    ['that is suspended', { suspended: true }],
    ['whose subscription has ended', { active_until: '2020-01-01T00:00:00Z' }],
    ['that is suspended and paid', { suspended: true, active_until: '2199-01-01T00:00:00Z' }],
  ])('%s gets no new keys, of any scheme', async (_, owner) => {
    const service = await start();
    await service.admin.putOwner(root(service), 'acme', owner);
    for (const { name } of service.schemes) {
      expect(
        await refusal(service.admin.createKey(root(service), { name, scheme: name, owner: 'acme' })),
      ).toBe('FAILED_PRECONDITION OWNER_INACTIVE');
      expect(
        (await service.admin.createKey(root(service), { name, scheme: name, owner: 'other' })).secret,
      ).not.toBe(null);
    }
  });

  it('whose admin key is bound to it makes no keys while it is inactive', async () => {
    const service = await start();
    const bound = await callerWith(service, ['admin:write'], 'acme');
    await service.admin.putOwner(root(service), 'acme', { suspended: true });
    expect(await refusal(service.admin.createKey(bound, { name: 'one' }))).toMatch(/OWNER_INACTIVE/);
  });

  it('is active up to the millisecond before its end', async () => {
    const service = await start();
    const end = service.clock.now + 1_000;
    await service.admin.putOwner(root(service), 'acme', { active_until: new Date(end).toISOString() });
    service.clock.now = end - 1;
    const wanted = { name: 'one', owner: 'acme' };
    expect((await service.admin.createKey(root(service), wanted)).secret).not.toBe(null);
    service.clock.now = end;
    expect(await refusal(service.admin.createKey(root(service), wanted))).toMatch(/OWNER_INACTIVE/);
  });
});

describe('who may do what with owners', () => {
  const denied = 'PERMISSION_DENIED ADMIN_PERMISSION_REQUIRED';
  const elsewhere = 'PERMISSION_DENIED OWNER_MISMATCH';
  const unseen = 'NOT_FOUND OWNER_NOT_FOUND';

  it.each([
    ['admin:write', null, { put: 'ok', putOther: 'ok', get: 'ok', getOther: 'ok', list: ['acme', 'other'] }],
    [
      'admin:read',
      null,
      { put: denied, putOther: denied, get: 'ok', getOther: 'ok', list: ['acme', 'other'] },
    ],
    [
      'admin:write',
      'acme',
      { put: elsewhere, putOther: elsewhere, get: 'ok', getOther: unseen, list: ['acme'] },
    ],
    ['admin:read', 'acme', { put: denied, putOther: denied, get: 'ok', getOther: unseen, list: ['acme'] }],
    ['read:things', null, { put: denied, putOther: denied, get: denied, getOther: denied, list: denied }],
    [
      'admin:write',
      'nobody',
      { put: elsewhere, putOther: elsewhere, get: unseen, getOther: unseen, list: [] },
    ],
  ] as const)('an admin key with %s that is bound to %s gets %j', async (permission, owner, expected) => {
    const service = await start();
    const { admin } = service;
    for (const id of ['acme', 'other']) await admin.putOwner(root(service), id, {});
    const caller = await callerWith(service, [permission], owner);
    const outcome = async (call: Promise<unknown>) =>
      call.then(
        () => 'ok',
        () => refusal(call),
      );
    expect({
      put: await outcome(admin.putOwner(caller, 'acme', {})),
      putOther: await outcome(admin.putOwner(caller, 'other', {})),
      get: await outcome(admin.getOwner(caller, 'acme')),
      getOther: await outcome(admin.getOwner(caller, 'other')),
      list: await admin.listOwners(caller, {}).then(
        ({ owners }) => owners.map(({ id }) => id),
        ({ code, reason }) => `${code} ${reason}`,
      ),
    }).toEqual(expected);
  });

  it('says what a caller may not do before it says what is wrong with the call', async () => {
    const service = await start();
    const reader = await callerWith(service, ['admin:read'], null);
    const nobody = { authorization: [], address: '' };
    expect(await refusal(service.admin.putOwner(reader, '', { plan: 7 }))).toBe(denied);
    expect(await refusal(service.admin.putOwner(nobody, 'acme', {}))).toMatch(/^UNAUTHENTICATED /);
    expect(await refusal(service.admin.getOwner(nobody, 'acme'))).toMatch(/^UNAUTHENTICATED /);
    expect(await refusal(service.admin.listOwners(nobody, {}))).toMatch(/^UNAUTHENTICATED /);
  });
});
