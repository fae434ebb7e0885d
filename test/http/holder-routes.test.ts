import { expect, it } from 'vitest';
import type { HolderSettings } from '../../src/admin/holder/holder.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { listChain } from '../store-contract/setting.ts';
import { sendRaw, startListener, type TestListener } from './listener.ts';

it('tells a key what it is and how it stands with its limits, and spends nothing of them', async () => {
  const { call, create, own, service } = await start();
  await call('PUT', '/admin/roles/reader', { permissions: ['read:a', 'read:b'] });
  const made = await create({
    ...{ name: 'Mine', owner: 'acme', permissions: ['read:b', 'write:c'], roles: ['reader'] },
    ...{ rate_limits: [{ name: 'daily', limit: 10, period: 'day' }], labels: { team: 'secret' } },
  });
  for (let times = 0; times < 3; times++) {
    const { status, json } = await own('GET', '/api-key', made.key);
    expect(status).toBe(200);
    expect(Object.keys(json.data)).toEqual(
      'id name prefix last4 scheme environment owner permissions expires_at state limits'.split(' '),
    );
    expect(json.data).toMatchObject({
      ...{ id: made.id, name: 'Mine', prefix: made.prefix, last4: made.last4, scheme: 'postern' },
      ...{ environment: 'live', owner: 'acme', permissions: ['read:b', 'write:c', 'read:a'] },
      ...{ expires_at: null, state: 'active', limits: [{ name: 'daily', used: 0, remaining: 10 }] },
    });
  }
  await call('POST', `/admin/api-keys/${made.id}:charge`, { units: 10 });
  const spent = await own('GET', '/api-key', made.key);
  expect(spent.json.data.limits).toMatchObject([{ used: 10, remaining: 0 }]);
  expect((await listChain(service.store)).map(({ action }) => action)).not.toContain('GetKey');
});

it('revokes the key that it is called with as RevokeKey does, and journals that the key did it', async () => {
  const { call, create, own, service } = await start();
  const [made, other] = [await create(), await create()];
  const revoked = await own('DELETE', '/api-key', made.key, undefined, { 'x-request-id': 'leak-7' });
  expect(revoked.status).toBe(200);
  const shown = (await call('GET', `/admin/api-keys/${made.id}`)).json.data;
  expect(revoked.json.data).toEqual({
    ...shown,
    ...{ effective_at: expect.stringMatching(/^\d{4}-.*\.\d{3}Z$/), unconfirmed_replicas: [] },
  });
  expect(shown.state).toBe('revoked');
  const entry = (await listChain(service.store)).at(-1);
  expect(entry).toMatchObject({
    ...{ actor: made.id, actorName: 'a key', action: 'RevokeKey', target: made.id, outcome: 'ok' },
    ...{ address: '127.0.0.1', requestId: 'leak-7' },
  });
  const again = await own('DELETE', '/api-key', made.key);
  expect([again.status, again.json.error.code]).toEqual([401, 'revoked_api_key']);
  expect((await own('GET', '/api-key', other.key)).status).toBe(200);
});

it('rotates it with a grace period and nothing that gives it more than it had', async () => {
  const { create, own, service } = await start();
  const expires_at = new Date(service.clock.now + 86_400_000).toISOString().replace(/\.\d+Z$/, 'Z');
  const made = await create({ name: 'a key', permissions: ['read:a'], expires_at });
  const rotated = await own(
    'POST',
    '/api-key:rotate',
    made.key,
    { grace_period: '1h' },
    { 'idempotency-key': 'one' },
  );
  expect(rotated.status).toBe(201);
  expect(rotated.json.data).toMatchObject({
    ...{ permissions: ['read:a'], expires_at, rotated_from: made.id, created_by: made.id },
    rotated_key: { id: made.id, state: 'active' },
  });
  const fresh = await own('GET', '/api-key', rotated.json.data.key);
  expect(fresh.json.data.id).toBe(rotated.json.data.id);
  const retried = await own('POST', '/api-key:rotate', made.key, { grace_period: '1h', request_id: 'one' });
  expect([retried.json.data.id, retried.json.data.key]).toEqual([rotated.json.data.id, null]);
  const second = await own('POST', '/api-key:rotate', made.key);
  expect([second.status, second.json.error.details.reason]).toEqual([409, 'KEY_ROTATED']);
  for (const field of ['expires_in', 'expires_at', 'permissions', 'key']) {
    const refused = await own('POST', '/api-key:rotate', rotated.json.data.key, { [field]: 'never' });
    expect([refused.status, refused.json.error.details.fields]).toEqual([
      400,
      [{ field, description: 'unknown field' }],
    ]);
  }
  service.clock.now += 3_600_000;
  expect((await own('GET', '/api-key', made.key)).json.error.code).toBe('expired_api_key');
});

