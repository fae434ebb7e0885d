import { expect, it } from 'vitest';
import { startListener } from '../../http/listener.ts';
import { answering, type Given, postern } from '../console.ts';

async function startService() {
  const listener = await startListener();
  const adminKey = listener.service.adminAuthorization.replace('Bearer ', '');
  const environment = { POSTERN_ADDRESS: listener.base, POSTERN_ADMIN_KEY: adminKey };
  const keys = (argv: readonly string[], given: Given = {}) =>
    postern(['keys', ...argv], { ...given, environment: { ...environment, ...given.environment } });
  const get = async (id: string) => (await listener.call('GET', `/admin/api-keys/${id}`)).json.data;
  return { ...listener, keys, get };
}

it('changes what its flags name, and lets the rest stay', async () => {
  const { keys, create, get } = await startService();
  const { id } = await create({ name: 'a', permissions: ['a', 'b'], labels: { x: 'y' }, owner: 'acme' });

  const flags =
    '--name b --permission c --permission d --allow-ip 10.0.0.0/8 --principal *.a.example --principal b --expires-at 2099-01-01T00:00:00Z';
  const updated = await keys(['update', id, ...flags.split(' '), '--rate-limit', '5/1m', '--label', 'p=q=r']);

  expect(updated.stdout).toMatch(/^key_\w+ is updated: every replica judges by it since \d{4}-\S+Z\n$/);
  expect(await get(id)).toMatchObject({
    ...{ name: 'b', permissions: ['c', 'd'], ip_allowlist: ['10.0.0.0/8'], owner: 'acme' },
    principals: ['*.a.example', 'b'],
    ...{ expires_at: '2099-01-01T00:00:00Z', rate_limit: { limit: 5, window: '60s' }, labels: { p: 'q=r' } },
  });
  const renamed = await keys(['update', id, '--name', 'c']);
  expect(renamed.stdout).toBe(`${id} is updated\n`);
  expect(await get(id)).toMatchObject({ name: 'c', permissions: ['c', 'd'], labels: { p: 'q=r' } });
});

it('empties what --clear names', async () => {
  const { keys, create, get } = await startService();
  const { id } = await create({
    ...{ name: 'a', permissions: ['a'], ip_allowlist: ['10.0.0.1'], expires_in: '1d', labels: { a: 'b' } },
    principals: ['a.example'],
    ...{ rate_limit: { limit: 1, window: '1s' }, scheme: 'converra', plan: 'free' },
  });
  const names = ['permission', 'allow-ip', 'principal', 'expires-at', 'plan', 'rate-limit', 'label'];

  const cleared = await keys(['update', id, ...names.flatMap((name) => ['--clear', name]), '--json']);

  const empty = {
    permissions: [],
    ip_allowlist: [],
    principals: [],
    expires_at: null,
    plan: null,
    rate_limit: null,
  };
  expect(JSON.parse(cleared.stdout)).toMatchObject({
    ...empty,
    labels: {},
    effective_at: expect.any(String),
  });
  expect(await get(id)).toMatchObject({ name: 'a', ...empty, labels: {} });
});

it('changes a key only while it has the etag that was shown', async () => {
  const { keys, create, get } = await startService();
  const { id } = await create();
  const etag = /\netag +(\S+)\n/.exec((await keys(['get', id])).stdout)?.[1] ?? '';

  const first = await keys(['update', id, '--name', 'b', '--if-etag', etag]);
  const second = await keys(['update', id, '--name', 'c', '--if-etag', etag]);

  expect([first.exitCode, second.exitCode]).toEqual([0, 1]);
  expect(second.stderr).toMatch(/^postern: The key has changed since/);
  expect((await get(id)).name).toBe('b');
});

it.each([
  ['nothing to change', [], /there is nothing to change\nSay what by its flag/],
  ['an etag alone', ['--if-etag', 'v1'], /there is nothing to change/],
  ['what is set and cleared', ['--plan', 'a', '--clear', 'plan'], /--plan is both set and cleared/],
  [
    'what cannot be cleared',
    ['--clear', 'name'],
    /Allowed choices are permission, role, allow-ip, expires-at/,
  ],
])('ends with 2 before it calls when it is given %s', async (_, flags, message) => {
  const { fetch, asked } = answering(200, {});
  const environment = { POSTERN_ADMIN_KEY: 'a'.repeat(32) };

  const refused = await postern(['keys', 'update', 'key_a', ...flags], { environment, fetch });

  expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
  expect(refused.stderr).toMatch(message);
  expect(asked).toEqual([]);
});

