import { expect, it } from 'vitest';
import { startListener } from '../../http/listener.ts';
import { answering, type Given, postern } from '../console.ts';

/** A running service, and the command line set up for it. */
async function startService() {
  const listener = await startListener();
  const adminKey = listener.service.adminAuthorization.replace('Bearer ', '');
  const environment = { POSTERN_ADDRESS: listener.base, POSTERN_ADMIN_KEY: adminKey };
  const keys = (line: string, given: Given = {}) =>
    postern(['keys', ...line.split(' ')], { environment, ...given });
  return { ...listener, adminKey, keys };
}

it('prints a new key alone where a script reads it', async () => {
  const { keys, call } = await startService();

  const made = await keys('create --name ci');

  expect(made.exitCode).toBe(0);
  expect(made.stdout).toMatch(/^pst_live_\w{49}\n$/);
  const [listed] = (await call('GET', '/admin/api-keys')).json.data;
  expect(made.stderr).toBe(`postern: made ${listed.id}; its key is printed this once, on standard output\n`);
});

it('shows a person the new key with all about it, and warns that it is shown once', async () => {
  const { keys } = await startService();

  const made = await keys('create --name ci', { isTerminal: true });

  expect(made.stdout).toMatch(/^id +key_\w{26}\nname +ci\nstate +active\n/);
  expect(made.stdout).toMatch(/\n {2}pst_live_\w{49}\n\nThis is the key. It is shown this once/);
});

it.each([
  ['postern', 'http://127.0.0.1:10000/ -H "Authorization: Bearer $KEY"'],
  ['powerverse', 'http://127.0.0.1:10000/ -H "X-Api-Key: $KEY"'],
])('says on a terminal how a key of %s is used, and never the key', async (scheme, line) => {
  const { keys } = await startService();

  const made = await keys(`create --name ci --scheme ${scheme}`, { isTerminal: true });

  expect(made.exitCode).toBe(0);
  expect(made.stderr).toBe(`Use it through your proxy, with the key in KEY:\n\n  curl -i ${line}\n`);
});

it('says how a key is used where --hint asks for it, and to no script that does not', async () => {
  const { keys } = await startService();

  const asked = await keys('create --name ci --hint --json');
  const { key } = JSON.parse(asked.stdout);
  expect(asked.stderr).toContain('Bearer $KEY"');
  expect(asked.stderr).not.toContain(key);
  expect((await keys('create --name ci')).stderr).not.toContain('curl');
});

it.each([
  [
    { in: 'query', name: 'api_key', word: null },
    '-G --data-urlencode "api_key=$KEY" http://127.0.0.1:10000/',
  ],
  [{ in: 'cookie', name: 'key', word: null }, '-b "key=$KEY" http://127.0.0.1:10000/'],
  [{ in: 'header', name: 'x-`-id`', word: null }, 'http://127.0.0.1:10000/ -H "X-\\`-Id\\`: $KEY"'],
])('puts the name of the key where the scheme has the key: %j', async (place, line) => {
  const { adminKey, call } = await startService();
  const { json } = await call('POST', '/admin/api-keys', { name: 'a' });
  const terms = { data: { schemes: [{ name: 'postern', places: [place] }] } };
  const answer = (url: string) => (url.endsWith('/admin/terms') ? terms : json);
  const fetch: Given['fetch'] = async (url) => new Response(JSON.stringify(answer(String(url))));

  const made = await postern(['keys', 'create', '--name', 'a', '--hint'], {
    environment: { POSTERN_ADMIN_KEY: adminKey },
    fetch,
  });

  expect(made.stderr).toContain(`  curl -i ${line}\n`);
});