it('is told as by a Check why a key may not pass, in the words of its scheme, before what is wrong with the call', async () => {
  const { call, create, own, service, base } = await start();
  const [disabled, bound, elsewhere] = [
    await create(),
    await create({ name: 'a', owner: 'acme' }),
    await create({ name: 'a', ip_allowlist: ['192.0.2.0/24'] }),
  ];
  await call('POST', `/admin/api-keys/${disabled.id}/disable`);
  await call('PUT', '/admin/owners/acme', { suspended: true });
  const unknown = `pst_live_${'a'.repeat(49)}`;
  const denials: [string, number, string][] = [
    [disabled.key, 401, 'disabled_api_key'],
    [bound.key, 402, 'subscription_inactive'],
    [elsewhere.key, 403, 'ip_not_allowed'],
    [unknown, 401, 'invalid_api_key'],
    [`${disabled.key} ${bound.key}`, 401, 'invalid_api_key'],
  ];
  for (const [key, status, code] of denials) {
    for (const [method, path] of calls) {
      const denied = await own(method, path, key, method === 'GET' ? undefined : '{"nonsense');
      expect([denied.status, denied.json.error.code]).toEqual([status, code]);
      expect(denied.headers.has('www-authenticate')).toBe(status === 401);
      expect(denied.headers.get('cache-control')).toBe('no-store');
      expect(denied.text).not.toContain(key);
    }
  }
  const missing = await fetch(`${base}/api-key`);
  expect([missing.status, Object(await missing.json()).error.code]).toEqual([401, 'missing_api_key']);
  expect(service.held.calls).toContainEqual(['revoke', 'disabled']);
  expect(service.held.failures).toContainEqual(['address_denied', '127.0.0.1']);
  expect(await call('GET', `/admin/api-keys/${elsewhere.id}`)).toMatchObject({
    json: { data: { state: 'active' } },
  });
});

it('takes a key where its scheme wants it, of every environment, and more than one nowhere', async () => {
  const { create, own, base, port } = await start();
  const asset = await create({ name: 'a', scheme: 'powerverse' });
  const test = await create({ name: 'a', environment: 'test' });
  expect((await own('GET', '/api-key', test.key)).json.data.environment).toBe('test');
  const found = await fetch(`${base}/api-key`, { headers: { 'x-api-key': asset.key } });
  expect(Object(await found.json()).data).toMatchObject({ id: asset.id, scheme: 'powerverse' });
  const both = `GET /api-key HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer ${test.key}\r\n`;
  const told = await sendRaw(port, `${both}Authorization: Bearer ${test.key}\r\n\r\n`);
  expect(told).toContain('401 Unauthorized');
  expect(told).toContain('invalid_api_key');
});

it('answers a query that it would overlook with 400, and takes no other key than the one that is shown', async () => {
  const { create, own } = await start();
  const [made, other] = [await create(), await create()];
  const refused = await own('POST', '/api-key:rotate?grace_period=1h', made.key);
  expect([refused.status, refused.json.error.details.fields[0].field]).toEqual([400, 'grace_period']);
  for (const body of [{ id: other.id }, { key: other.key }, { ids: [other.id] }]) {
    expect((await own('DELETE', '/api-key', made.key, body)).status).toBe(400);
  }
  for (const { key } of [made, other]) expect((await own('GET', '/api-key', key)).status).toBe(200);
});

it('is not there where the settings turn it off', async () => {
  for (const name of ['read', 'revoke', 'rotate'] as const) {
    const { create, own } = await start({ [name]: false });
    const made = await create();
    for (const [method, path, needs] of calls) {
      const body = needs === 'rotate' ? { grace_period: '1h' } : undefined;
      const { status, json } = await own(method, path, made.key, body);
      if (needs === name) expect([status, json.error.code]).toEqual([404, 'NOT_FOUND']);
      else expect(status).toBeLessThan(300);
    }
  }
});

it('refuses to end the last admin key that may change everything, and journals that it was tried', async () => {
  const { service, own } = await start({}, { hasOtherWriter: false });
  const origin = { actor: null, action: 'CreateKey', address: null, requestId: null };
  const [scheme] = service.schemes;
  const wanted = {
    ...{
      name: 'admin',
      scheme,
      environment: 'live',
      owner: null,
      permissions: ['admin:write'],
      roles: [],
      principals: [],
    },
    ...{ ipAllowlist: [], expiresAt: null, plan: null, rateLimits: [], labels: {}, externalId: null },
    ...{ requestKey: null, createdBy: null },
  };
  const { key, secret } = await service.registry.create(wanted, origin);
  const refused = await own('DELETE', '/api-key', secret?.reveal() ?? '');
  expect([refused.status, refused.json.error.details.reason]).toEqual([409, 'LAST_ADMIN_KEY']);
  const entry = (await listChain(service.store)).at(-1);
  expect(entry).toMatchObject({
    actor: key.id,
    action: 'RevokeKey',
    outcome: 'refused',
    error: 'FAILED_PRECONDITION',
  });
});

it('answers 503 in the words of the scheme where the store is away', async () => {
  const { create, own, service } = await start();
  const made = await create();
  service.store.findKey = () => Promise.reject(new StoreUnavailable('away'));
  const unknown = await own('GET', '/api-key', made.key.replace(/.$/, ''));
  expect(unknown.status).toBe(401);
  service.store.getKey = () => Promise.reject(new StoreUnavailable('away'));
  const away = await own('DELETE', '/api-key', made.key);
  expect(away.status).toBe(503);
  expect(away.headers.get('retry-after')).toBe('1');
});

const calls: readonly (readonly [method: string, path: string, needs: keyof HolderSettings])[] = [
  ['GET', '/api-key', 'read'],
  ['POST', '/api-key:rotate', 'rotate'],
  ['DELETE', '/api-key', 'revoke'],
];

async function start(settings: Partial<HolderSettings> = {}, given: { hasOtherWriter?: boolean } = {}) {
  const listener = await startListener(
    ({ holder }) => ({
      holder: { holder, settings: { read: true, revoke: true, rotate: true, ...settings } },
    }),
    {},
    given,
  );
  const own = (
    method: string,
    path: string,
    key: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): ReturnType<TestListener['call']> =>
    listener.call(method, path, body, { authorization: `Bearer ${key}`, ...headers });
  return { ...listener, own };
}
