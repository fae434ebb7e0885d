import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { folders } from '../../../src/cli/files/folders.ts';
import { startListener } from '../../http/listener.ts';
import { type Given, postern } from '../console.ts';

const folder = `
kind: Owner
external_id: acme
spec: { plan: pro, suspended: false, name: Acme Ltd, labels: { tier: gold }, keys_max: 20, billing_anchor: "2031-01-15T01:00:00+01:00" }
---
kind: Role
external_id: reader
spec: { permissions: ["read:*"], description: Reads all there is }
---
kind: Key
external_id: job-7
spec:
  name: Billing job
  owner: acme
  roles: [reader]
  permissions: [write:bills, write:bills]
  ip_allowlist: [203.0.113.0/24]
  principals: ["spiffe://td/*"]
  labels: { team: billing }
  rate_limit: { limit: 100, window: 1m }
  expires_at: 2199-01-31T12:00:00+01:00
---
`;

const key = (id: string, spec: string) => `kind: Key\nexternal_id: ${id}\nspec: ${spec}\n---\n`;

/** A running service, and documents that are applied to it. */
async function startService() {
  const listener = await startListener();
  const adminKey = listener.service.adminAuthorization.replace('Bearer ', '');
  const environment = { POSTERN_ADDRESS: listener.base, POSTERN_ADMIN_KEY: adminKey };
  const files: Record<string, string> = {};
  const apply = (line: string, given: Given = {}) =>
    postern(['apply', ...line.split(' ')], { environment, files, ...given });
  /** All keys that are not revoked. */
  const keys = async () => {
    const { data } = (await listener.call('GET', '/admin/api-keys?page_size=1000')).json;
    return (data as { state: string; external_id: string; id: string }[]).filter(
      ({ state }) => state !== 'revoked',
    );
  };
  const keyOf = async (id: string) =>
    (await listener.call('GET', `/admin/api-keys?external_id=${id}`)).json.data.find(
      ({ state }: { state: string }) => state !== 'revoked',
    );
  return { ...listener, environment, files, apply, keys, keyOf };
}

it('makes what is missing, says so first, and changes nothing the second time', async () => {
  const { apply, files, keyOf, call } = await startService();
  files['shop.yaml'] = folder;

  const looked = await apply('shop.yaml --dry-run --secrets out');
  const before = [(await call('GET', '/admin/owners/acme')).status, Object.keys(files)];
  const made = await apply('shop.yaml --secrets out');
  const again = await apply('shop.yaml --secrets out --prune');
  const lookedAgain = await apply('shop.yaml --dry-run --secrets out --prune');

  expect(looked).toEqual({ exitCode: 3, stdout: '+ Role reader\n+ Owner acme\n+ Key job-7\n', stderr: '' });
  expect(before).toEqual([404, ['shop.yaml']]);
  expect(made).toMatchObject({ exitCode: 0, stderr: '' });
  expect(made.stdout).toMatch(/^\+ Role reader\n\+ Owner acme\n\+ Key job-7\n3 made/);
  expect(again).toEqual({ exitCode: 0, stdout: 'nothing to change: 3 as wanted\n', stderr: '' });
  expect(lookedAgain).toEqual(again);
  const stored = await keyOf('job-7');
  expect(stored).toMatchObject({
    ...{ name: 'Billing job', owner: 'acme', roles: ['reader'], permissions: ['write:bills'] },
    principals: ['spiffe://td/*'],
    ...{ labels: { team: 'billing', 'postern.dev/set': 'shop' }, expires_at: '2199-01-31T11:00:00Z' },
    rate_limit: { limit: 100, window: '60s' },
  });
  const verified = await call('POST', '/admin/api-keys:verify', { key: files['out/job-7'] });
  expect(verified.json.data).toMatchObject({ key_id: stored.id });
  expect(made.stdout + made.stderr).not.toContain(files['out/job-7']);
});

