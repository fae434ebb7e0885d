import { expect, it } from 'vitest';
import { type Admin, createAdmin } from '../../src/admin/admin.ts';
import { createPlans } from '../../src/limits/plan.ts';
import type { Scheme } from '../../src/schemes/scheme.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { sendRaw, startListener } from './listener.ts';

const keyMembers = [
  ...['id', 'name', 'prefix', 'permissions', 'created_at', 'last_used_at', 'expires_at'],
  ...['scheme', 'environment', 'owner', 'last4', 'ip_allowlist', 'plan', 'rate_limit', 'labels', 'state'],
  ...[
    'updated_at',
    'revoked_at',
    'rotated_from',
    'etag',
    'roles',
    'rate_limits',
    'principals',
    'external_id',
  ],
  ...['created_by', 'replaced_by', 'blocked'],
];

it('answers a new key with its members in the contract’s order, and the secret after them', async () => {
  const { call, service } = await startListener();
  service.clock.now = Date.parse('2031-02-03T04:05:06.789Z');

  const made = await call('POST', '/admin/api-keys', {
    name: 'Asset Controls Backend',
    scheme: 'powerverse',
    permissions: ['read:assets', 'write:schedules'],
    ip_allowlist: ['10.0.0.0/8'],
    expires_at: '2031-12-31T23:59:59Z',
    rate_limit: { limit: 100, window: '1m' },
    labels: { team: 'grid' },
  });

  expect(made.status).toBe(201);
  expect(Object.keys(made.json.data)).toEqual([...keyMembers, 'key']);
  expect(made.json.data).toMatchObject({
    id: expect.stringMatching(/^key_/),
    prefix: made.json.data.key.slice(0, 'ak_live_'.length + 4),
    permissions: ['read:assets', 'write:schedules'],
    created_at: '2031-02-03T04:05:06Z',
    last_used_at: null,
    expires_at: '2031-12-31T23:59:59Z',
    scheme: 'powerverse',
    environment: 'live',
    owner: null,
    last4: made.json.data.key.slice(-4),
    ip_allowlist: ['10.0.0.0/8'],
    plan: null,
    rate_limit: { limit: 100, window: '60s' },
    labels: { team: 'grid' },
    state: 'active',
    revoked_at: null,
    rotated_from: null,
    etag: expect.any(String),
    created_by: 'POSTERN_ADMIN_KEY',
    replaced_by: null,
    blocked: null,
  });
});

it('says of a key that its owner blocks it, alone, in a list and in the answer to a change, while it is so', async () => {
  const { call, create, service } = await startListener();
  const { id } = await create({ name: 'a', owner: 'acme' });
  const ended = await create({ name: 'a', owner: 'acme' });
  await call('POST', `/admin/api-keys/${ended.id}/disable`);
  const other = await create({ name: 'b', owner: 'other' });
  const blocked = async () => {
    const { json } = await call('GET', '/admin/api-keys');
    return Object.fromEntries(
      json.data.map((key: { id: string; blocked: unknown }) => [key.id, key.blocked]),
    );
  };

  await call('PUT', '/admin/owners/acme', { suspended: true });
  // One that is disabled is denied for that.
  expect(await blocked()).toEqual({ [id]: 'owner_inactive', [ended.id]: null, [other.id]: null });
  expect((await call('GET', `/admin/api-keys/${id}`)).json.data).toMatchObject({
    ...{ state: 'active', blocked: 'owner_inactive' },
  });
  const changed = await call('PATCH', `/admin/api-keys/${id}`, { name: 'renamed' });
  expect(changed.json.data).toMatchObject({ name: 'renamed', blocked: 'owner_inactive' });

  const end = service.clock.now + 60_000;
  await call('PUT', '/admin/owners/acme', { active_until: new Date(end).toISOString() });
  expect((await blocked())[id]).toBe(null);
  service.clock.now = end + 1_000;
  expect((await blocked())[id]).toBe('owner_inactive');
});