it('rotates a key and prints the new one alone, and when the old one ends beside it', async () => {
  const { keys, create, get, service } = await startService();
  const old = await create({ name: 'a', permissions: ['p'], expires_in: '30d' });
  service.clock.now = Date.parse('2031-02-03T04:05:06Z');
  await keys(['update', old.id, '--clear', 'expires-at']);

  const rotated = await keys(['rotate', old.id, '--grace', '24h', '--expires-in', '90d']);

  expect(rotated.exitCode).toBe(0);
  expect(rotated.stdout).toMatch(/^pst_live_\w+\n$/);
  const id = /made (key_\w+);/.exec(rotated.stderr)?.[1] ?? '';
  expect(rotated.stderr.split('\n')[0]).toBe(`postern: the old key ${old.id} ends at 2031-02-04T04:05:06Z`);
  expect(await get(id)).toMatchObject({ permissions: ['p'], rotated_from: old.id });
  expect(await get(id)).toMatchObject({ expires_at: '2031-05-04T04:05:06Z' });
  expect((await get(old.id)).expires_at).toBe('2031-02-04T04:05:06Z');
});

it('shows a person the new key with all about it', async () => {
  const { keys, create } = await startService();
  const { id } = await create();

  const rotated = await keys(['rotate', id], { isTerminal: true });
  const again = await keys(['rotate', id]);

  expect(rotated.stdout).toMatch(/\nrotated from +key_/);
  expect(rotated.stdout).toMatch(/\n {2}pst_live_\w+\n\nThis is the key. It is shown this once/);
  expect(again).toMatchObject({ exitCode: 1, stdout: '' });
  expect(again.stderr).toBe('postern: This key was rotated before; rotate the key that replaced it.\n');
});

it.each([
  ['create', (_: string) => ['create', '--name', 'a']],
  ['rotate', (id: string) => ['rotate', id, '--grace', '1h']],
])(
  'makes no second key when %s is repeated with its request id, and tells no secret again',
  async (_, argv) => {
    const { keys, create, call } = await startService();
    const { id } = await create();

    const first = await keys([...argv(id), '--request-id', 'build-7']);
    const second = await keys([...argv(id), '--request-id', 'build-7']);
    const asJson = await keys([...argv(id), '--request-id', 'build-7', '--json']);

    expect(first.stdout).toMatch(/^pst_live_\w+\n$/);
    expect(second).toMatchObject({ exitCode: 1, stdout: '' });
    expect(second.stderr).toMatch(
      /an earlier call with this --request-id made key_\w+; its key was told then/,
    );
    expect(JSON.parse(asJson.stdout)).toMatchObject({ id: expect.stringMatching(/^key_/), key: null });
    expect((await call('GET', '/admin/api-keys')).json.data).toHaveLength(2);
  },
);

it('acts for the owner of POSTERN_OWNER where a command has --owner, which wins', async () => {
  const { keys, create } = await startService();
  await create({ name: 'none' });
  const acme = { environment: { POSTERN_OWNER: 'acme' } };

  await keys(['create', '--name', 'one'], acme);
  await keys(['create', '--name', 'two', '--owner', 'other'], acme);
  await keys(['create', '--name', 'three', '--owner', ''], acme);

  const names = async (argv: readonly string[]) =>
    JSON.parse((await keys(['list', '--json', ...argv], acme)).stdout).data.map(
      ({ name, owner }: { name: string; owner: string | null }) => [name, owner],
    );
  expect(await names([])).toEqual([['one', 'acme']]);
  expect(await names(['--owner', 'other'])).toEqual([['two', 'other']]);
  expect(await names(['--owner', ''])).toEqual([
    ['three', null],
    ['two', 'other'],
    ['one', 'acme'],
    ['none', null],
  ]);
});