it('changes what differs, and leaves what the documents do not name', async () => {
  const { apply, files, keyOf, call } = await startService();
  files['shop.yaml'] = folder;
  await apply('shop.yaml');
  const { id } = await keyOf('job-7');
  await call('PATCH', `/admin/api-keys/${id}`, { plan: 'pro' });
  await call('PATCH', '/admin/owners/acme', { contact: 'ops@acme.example' });
  files['shop.yaml'] = [
    'kind: Owner\nexternal_id: acme\nspec: { plan: free }',
    'kind: Role\nexternal_id: reader\nspec: { permissions: ["read:assets"] }',
    'kind: Key\nexternal_id: job-7\nspec: { labels: { team: grid }, expires_at: null, expires_in: 1d, rate_limits: [{ name: a, limit: 5, period: month }] }',
  ].join('\n---\n');

  const changed = await apply('shop.yaml');

  expect(changed.exitCode).toBe(0);
  expect(changed.stdout.split('\n').slice(0, 8)).toEqual([
    '~ Role reader',
    '    permissions: ["read:*"] → ["read:assets"]',
    '~ Owner acme',
    '    plan: "pro" → "free"',
    '~ Key job-7',
    '    labels: {"team":"billing"} → {"team":"grid"}',
    '    expires_at: "2199-01-31T11:00:00Z" → null',
    '    rate_limits: [{"name":"default","limit":100,"window":"60s","shared_by":"key"}] → [{"name":"a","limit":5,"period":"month"}]',
  ]);
  expect(changed.stdout).toMatch(/\n3 changed: every replica judges so since .*Z\n$/);
  expect(await keyOf('job-7')).toMatchObject({
    ...{ id, name: 'Billing job', plan: 'pro', roles: ['reader'], expires_at: null },
    labels: { team: 'grid', 'postern.dev/set': 'shop' },
  });
  expect((await call('GET', '/admin/owners/acme')).json.data).toMatchObject({
    ...{ plan: 'free', contact: 'ops@acme.example', name: 'Acme Ltd' },
  });
  expect((await call('GET', '/admin/roles/reader')).json.data).toMatchObject({
    ...{ permissions: ['read:assets'], description: 'Reads all there is' },
  });
  expect((await apply('shop.yaml')).stdout).toBe('nothing to change: 3 as wanted\n');
});

it('takes every way of writing a value for the same', async () => {
  const { apply, files } = await startService();
  const spec = (limits: string, rest: string) =>
    `{ name: " A ", labels: {}, plan: null, ${limits}, ${rest} }`;
  files['a.yaml'] = key('a', spec('rate_limit: { limit: 1, window: 1h }', 'roles: null, permissions: []'));
  await apply('a.yaml');
  const written = [
    spec('rate_limit: { limit: 1, window: 60m }', 'permissions: null'),
    spec('rate_limits: [{ name: default, limit: 1, window: 3600s, shared_by: key }]', 'ip_allowlist: []'),
    spec('rate_limits: [{ limit: 1, window: 1h }]', 'expires_at: null, expires_in: 30d'),
  ];

  for (const text of written) {
    files['a.yaml'] = key('a', text);
    expect(await apply('a.yaml --dry-run')).toMatchObject({ exitCode: 0, stderr: '' });
  }
  files['a.yaml'] = key('a', '{ rate_limit: null }');
  expect((await apply('a.yaml')).stdout).toMatch(
    /^~ Key a\n {4}rate_limit: {"limit":1,"window":"3600s"} → null\n/,
  );
  expect(await apply('a.yaml --dry-run')).toMatchObject({ exitCode: 0 });
});