it('says which key replaced one, and who made it', async () => {
  const { call, create } = await startListener();
  const { id } = await create();
  const admin = await create({ name: 'job', permissions: ['admin:write'] });
  const authorization = `Bearer ${admin.key}`;
  const rotated = await call(
    'POST',
    `/admin/api-keys/${id}/rotate`,
    { grace_period: '1h' },
    { authorization },
  );

  const { data } = rotated.json;
  expect(data).toMatchObject({ rotated_from: id, replaced_by: null, created_by: admin.id });
  expect(data.rotated_key).toMatchObject({ id, replaced_by: data.id, created_by: 'POSTERN_ADMIN_KEY' });
  expect((await call('GET', `/admin/api-keys/${id}`)).json.data.replaced_by).toBe(data.id);
});

it('shows a key without its secret, alone and in a list', async () => {
  const { call, create } = await startListener();
  const { key, ...rest } = await create();

  const alone = await call('GET', `/admin/api-keys/${rest.id}`);
  const list = await call('GET', '/admin/api-keys');

  expect(alone.status).toBe(200);
  expect(alone.json).toEqual({ data: rest });
  expect(list.json).toEqual({ data: [rest], next_page_token: null });
  expect(alone.text + list.text).not.toContain(key);
});

it('reads a body as JSON whatever its Content-Type', async () => {
  const { call, port, service } = await startListener();
  const types = ['application/x-www-form-urlencoded', 'text/plain', 'nonsense', 'a/b; c', 'application/json'];

  for (const type of types) {
    const made = await call('POST', '/admin/api-keys', '{"name":"a"}', { 'content-type': type });
    expect([type, made.status]).toEqual([type, 201]);
  }
  const head = `POST /admin/api-keys HTTP/1.1\r\nHost: a\r\nAuthorization: ${service.adminAuthorization}\r\n`;
  const raw = await sendRaw(port, `${head}Content-Length: 12\r\nConnection: close\r\n\r\n{"name":"a"}`);
  expect(raw).toMatch(/^HTTP\/1.1 201 /);
});

it.each([
  ['nothing', '', '(body)', 'is empty; send a JSON object'],
  ['no JSON', '{"name": "hunter2"', '(body)', 'cannot be read as JSON'],
  ['a list', '[]', '(body)', 'is not a JSON object'],
  ['null', 'null', '(body)', 'is not a JSON object'],
  ['a __proto__', '{"name":"a","labels":{"__proto__":"b"}}', 'labels.__proto__', 'is not a name for a label'],
  ['a field twice', '{"name":"a","name":"b"}', 'name', 'is given more than once'],
  ['a deep nest', '{"name":'.repeat(100_000), '(body)', 'cannot be read as JSON'],
  ['an unknown field', '{"name":"a","nome":"b"}', 'nome', 'unknown field'],
  ['no name', '{}', 'name', expect.any(String)],
])('names the fault in a body that holds %s, and does not quote it', async (_, body, field, description) => {
  const { call } = await startListener();

  const refused = await call('POST', '/admin/api-keys', body);

  expect(refused.status).toBe(400);
  expect(refused.json.error).toEqual({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining(field),
    details: { reason: 'INVALID_FIELD', fields: [{ field, description }] },
  });
  expect(refused.text).not.toContain('hunter2');
});

it('refuses a body that is not UTF-8', async () => {
  const { base, service } = await startListener();

  const refused = await fetch(`${base}/admin/api-keys`, {
    method: 'POST',
    headers: { authorization: service.adminAuthorization },
    body: Buffer.from('{"name":"\xff"}', 'latin1'),
  });

  expect(refused.status).toBe(400);
  expect(await refused.text()).toContain('is not UTF-8');
});

it('says who may not call before it says what is wrong with the call', async () => {
  const { call } = await startListener();

  for (const [method, path, body] of [
    ['POST', '/admin/api-keys', 'no JSON'],
    ['POST', '/admin/api-keys:verify', ''],
    ['GET', '/admin/api-keys?page_size=x', undefined],
    ['GET', '/admin/api-keys/key_of_nobody', undefined],
    ['DELETE', '/admin/api-keys/key_of_nobody', undefined],
  ] as const) {
    const refused = await call(method, path, body, { authorization: 'Bearer nobody' });
    expect([path, refused.status]).toEqual([path, 401]);
    expect(refused.headers.get('www-authenticate')).toBe('Bearer realm="postern"');
    expect(refused.json.error.code).toBe('UNAUTHENTICATED');
  }
});