it('makes the key all the same where the service does not say how it is used', async () => {
  const { adminKey, call } = await startService();
  const { json } = await call('POST', '/admin/api-keys', { name: 'a' });
  const fetch: Given['fetch'] = async (url) =>
    String(url).endsWith('/admin/terms')
      ? new Response('{}', { status: 404 })
      : new Response(JSON.stringify(json));

  const made = await postern(['keys', 'create', '--name', 'a', '--hint'], {
    environment: { POSTERN_ADMIN_KEY: adminKey },
    fetch,
  });

  expect(made).toMatchObject({ exitCode: 0, stdout: `${json.data.key}\n` });
  expect(made.stderr).not.toContain('curl');
});

it('hands every flag of create to the service', async () => {
  const { keys, call } = await startService();
  const flags =
    '--scheme powerverse --environment test --owner acme --permission read:assets --permission write:assets ' +
    '--allow-ip 10.0.0.0/8 --principal spiffe://td/* --principal b.example --expires-in 30d --rate-limit 100/60s --label team=grid --label a=b=c';

  const made = await keys(`create --name ci ${flags} --json`);

  const { key, ...data } = JSON.parse(made.stdout);
  expect(key).toMatch(/^ak_test_/);
  expect(data).toMatchObject({
    name: 'ci',
    scheme: 'powerverse',
    environment: 'test',
    owner: 'acme',
    permissions: ['read:assets', 'write:assets'],
    ip_allowlist: ['10.0.0.0/8'],
    principals: ['spiffe://td/*', 'b.example'],
    expires_at: expect.any(String),
    rate_limit: { limit: 100, window: '60s' },
    labels: { team: 'grid', a: 'b=c' },
  });
  expect((await call('GET', `/admin/api-keys/${data.id}`)).json.data).toEqual(data);
});

it('says by its flag what the service does not take', async () => {
  const { keys } = await startService();

  const refused = await keys(
    'create --name ci --allow-ip nowhere --principal * --expires-in soon --label -x=y',
  );

  expect(refused).toMatchObject({ exitCode: 1, stdout: '' });
  expect(refused.stderr).toMatch(/^postern: the service does not take this:\n/);
  expect(refused.stderr).toContain('\n  --allow-ip (ip_allowlist.0): is not an IP address or a CIDR block\n');
  expect(refused.stderr).toContain('\n  --principal (principals.0): is every caller: leave principals empty');
  expect(refused.stderr).toContain('\n  --expires-in: expected a number and a unit');
  expect(refused.stderr).toContain('\n  --label (labels.-x)');
});

it('lists keys in aligned columns and says how to go on', async () => {
  const { keys, create } = await startService();
  const first = await create({ name: 'a key with a long name', owner: 'acme' });
  const second = await create({ name: 'b', expires_at: '2099-01-01T00:00:00Z' });

  const whole = await keys('list');
  const page = await keys('list --page-size 1');

  const lines = whole.stdout.trimEnd().split('\n');
  const columns = ['ID', 'NAME', 'PREFIX', 'STATE', 'OWNER', 'CREATED', 'EXPIRES'];
  expect(lines[0]?.split(/ +/)).toEqual(columns);
  expect(lines.slice(1).map((line) => line.split(/ {2,}/))).toEqual([
    [second.id, 'b', second.prefix, 'active', '-', second.created_at, '2099-01-01T00:00:00Z'],
    [first.id, 'a key with a long name', first.prefix, 'active', 'acme', first.created_at, 'never'],
  ]);
  expect(new Set(lines.map((line) => line.search(/STATE|active/))).size).toBe(1);
  expect(page.stderr).toMatch(/^postern: more keys follow: --page-token \S+, or --all\n$/);
  const token = /--page-token (\S+),/.exec(page.stderr)?.[1];
  expect((await keys(`list --page-size 1 --page-token ${token}`)).stdout).toContain(first.id);
});

it('says of a key that is active that its owner blocks it, in a list and alone', async () => {
  const { keys, create, call } = await startService();
  const { id } = await create({ name: 'a', owner: 'acme' });
  await call('PUT', '/admin/owners/acme', { suspended: true });

  expect((await keys('list')).stdout).toMatch(/ {2}active, blocked \(owner_inactive\) +acme /);
  expect((await keys(`get ${id}`)).stdout).toContain('\nstate        active, blocked (owner_inactive)\n');
});