it('prunes what the set once made, and nothing that another made', async () => {
  const { apply, files, keys, create, call, keyOf } = await startService();
  await create({ name: 'by hand', external_id: 'hand' });
  await create({ name: 'adopted', external_id: 'adopted' });
  files['a.yaml'] =
    key('one', '{ name: One }') + key('two', '{ name: Two }') + key('adopted', '{ name: Adopted }');
  files['b.yaml'] = key('three', '{ name: Three }');
  await apply('a.yaml');
  await apply('b.yaml');
  const old = await keyOf('one');
  await call('POST', `/admin/api-keys/${old.id}/rotate`, { grace_period: '1d' });
  const { id } = await keyOf('two');
  files['a.yaml'] = key('one', '{ name: One }');

  const kept = await apply('a.yaml');
  const refused = await apply('a.yaml --prune');
  const looked = await apply('a.yaml --prune --dry-run');
  const pruned = await apply('a.yaml --prune --yes');

  expect(kept).toMatchObject({ exitCode: 0, stdout: 'nothing to change: 1 as wanted\n' });
  expect(refused).toMatchObject({ exitCode: 2, stdout: `- Key two (${id}): no longer named\n` });
  expect(refused.stderr).toMatch(/^postern: nothing was changed: 1 key would be revoked.*\n.*--yes\.\n$/);
  expect(looked).toMatchObject({ exitCode: 3, stdout: refused.stdout });
  expect(pruned.exitCode).toBe(0);
  expect(pruned.stdout).toMatch(/\n1 revoked: every replica judges so since .*Z\n$/);
  // The old key of a rotation ends with its grace period, as was said when it was rotated.
  const left = (await keys()).map(({ external_id }) => external_id);
  expect(left.toSorted()).toEqual(['adopted', 'hand', 'one', 'three', null].toSorted());
  expect(await apply('a.yaml --prune --dry-run')).toMatchObject({ exitCode: 0 });
});

it('asks a person before it revokes, and takes nothing but yes for yes', async () => {
  const { apply, files, keys } = await startService();
  files['a.yaml'] = key('one', '{ name: One }') + key('two', '{ name: Two }');
  await apply('a.yaml');
  files['a.yaml'] = key('one', '{ name: One }');

  const answers = [];
  for (const stdin of ['\n', 'n\n', '', 'yes\n']) {
    answers.push(await apply('a.yaml --prune', { stdin, isTyped: true }));
  }

  expect(answers.map(({ exitCode }) => exitCode)).toEqual([1, 1, 1, 0]);
  for (const { stderr } of answers) expect(stderr).toMatch(/^Revoke 1 key, at once and for good\? \[y\/N\] /);
  expect((await keys()).length).toBe(1);
});

it('makes a key anew whose secret is in no file, and no other key', async () => {
  const { apply, files, keyOf, create, call } = await startService();
  await create({ name: 'Adopted', external_id: 'adopted' });
  files['a.yaml'] = key('job', '{ name: Job, expires_in: 30d }') + key('adopted', '{ name: Adopted }');
  const secretless = await apply('a.yaml');
  const first = await keyOf('job');
  const patched = { permissions: ['read:all'], principals: ['*.a.example'] };
  await call('PATCH', `/admin/api-keys/${first.id}`, patched);

  const refused = await apply('a.yaml --secrets out');
  const anew = await apply('a.yaml --secrets out --yes');
  const second = await keyOf('job');
  const again = await apply('a.yaml --secrets out');

  expect(secretless).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('no --secrets') });
  expect(refused).toMatchObject({
    exitCode: 2,
    stdout: `- Key job (${first.id}): the file with its secret is missing\n+ Key job\n`,
  });
  expect(anew.exitCode).toBe(0);
  expect(Object.keys(files)).toEqual(['a.yaml', 'out/job']);
  expect(second).toMatchObject(patched);
  expect((await call('GET', `/admin/api-keys/${first.id}`)).json.data.state).toBe('revoked');
  const { json } = await call('POST', '/admin/api-keys:find', { key: files['out/job'] });
  expect(json.data.id).toBe(second.id);
  expect(again).toMatchObject({ exitCode: 0, stdout: 'nothing to change: 2 as wanted\n' });
});

