import { describe, expect, it } from 'vitest';
import { StoreUnavailable } from '../../../src/store/store.ts';
import { startListener } from '../../http/listener.ts';
import { keyRecord } from '../../records.ts';
import { nextId, retentionMs } from '../../store-contract/setting.ts';
import { postern } from '../console.ts';

describe('keys revoke-many and disable-many', () => {
  it('say what would be done, do it, and leave what is done already', async () => {
    const { keys, create, stateOf } = await start();
    const [one, two, other] = [
      await create({ name: 'a', owner: 'acme' }),
      await create({ name: 'b', owner: 'acme' }),
      await create({ name: 'c', owner: 'other' }),
    ];
    const dry = await keys('revoke-many', '--owner', 'acme', '--dry-run');
    expect(dry.stdout).toBe('2 of 2 keys would be revoked\n');
    expect(await stateOf(one.id)).toBe('active');
    const disabled = await keys('disable-many', '--id', one.id, '--id', 'key_none', '--json');
    expect(JSON.parse(disabled.stdout)).toMatchObject({ matched: 1, changed: 1, unconfirmed_replicas: [] });
    const revoked = await keys('revoke-many', '--owner', 'acme');
    expect(revoked.stdout).toMatch(/^2 of 2 keys are revoked: no replica allows them since \d{4}-\S+Z\n$/);
    expect(revoked.stderr).toBe('');
    expect(await Promise.all([one, two, other].map(({ id }) => stateOf(id)))).toEqual([
      ...['revoked', 'revoked', 'active'],
    ]);
    const again = await keys('revoke-many', '--owner', 'acme');
    expect(again.stdout).toMatch(/^0 of 2 keys are revoked/);
  });

  it('name no key by themselves', async () => {
    const { keys, create, stateOf } = await start();
    const { id } = await create();
    const refused = await keys('revoke-many');
    expect([refused.exitCode, refused.stderr]).toEqual([2, expect.stringContaining('no keys are named')]);
    expect(await stateOf(id)).toBe('active');
  });

  it('say how far they are, and what was done where the store goes away in the middle', async () => {
    const { keys, service } = await start();
    const records = Array.from({ length: 1_200 }, () => keyRecord({ id: nextId(), owner: 'many' }));
    await service.store.insertKeys(records.slice(0, 1_000), retentionMs);
    await service.store.insertKeys(records.slice(1_000), retentionMs);
    const { replaceKeys } = service.store;
    let left = 1_050;
    service.store.replaceKeys = (changes, ...rest) => {
      left -= changes.length;
      return left < 0 ? Promise.reject(new StoreUnavailable('away')) : replaceKeys(changes, ...rest);
    };
    const failed = await keys('disable-many', '--owner', 'many');
    expect(failed.exitCode).not.toBe(0);
    expect(failed.stderr).toContain('postern: 1000 so far\n');
    expect(failed.stderr).toContain(
      'postern: 1000 were done before this; they stay so, and asked again it goes on',
    );
    expect(failed.stderr).toContain('when 50 of 200 keys were disabled');
    service.store.replaceKeys = replaceKeys;
    const again = await keys('disable-many', '--owner', 'many');
    expect(again.stderr).toBe('postern: 0 so far\npostern: 150 so far\n');
    expect(again.stdout).toMatch(/^150 of 1200 keys are disabled/);
  });
});

it('roles are made, read, listed and deleted', async () => {
  const { roles, keys, create } = await start();
  const put = await roles('put', 'reader', '--permission', 'read:*', '--description', 'Reads all');
  expect([put.exitCode, put.stderr]).toEqual([0, '']);
  expect((await roles('get', 'reader', '--json')).stdout).toContain('"read:*"');
  expect((await roles('list')).stdout).toMatch(/reader/);
  await create({ name: 'a', roles: ['reader'] });
  expect((await keys('list', '--role', 'reader', '--json')).stdout).toContain('"reader"');
  const refused = await roles('put', 'admins', '--permission', 'admin:write');
  expect([refused.exitCode, refused.stderr]).toEqual([
    expect.any(Number),
    expect.stringMatching(/permissions/),
  ]);
  expect(refused.exitCode).not.toBe(0);
  expect((await roles('delete', 'reader')).exitCode).toBe(0);
  expect((await roles('get', 'reader')).exitCode).not.toBe(0);
});

async function start() {
  const listener = await startListener();
  const adminKey = listener.service.adminAuthorization.replace('Bearer ', '');
  const environment = { POSTERN_ADDRESS: listener.base, POSTERN_ADMIN_KEY: adminKey };
  const run =
    (noun: string) =>
    (...argv: string[]) =>
      postern([noun, ...argv], { environment });
  const stateOf = async (id: string) => (await listener.call('GET', `/admin/api-keys/${id}`)).json.data.state;
  return { ...listener, keys: run('keys'), roles: run('roles'), stateOf };
}