it('follows the pages with --all, as a table and as JSON', async () => {
  const { keys, create } = await startService();
  const ids: string[] = [];
  for (const name of ['a', 'b', 'c']) ids.unshift((await create({ name })).id);

  const text = await keys('list --all --page-size 2');
  const json = await keys('list --all --page-size 2 --json');

  expect(text.stdout.match(/key_\w+/g)).toEqual(ids);
  expect(text.stdout.match(/NAME/g)).toHaveLength(1);
  expect(text.stderr).toBe('');
  const { data, next_page_token } = JSON.parse(json.stdout);
  expect([data.map(({ id }: { id: string }) => id), next_page_token]).toEqual([ids, null]);
});

it('lists nothing as nothing, with a word on standard error', async () => {
  const { keys } = await startService();

  const text = await keys('list --owner nobody --state revoked --name-contains x --permission a');
  const json = await keys('list --owner nobody --json');

  expect(text).toMatchObject({ exitCode: 0, stderr: 'postern: there is no such key\n' });
  expect(JSON.parse(json.stdout)).toEqual({ data: [], next_page_token: null });
});

it('disables, enables and revokes a key, and says from when on it holds', async () => {
  const { keys, create } = await startService();
  const { id } = await create();

  const disabled = await keys(`disable ${id}`);
  const enabled = await keys(`enable ${id}`);
  const revoked = await keys(`revoke ${id}`);
  const shown = await keys(`get ${id}`);

  expect(disabled.stdout).toMatch(/^key_\w+ is disabled: no replica allows it since \d{4}-\S+\.\d{3}Z\n$/);
  expect(enabled.stdout).toBe(`${id} is active\n`);
  expect(revoked.stdout).toMatch(/ is revoked: no replica allows it since /);
  expect(shown.stdout).toMatch(/\nstate +revoked since \d{4}-/);
});

it('names the replicas that have not confirmed a revocation', async () => {
  const { keys, create, call } = await startService();
  const { id } = await create();
  const { data } = (await call('GET', `/admin/api-keys/${id}`)).json;
  const effective_at = '2031-01-01T00:00:15.000Z';

  const revoked = await keys(
    `revoke ${id}`,
    answering(200, { data: { ...data, effective_at, unconfirmed_replicas: ['b', 'c'] } }),
  );

  expect(revoked).toMatchObject({
    exitCode: 0,
    stdout: `${id} is revoked: no replica allows it from ${effective_at} on\nnot confirmed yet by: b, c\n`,
  });
});

it('verifies a key from standard input or a file, and ends with 3 when it is denied', async () => {
  const { keys, create } = await startService();
  const { id, key } = await create({ name: 'a', permissions: ['read:assets'], ip_allowlist: ['10.0.0.0/8'] });

  const allowed = await keys('verify --client-ip 10.1.2.3', { stdin: `${key}\n` });
  const given = { files: { 'key.txt': `${key}\r\n` } };
  const denied = await keys(
    'verify --address-of-caller 10.1.2.3 --permission write:assets --key-file key.txt',
    given,
  );
  const json = await keys('verify --json', { stdin: 'no key at all' });

  expect(allowed).toEqual({ exitCode: 0, stdout: `allowed ${id}\n`, stderr: '' });
  expect(denied).toEqual({ exitCode: 3, stdout: `denied ${id}: permission_denied (403)\n`, stderr: '' });
  expect(json.exitCode).toBe(3);
  expect(JSON.parse(json.stdout)).toEqual({ allowed: false, reason: 'malformed', status: 401, key_id: null });
});

it('takes the admin key from the environment, a file or standard input', async () => {
  const { base, adminKey } = await startService();
  const list = ['keys', 'list', '--address', base];
  const files = { 'admin.key': `${adminKey}\n` };

  const ran = [
    await postern(list, { environment: { POSTERN_ADMIN_KEY: adminKey } }),
    await postern(list, { environment: { POSTERN_ADMIN_KEY_FILE: 'admin.key' }, files }),
    await postern([...list, '--admin-key-file', 'admin.key'], { files }),
    await postern([...list, '--admin-key-file', '-'], { stdin: `${adminKey}\n` }),
  ];

  expect(ran.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0]);
});