it('refuses another scheme, environment or owner of a key that is there, and changes nothing', async () => {
  const { apply, files, keyOf, call } = await startService();
  files['a.yaml'] = key('job', '{ name: Job, owner: acme }');
  await apply('a.yaml');
  const cases = { scheme: 'mira', environment: 'test', owner: 'globex' };

  for (const [member, value] of Object.entries(cases)) {
    const spec = { name: 'Renamed', owner: 'acme', [member]: value };
    files['a.yaml'] = `${key('new', '{ name: New }')}${key('job', JSON.stringify(spec))}`;
    const refused = await apply('a.yaml --prune --yes');
    expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
    expect(refused.stderr).toMatch(
      new RegExp(`\n {2}a\\.yaml:7: Key job: ${member}: is .*cannot be changed\n$`),
    );
  }
  expect(await keyOf('new')).toBeUndefined();
  expect(await keyOf('job')).toMatchObject({ name: 'Job', scheme: 'postern', environment: 'live' });
  files['a.yaml'] = key('job', '{ name: Job, scheme: postern, environment: live }');
  expect(await apply('a.yaml --prune')).toMatchObject({ exitCode: 0 });
  // The same external id under another owner, which nobody took from this set, is another key.
  files['b.yaml'] = key('job', '{ name: Job, owner: globex }');
  await apply('b.yaml');
  expect((await call('GET', '/admin/api-keys?external_id=job')).json.data.length).toBe(2);
});

it('says all that is wrong in all documents, with its line, and changes nothing', async () => {
  const { apply, files, keys } = await startService();
  files['a.yaml'] = `${key('fine', '{ name: Fine }')}kind: Kay
external_id: a
---
kind: Key
external_id: 7
---
kind: Key
external_id: b
spec:
  permission: [read]
  permissions: ["a|b"]
  request_id: x
---
kind: Role
external_id: c
spec: { permissions: ["admin:write"] }
---
kind: Owner
external_id: acme
spec:
  keys_max: many
extra: 1
---
${key('d', '{ permissions: ["a|b"], labels: { postern.dev/set: mine } }')}${key('fine', '{ name: Fine }')}`;
  files['b.yaml'] = 'kind: [\n';

  const refused = await apply('a.yaml b.yaml');

  expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
  const lines = refused.stderr.split('\n').map((line) => line.replace(/^ {2}([ab]\.yaml:\d+).*/, '$1'));
  expect(lines.slice(0, -1)).toEqual([
    'postern: nothing was changed, since something is wrong:',
    ...['a.yaml:5', 'a.yaml:9', 'a.yaml:16', 'a.yaml:15', 'a.yaml:14', 'a.yaml:20', 'a.yaml:26', 'a.yaml:30'],
    ...['a.yaml:30', 'b.yaml:2', 'a.yaml:32'],
  ]);
  expect(await keys()).toEqual([]);
});

it.each(['text', '[a]', '7', '"\\0"'])(
  'says what a document is made of, where it is %s',
  async (document) => {
    const { apply, files, keys } = await startService();
    files['a.yaml'] = `${key('fine', '{ name: Fine }')}${document}\n`;

    const refused = await apply('a.yaml');

    expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
    expect(refused.stderr).toContain('a.yaml:5: the document: expected kind, external_id and spec\n');
    expect(await keys()).toEqual([]);
  },
);

it('says that a key that is to be made needs a name', async () => {
  const { apply, files, create } = await startService();
  files['a.yaml'] = key('job', '{ permissions: [read:all] }');

  const refused = await apply('a.yaml');
  await create({ name: 'by hand', external_id: 'job' });

  expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('name is required') });
  expect(await apply('a.yaml')).toMatchObject({ exitCode: 0 });
});