it('refuses a repeated Authorization header', async () => {
  const { port, service } = await startListener();
  const line = `Authorization: ${service.adminAuthorization}\r\n`;

  const raw = await sendRaw(
    port,
    `GET /admin/api-keys HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${line}${line}\r\n`,
  );

  expect(raw).toMatch(/^HTTP\/1.1 401 /);
});

it('answers 403 to an admin key that may only read', async () => {
  const { call, create } = await startListener();
  const reader = await create({ name: 'reader', scheme: 'postern', permissions: ['admin:read'] });

  const refused = await call('DELETE', '/admin/api-keys/key_x', undefined, {
    authorization: `Bearer ${reader.key}`,
  });

  expect(refused.status).toBe(403);
  expect(refused.json.error.details).toEqual({ reason: 'ADMIN_PERMISSION_REQUIRED' });
});

it('turns the parameters of a list into its filters and pages', async () => {
  const { call, create } = await startListener();
  const ids = [];
  for (const name of ['one', 'two', 'three']) ids.unshift((await create({ name, owner: 'acme' })).id);
  await create({ name: 'other' });

  const first = await call('GET', '/admin/api-keys?owner=acme&page_size=2');
  const token = encodeURIComponent(first.json.next_page_token);
  const second = await call('GET', `/admin/api-keys?owner=acme&page_size=2&page_token=${token}`);
  const named = await call('GET', '/admin/api-keys?name_contains=THR&state=active&environment=live');

  expect([...first.json.data, ...second.json.data].map(({ id }) => id)).toEqual(ids);
  expect(second.json.next_page_token).toBeNull();
  expect(named.json.data.map(({ name }: { name: string }) => name)).toEqual(['three']);
});

it('says how many keys there are on all pages where it is asked, of a bound admin key those of its owner', async () => {
  const { call, create } = await startListener();
  for (let at = 0; at < 3; at++) await create({ name: 'one', owner: 'acme' });
  await create({ name: 'other' });
  const bound = await create({
    ...{ name: 'reader', scheme: 'postern', owner: 'acme', permissions: ['admin:read'] },
  });
  const total = async (query: string, key?: string) =>
    (
      await call(
        ...(['GET', `/admin/api-keys?${query}`, undefined] as const),
        key === undefined ? undefined : { authorization: `Bearer ${key}` },
      )
    ).json;

  const first = await total('owner=acme&page_size=2&include_total=true');
  expect([first.data.length, first.total_size]).toEqual([2, 4]);
  const token = encodeURIComponent(first.next_page_token);
  const next = await total(`owner=acme&page_size=2&include_total=true&page_token=${token}`);
  expect([next.data.length, next.total_size]).toEqual([2, 4]);
  expect((await total('name_contains=nobody&include_total=true')).total_size).toBe(0);
  expect((await total('include_total=true', bound.key)).total_size).toBe(4);
  for (const query of ['page_size=2', 'include_total=false'])
    expect(await total(query)).not.toHaveProperty('total_size');
});

it.each([
  ['include_total=1', 'include_total', 'is neither true nor false'],
  ['page_size=ten', 'page_size', 'is not a whole number, 0 or more'],
  ['page_size=-1', 'page_size', 'is not a whole number, 0 or more'],
  ['owner=a&owner=b', 'owner', 'is given more than once'],
  ['sort=name', 'sort', 'unknown field'],
  ['__proto__=a', '__proto__', 'unknown field'],
  ['state=gone', 'state', expect.any(String)],
])('names the parameter at fault in ?%s', async (query, field, description) => {
  const { call } = await startListener();

  const refused = await call('GET', `/admin/api-keys?${query}`);

  expect(refused.status).toBe(400);
  expect(refused.json.error.details.fields).toEqual([{ field, description }]);
});