it('says where it looked for an admin key that the service does not accept', async () => {
  const { base } = await startService();

  const refused = await postern(['keys', 'list'], {
    environment: { POSTERN_ADDRESS: base, POSTERN_ADMIN_KEY_FILE: 'admin.key' },
    files: { 'admin.key': 'wrong' },
  });

  expect(refused.exitCode).toBe(1);
  expect(refused.stderr).toMatch(
    /^postern: the admin key of POSTERN_ADMIN_KEY_FILE \(admin.key\) is not accepted: /,
  );
  expect(refused.stderr).toContain('--admin-key-file');
});

it('says that there is no such key', async () => {
  const { keys } = await startService();

  const refused = await keys('get key_00000000000000000000000000');

  expect(refused.exitCode).toBe(1);
  expect(refused.stderr).toMatch(
    /^postern: There is no key with this id\.\nSee which there are with "postern keys list".\n$/,
  );
});

it('finds a key by its whole secret from standard input or a file, and by what is shown of it', async () => {
  const { keys } = await startService();
  const made = JSON.parse((await keys('create --name Caf\u00e9 --json')).stdout);
  await keys('create --name other');

  const found = await keys('find', { stdin: `${made.key}\n` });
  expect(found).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(`^id +${made.id}\nname +Caf`) });
  const filed = await keys('find --key-file key.txt --json', { files: { 'key.txt': made.key } });
  expect(JSON.parse(filed.stdout)).toMatchObject({ id: made.id, last4: made.last4 });
  expect(await keys('find', { stdin: 'no key at all' })).toMatchObject({ exitCode: 1, stdout: '' });
  for (const text of [made.id, made.prefix, made.last4, 'cafe\u0301']) {
    const { data } = JSON.parse((await keys(`list --search ${text} --json`)).stdout);
    expect([text, data.map(({ id }: { id: string }) => id)]).toEqual([text, [made.id]]);
  }
});

it('lets a whole key into no URL, and says how it is found', async () => {
  const { adminKey, keys } = await startService();
  const { key } = JSON.parse((await keys('create --name a --json')).stdout);
  const { fetch, asked } = answering(200, { data: [], next_page_token: null });
  const environment = { POSTERN_ADMIN_KEY: adminKey };

  const refused = await postern(['keys', 'list', '--search', key], { environment, fetch });
  expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('postern keys find') });
  expect([asked, refused.stderr.includes(key)]).toEqual([[], false]);
});

it('says which schemes there are to a list by one that is unknown', async () => {
  const { keys } = await startService();
  const refused = await keys('list --scheme mir');
  expect([refused.exitCode, refused.stdout]).toEqual([1, '']);
  expect(refused.stderr).toMatch(/--scheme: .*there are: postern, .*did you mean mira\?/);
});

it('says of a key that was revoked before since when it is so', async () => {
  const { keys, create, call, service } = await startService();
  const { id } = await create();
  const first = (await call('DELETE', `/admin/api-keys/${id}`)).json.data;
  service.clock.now += 48 * 3_600_000;

  const { stdout } = await keys(`revoke ${id}`);
  const again = (await call('DELETE', `/admin/api-keys/${id}`)).json.data;

  expect(stdout).toMatch(new RegExp(`^${id} was revoked already, on ${first.revoked_at}: `));
  expect(again.revoked_at).toBe(first.revoked_at);
  // Not when it was asked again: when every replica had heard of it, at the latest.
  const afterMs = Date.parse(again.effective_at) - Date.parse(first.effective_at);
  expect(afterMs).toBeGreaterThanOrEqual(0);
  expect(afterMs).toBeLessThanOrEqual(60_000);
  expect(again.unconfirmed_replicas).toEqual([]);
});