it('refuses with --secrets what has no file of its own', async () => {
  const { apply, files, keys } = await startService();
  const cases = ['"a/b"', '"."', '".."', `"${'ä'.repeat(128)}"`];

  for (const id of cases) {
    files['a.yaml'] = key(id, '{ name: A }');
    expect(await apply('a.yaml --secrets out')).toMatchObject({
      ...{ exitCode: 2, stderr: expect.stringContaining('is not a name for a file') },
    });
  }
  files['a.yaml'] = key('job', '{ name: A, owner: acme }') + key('job', '{ name: A, owner: globex }');
  expect(await apply('a.yaml --secrets out')).toMatchObject({
    ...{ exitCode: 2, stderr: expect.stringContaining('both would be one file') },
  });
  expect(await keys()).toEqual([]);
  expect(await apply('a.yaml')).toMatchObject({ exitCode: 0 });
  expect((await keys()).length).toBe(2);
});

it('says how far it came where the service refuses, and goes on from there', async () => {
  const { apply, files, call, keys } = await startService();
  files['a.yaml'] = key('one', '{ name: One }') + key('two', '{ name: Two, roles: [editor] }');

  const stopped = await apply('a.yaml --secrets out');
  await call('PUT', '/admin/roles/editor', { permissions: [] });
  const finished = await apply('a.yaml --secrets out');

  expect(stopped.exitCode).toBe(1);
  expect(stopped.stderr).toMatch(
    /^postern: Key two: the service does not take this:\n {2}roles.*\nDone before it: 1 made\. /,
  );
  expect(finished).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^\+ Key two\n1 made/) });
  expect((await keys()).length).toBe(2);
});

it('applies a folder, or standard input, as the set that --set names', async () => {
  const { apply, files, keyOf } = await startService();
  files['keys/one.yaml'] = key('one', '{ name: One }');
  files['keys/two.yml'] = key('two', '{ name: Two }');
  files['keys/README.md'] = 'no YAML: [';

  expect(await apply('keys')).toMatchObject({ exitCode: 0 });
  expect((await keyOf('two')).labels).toEqual({ 'postern.dev/set': 'keys' });
  expect(await apply('-', { stdin: key('three', '{ name: Three }') })).toMatchObject({ exitCode: 2 });
  expect(await apply('- --set piped', { stdin: key('three', '{ name: Three }') })).toMatchObject({
    exitCode: 0,
  });
  expect((await keyOf('three')).labels).toEqual({ 'postern.dev/set': 'piped' });
  expect(await apply('nowhere.yaml')).toMatchObject({ exitCode: 2 });
});

it('makes the keys of an admin key that has an owner that owner’s', async () => {
  const { apply, files, create, environment, keyOf } = await startService();
  const bound = await create({ name: 'r', permissions: ['admin:write'], owner: 'acme' });
  files['a.yaml'] = key('job', '{ name: Job }');
  const given = { environment: { ...environment, POSTERN_ADMIN_KEY: bound.key } };

  expect(await apply('a.yaml', given)).toMatchObject({ exitCode: 0 });
  expect(await keyOf('job')).toMatchObject({ owner: 'acme' });
  expect((await apply('a.yaml --prune', given)).stdout).toBe('nothing to change: 1 as wanted\n');
});

it('puts a secret into a file that its owner alone may read, whatever was there before', () => {
  const home = mkdtempSync(join(tmpdir(), 'postern-secrets-'));
  onTestFinished(() => rmSync(home, { recursive: true }));
  const out = join(home, 'made', 'secrets');

  folders.makeFolder(out);
  writeFileSync(join(out, 'job'), 'readable by all', { mode: 0o644 });
  folders.writeSecret(join(out, 'job'), 'the secret');

  expect(readFileSync(join(out, 'job'), 'utf8')).toBe('the secret');
  expect(statSync(join(out, 'job')).mode & 0o777).toBe(0o600);
  expect(statSync(out).mode & 0o077).toBe(0);
  expect(readdirSync(out)).toEqual(['job']);
  expect(folders.hasText(join(out, 'job'))).toBe(true);
  expect([folders.hasText(join(out, 'none')), folders.hasText(join(out, 'job', 'below'))]).toEqual([
    false,
    false,
  ]);
  expect([folders.namesIn(out), folders.namesIn(join(out, 'job'))]).toEqual([['job'], null]);
});
