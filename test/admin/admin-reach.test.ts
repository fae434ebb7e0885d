import { describe, expect, it } from 'vitest';
import { Failure } from '../../src/failure.ts';
import { root, start } from '../admin-calls.ts';
import type { TestService } from '../service.ts';

/** Keys that hold much, and no permission of the admin API as it is written. */
const attempts: Readonly<Record<string, { permissions?: string[]; role?: string[] }>> = {
  'a key with *': { permissions: ['*'] },
  'a key with admin:*': { permissions: ['admin:*'] },
  'a key with both': { permissions: ['*', 'admin:*'] },
  'a key with admin alone': { permissions: ['admin'] },
  'a key with admin:write in capitals': { permissions: ['ADMIN:WRITE', 'Admin:Read'] },
  'a key with more behind it': { permissions: ['admin:write:all', 'admin:read:*'] },
  'a key by a role with *': { role: ['*'] },
  'a key by a role that nearly says it': { role: ['ADMIN:write', 'admin', 'administer:*'] },
  'a key by wildcards on both sides': { permissions: ['admin:*'], role: ['*'] },
};

describe('reaches the admin API by no wildcard and no role', () => {
  it.each(Object.entries(attempts))('%s', async (_, { permissions = [], role }) => {
    const service = await start();
    if (role !== undefined) await service.admin.putRole(root(service), 'much', { permissions: role });
    const roles = role === undefined ? [] : ['much'];
    const wanted = { name: 'Climber', permissions, roles };
    const { key, secret } = await service.admin.createKey(root(service), wanted);
    const rotated = await service.admin.rotateKey(root(service), key.id, { grace_period: '1h' });
    for (const text of [secret?.reveal(), rotated.secret?.reveal()]) {
      const caller = { authorization: [`Bearer ${text}`], address: '192.0.2.1' };
      for (const refused of callsBy(service, caller, key.id)) expect(await refused).toBe('PERMISSION_DENIED');
    }
    expect((await service.store.getKey(key.id))?.permissions).toEqual(permissions);
  });

  it.each([
    'admin:read',
    'admin:write',
    'admin:*',
    'admin:anything',
    'admin:write|read:a',
    'read:a|admin:write',
  ])('nor can a role say %s, made or changed', async (permission) => {
    const service = await start();
    const put = (permissions: string[]) =>
      codeOf(service.admin.putRole(root(service), 'much', { permissions: ['read:a', ...permissions] }));
    expect(await put([permission])).toBe('INVALID_ARGUMENT');
    expect(await put([])).toBe('ok');
    expect(await put([permission])).toBe('INVALID_ARGUMENT');
    expect((await service.store.getRole('much'))?.permissions).toEqual(['read:a']);
  });

  it('nor a role of another release that says admin:write all the same', async () => {
    const service = await start();
    const [createdAt, updatedAt] = [service.clock.now, service.clock.now];
    const stored = { id: 'much', description: null, permissions: ['admin:write'], version: 1 };
    await service.store.putRole({ ...stored, createdAt, updatedAt }, 0);
    const { key, secret } = await service.admin.createKey(root(service), { name: 'a', roles: ['much'] });
    const caller = { authorization: [`Bearer ${secret?.reveal()}`], address: '192.0.2.1' };
    for (const refused of callsBy(service, caller, key.id)) expect(await refused).toBe('PERMISSION_DENIED');
  });
});

it('has another etag once it is made again, so that one of before it was deleted changes nothing', async () => {
  const service = await start();
  const put = (input: object) => service.admin.putRole(root(service), 'reader', input);
  const { role } = await put({ permissions: ['read:a'] });
  service.clock.now += 1_000;
  await service.admin.deleteRole(root(service), 'reader', {});
  const { role: again } = await put({ permissions: ['read:a'] });
  expect(again.version).not.toBe(role.version);
  const etag = `v${role.version}`;
  expect(await codeOf(put({ permissions: [], etag }))).toBe('ABORTED');
  expect(await codeOf(service.admin.deleteRole(root(service), 'reader', { etag }))).toBe('ABORTED');
  expect((await put({ permissions: [], etag: `v${again.version}` })).role.permissions).toEqual([]);
});

function callsBy(
  { admin }: TestService,
  caller: Parameters<TestService['admin']['getKey']>[0],
  id: string,
): Promise<string>[] {
  return [
    admin.getKey(caller, id),
    admin.listKeys(caller, {}),
    admin.createKey(caller, { name: 'a', permissions: ['admin:write'] }),
    admin.updateKey(caller, id, { permissions: ['admin:write'] }),
    admin.putRole(caller, 'much', { permissions: ['*'] }),
    admin.revokeKeys(caller, { ids: [id] }),
    admin.signIn(caller),
    admin.getTerms(caller),
  ].map(codeOf);
}

function codeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'ok',
    (error: unknown) => {
      if (error instanceof Failure) return error.code;
      throw error;
    },
  );
}
