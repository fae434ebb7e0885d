import { describe, expect, it } from 'vitest';
import type { Caller } from '../../src/admin/identity.ts';
import { audit, callerWith, refusal, root, start } from '../admin-calls.ts';
import type { TestService } from '../service.ts';

const refused = 'FAILED_PRECONDITION LAST_ADMIN_KEY';

const ways: [string, (service: TestService, caller: Caller, id: string) => Promise<unknown>][] = [
  ['revoked', ({ admin }, caller, id) => admin.revokeKey(caller, id)],
  ['disabled', ({ admin }, caller, id) => admin.disableKey(caller, id)],
  [
    'stripped of admin:write',
    ({ admin }, caller, id) => admin.updateKey(caller, id, { permissions: ['admin:read'] }),
  ],
  [
    'bound to principals that no caller can show',
    ({ admin }, caller, id) => admin.updateKey(caller, id, { principals: ['ops.example.com'] }),
  ],
  ['stripped of everything', ({ admin }, caller, id) => admin.updateKey(caller, id, { permissions: null })],
];

describe.each(ways)('the last admin key that may change everything, when it is to be %s', (_, lose) => {
  it('stays as it is, and the refusal is in the journal', async () => {
    const service = await start({ hasOtherWriter: false });
    const last = await callerWith(service, ['admin:write']);
    expect(await refusal(lose(service, last, last.key.id))).toBe(refused);
    expect(await service.admin.getKey(last, last.key.id)).toEqual({ ...last.key, lastUsedAt: null });
    expect(await audit(service, { outcome: 'refused' })).toMatchObject([
      { actor: last.key.id, target: last.key.id, error: 'FAILED_PRECONDITION' },
    ]);
  });

  it.each<[string, (service: TestService) => Promise<unknown>]>([
    ['may only read', (service) => callerWith(service, ['admin:read'])],
    ['is bound to an owner', (service) => callerWith(service, ['admin:write'], 'acme')],
    [
      'is disabled',
      async (service) => {
        const other = await callerWith(service, ['admin:write']);
        await service.admin.disableKey(other, other.key.id);
      },
    ],
    [
      'has expired',
      async (service) => {
        const other = await callerWith(service, ['admin:write']);
        const expires_at = new Date(service.clock.now + 1).toISOString();
        await service.admin.updateKey(other, other.key.id, { expires_at });
        service.clock.now += 1;
      },
    ],
    [
      'has principals that no caller can show',
      async (service) => {
        const other = await callerWith(service, ['admin:write']);
        await service.admin.updateKey(root(service), other.key.id, { principals: ['ops.example.com'] });
      },
    ],
    [
      'is of another scheme',
      async (service) =>
        service.admin.createKey(await callerWith(service, ['admin:write'], 'acme'), {
          ...{ name: 'Theirs', scheme: 'powerverse', permissions: ['admin:write'] },
        }),
    ],
  ])('is the last also beside one that %s', async (_, other) => {
    const service = await start({ hasOtherWriter: false });
    const last = await callerWith(service, ['admin:write']);
    await other(service);
    expect(await refusal(lose(service, last, last.key.id))).toBe(refused);
  });

  it('is not the last beside another that may, wherever in the list that is', async () => {
    const service = await start({ hasOtherWriter: false });
    const first = await callerWith(service, ['admin:write', 'admin:read']);
    for (let made = 0; made < 120; made++) await callerWith(service, ['admin:write'], 'acme');
    const second = await callerWith(service, ['admin:write']);
    expect(await refusal(lose(service, first, second.key.id))).toBe('was not refused');
    expect(await refusal(lose(service, first, first.key.id))).toBe(refused);
  });

  it('is not the last beside the admin key of the settings', async () => {
    const service = await start({ hasOtherWriter: true });
    const key = await callerWith(service, ['admin:write']);
    expect(await refusal(lose(service, key, key.key.id))).toBe('was not refused');
  });
});

it('the last admin key that may change everything can be rotated and changed, and its successor is the last', async () => {
  const service = await start({ hasOtherWriter: false });
  const last = await callerWith(service, ['admin:write']);
  await service.admin.updateKey(last, last.key.id, { name: 'Root', permissions: ['admin:write', 'more'] });
  const { key, secret } = await service.admin.rotateKey(last, last.key.id, {});
  const next = { authorization: [`Bearer ${secret?.reveal()}`], address: '' };
  expect(await refusal(service.admin.getKey(last, key.id))).toBe('UNAUTHENTICATED ADMIN_KEY_REQUIRED');
  expect(await refusal(service.admin.revokeKey(next, key.id))).toBe(refused);
  expect(await refusal(service.admin.revokeKey(next, last.key.id))).toBe('was not refused');
});

it('a key that is disabled already, or never could change everything, is revoked without a question', async () => {
  const service = await start({ hasOtherWriter: false });
  const last = await callerWith(service, ['admin:write']);
  const other = await callerWith(service, ['admin:write']);
  const bound = await callerWith(service, ['admin:write'], 'acme');
  await service.admin.disableKey(last, other.key.id);
  for (const { key } of [other, bound]) {
    expect(await refusal(service.admin.revokeKey(last, key.id))).toBe('was not refused');
  }
});

it('a key with principals may be the last where callers show certificates, and stays', async () => {
  const service = await start({ hasOtherWriter: false, asksForCertificates: true });
  const last = await callerWith(service, ['admin:write']);
  const principals = ['ops.example.com'];
  await service.admin.updateKey(last, last.key.id, { principals });
  const caller = { ...last, certificateNames: ['DNS:ops.example.com'] };
  expect(await refusal(service.admin.revokeKey(caller, last.key.id))).toBe(refused);
  const other = await service.admin.createKey(caller, {
    name: 'b',
    permissions: ['admin:write'],
    principals,
  });
  expect(await refusal(service.admin.revokeKey(caller, other.key.id))).toBe('was not refused');
});

it('a key with principals that no caller can show is revoked without a question', async () => {
  const service = await start({ hasOtherWriter: false });
  const last = await callerWith(service, ['admin:write']);
  const wanted = { name: 'b', permissions: ['admin:write'], principals: ['ops.example.com'] };
  const { key } = await service.admin.createKey(last, wanted);
  expect(await refusal(service.admin.revokeKey(last, key.id))).toBe('was not refused');
});