it('says from when a revocation and a disabling hold', async () => {
  const { call, create } = await startListener();
  const { id } = await create();

  const disabled = await call('POST', `/admin/api-keys/${id}/disable`);
  const enabled = await call('POST', `/admin/api-keys/${id}/enable`, {});
  const revoked = await call('DELETE', `/admin/api-keys/${id}`);

  expect([disabled.status, enabled.status, revoked.status]).toEqual([200, 200, 200]);
  expect(Object.keys(disabled.json.data)).toEqual([...keyMembers, 'effective_at', 'unconfirmed_replicas']);
  expect(disabled.json.data.state).toBe('disabled');
  expect(Object.keys(enabled.json.data)).toEqual(keyMembers);
  expect(enabled.json.data.state).toBe('active');
  expect(revoked.json.data).toMatchObject({
    state: 'revoked',
    effective_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    unconfirmed_replicas: [],
  });

  const late = await call('POST', `/admin/api-keys/${id}/enable`);
  expect(late.status).toBe(409);
  expect(late.json.error).toMatchObject({ code: 'FAILED_PRECONDITION', details: { reason: 'KEY_REVOKED' } });
});

it('refuses what it would ignore in the body of a call that takes none', async () => {
  const { call, create } = await startListener();
  const { id } = await create();

  const refused = await call('POST', `/admin/api-keys/${id}/disable`, { until: 'tomorrow' });

  expect(refused.status).toBe(400);
  expect(refused.json.error.details.fields).toEqual([{ field: 'until', description: 'unknown field' }]);
  expect((await call('GET', `/admin/api-keys/${id}`)).json.data.state).toBe('active');
});

it('verifies a key without letting anyone in', async () => {
  const { call, create } = await startListener();
  const { id, key } = await create();

  const allowed = await call('POST', '/admin/api-keys:verify', { key });
  await call('DELETE', `/admin/api-keys/${id}`);
  const denied = await call('POST', '/admin/api-keys:verify', { key });

  expect(allowed.json).toEqual({ data: { allowed: true, reason: null, status: 200, key_id: id } });
  expect(denied.json).toEqual({ data: { allowed: false, reason: 'revoked', status: 401, key_id: id } });
});

it('answers 404 for a key that is not there', async () => {
  const { call } = await startListener();

  for (const id of ['key_00000000000000000000000000', 'x', 'a%2f..%2fb', 'a%00b']) {
    const refused = await call('GET', `/admin/api-keys/${id}`);
    expect([id, refused.status]).toEqual([id, 404]);
    expect(refused.json.error.details).toEqual({ reason: 'KEY_NOT_FOUND' });
  }
});

it('answers 503 with Retry-After while the store is away, and says why in the log alone', async () => {
  const { call, logged } = await startListener({
    admin: brokenAdmin(new StoreUnavailable('connect ECONNREFUSED mongo.internal:27017')),
  });

  const refused = await call('GET', '/admin/api-keys');

  expect(refused.status).toBe(503);
  expect(refused.headers.get('retry-after')).toBe('1');
  expect(refused.json.error).toMatchObject({ code: 'UNAVAILABLE', details: { reason: 'STORE_UNAVAILABLE' } });
  expect(refused.text).not.toContain('mongo.internal');
  expect(logged.find(({ level }) => level === 'warn')?.err).toMatchObject({
    message: expect.stringContaining('mongo.internal'),
  });
});

it('answers 500 in fixed words to what broke, and logs it with its stack', async () => {
  const { call, logged } = await startListener({ admin: brokenAdmin(new Error('secret of the house')) });

  const broken = await call('GET', '/admin/api-keys');

  expect(broken.status).toBe(500);
  expect(broken.json.error).toMatchObject({ code: 'INTERNAL', details: { reason: 'INTERNAL' } });
  expect(broken.text).not.toContain('house');
  expect(logged.find(({ level }) => level === 'error')?.err).toHaveProperty('stack');
});

function brokenAdmin(error: Error): Admin {
  const fail = () => Promise.reject(error);
  const none = undefined as never;
  const scheme = { name: 'none' } as Scheme;
  return createAdmin({
    identify: fail,
    ...{
      registry: none,
      store: none,
      refusals: none,
      guard: { many: none } as never,
      waysIn: none,
      authorize: none,
      digester: none,
      noteUse: none,
      findings: none,
      keyring: none,
      standings: none,
      charge: none,
      portal: null,
    },
    policy: () => ({
      plans: createPlans(new Map()),
      keySchemes: [scheme],
      environment: 'live',
      keyRules: [],
    }),
    now: () => 0,
    ...{ tail: none, replicaId: 'a', monotonic: () => 0 },
  });
}
