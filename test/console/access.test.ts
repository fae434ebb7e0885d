import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createConsole } from '../../src/console/console.ts';
import { createHttpServer } from '../../src/http/server.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { createTestService } from '../service.ts';
import { consoleDependencies, fixedAdminKey, startConsole } from './browser.ts';

it('shows who may only read nothing that changes anything, and refuses it', async () => {
  const { browser, adminKey, create, call } = await startConsole();
  const { id } = await create({ name: 'theirs' });
  await call('PUT', '/admin/owners/acme', {});
  const reader = browser();
  await reader.signIn(await adminKey('admin:read'));

  for (const path of ['/keys', `/keys/${id}`, '/owners', '/owners/acme', '/activity']) {
    const shown = await reader.get(`/console${path}`);
    expect([path, shown.status]).toEqual([path, 200]);
    expect(shown.text).toContain(', read only');
    // The search is a form that posts, so that a whole key gets into no URL; it changes nothing.
    const forms = shown.html.match(/<form[^>]*method="post"[^>]*>/g) ?? [];
    expect(forms.filter((form) => !form.includes('role="search"'))).toEqual([
      '<form method="post" action="/console/sign-out">',
    ]);
    expect(shown.html).not.toMatch(/href="[^"]*\/(?:new|edit|rotate|revoke)"/);
  }
  for (const path of ['/keys/new', `/keys/${id}/edit`, `/keys/${id}/rotate`, `/keys/${id}/revoke`]) {
    const form = await reader.get(`/console${path}`);
    expect([path, form.status, /<form method="post" action="\/console\/keys/.test(form.html)]).toEqual([
      ...[path, 403, false],
    ]);
  }
  const refused = await Promise.all([
    reader.post('/console/keys/new', { name: 'mine' }),
    reader.post(`/console/keys/${id}/edit`, { name: 'mine', etag: 'v1' }),
    reader.post(`/console/keys/${id}/revoke`, {}),
    reader.post(`/console/keys/${id}/disable`, {}),
    reader.post(`/console/keys/${id}/rotate`, {}),
    reader.post('/console/owners/acme', {}),
  ]);
  expect(refused.map(({ status }) => status)).toEqual([403, 403, 403, 403, 403, 403]);
  expect(refused[0]?.text).toContain('The admin key lacks admin:write.');
  expect((await call('GET', `/admin/api-keys/${id}`)).json.data).toMatchObject({
    name: 'theirs',
    state: 'active',
  });
});

it('shows who is bound to an owner that owner’s keys alone, and makes keys of that owner', async () => {
  const { browser, adminKey, create, call } = await startConsole();
  const theirs = await create({ name: 'of globex', owner: 'globex' });
  const own = await create({ name: 'of acme', owner: 'acme' });
  await call('PUT', '/admin/owners/globex', {});
  await call('PUT', '/admin/owners/acme', { plan: 'pro' });
  const acme = browser();
  await acme.signIn(await adminKey('admin:write', 'acme'));

  const list = await acme.get('/console/keys');
  const owners = await acme.get('/console/owners');
  const form = await acme.get('/console/keys/new');
  const made = await acme.post('/console/keys/new', { name: 'made here', scheme: 'mavera', request_id: 'r' });
  const forged = await acme.post('/console/keys/new', { name: 'forged', owner: 'globex', request_id: 's' });
  const elsewhere = await acme.get(`/console/keys?owner=globex`);
  const put = await acme.post('/console/owners/acme', { plan: 'enterprise' });

  expect(list.text).toContain('of acme');
  expect(list.text).not.toContain('globex');
  expect(list.text).toContain(', owner acme');
  expect(owners.text).toContain('acme Active pro');
  expect(owners.text).not.toContain('globex');
  expect(form.html).not.toContain('name="owner"');
  expect([made.status, forged.status, elsewhere.status, put.status]).toEqual([201, 403, 403, 403]);
  for (const path of ['', '/edit', '/revoke', '/rotate']) {
    expect((await acme.get(`/console/keys/${theirs.id}${path}`)).status).toBe(404);
    expect((await acme.get(`/console/keys/${own.id}${path}`)).status).toBe(200);
  }
  expect((await acme.post(`/console/keys/${theirs.id}/revoke`, {})).status).toBe(404);
  expect((await acme.get('/console/owners/globex')).status).toBe(404);
  expect((await acme.get('/console/activity')).text).not.toContain('globex');
  expect((await call('GET', '/admin/api-keys?owner=acme&name_contains=made')).json.data).toHaveLength(1);
});

it('takes the admin key that a sign-in in front of it sends, for as long as it is sent', async () => {
  const { browser, adminKey, call } = await startConsole();
  const proxied = browser();
  proxied.headers.authorization = `Bearer ${await adminKey('admin:write', 'acme')}`;

  const form = await proxied.get('/console/keys/new');
  const made = await proxied.post('/console/keys/new', { name: 'by the portal', request_id: 'r' });
  const forged = await proxied.send('/console/keys/new', 'name=forged');

  expect(form.text).toContain(', owner acme');
  expect(form.text).not.toContain('Sign out');
  expect([made.status, forged.status]).toEqual([201, 403]);
  expect((await proxied.get('/console')).html).toContain('<h1>Overview</h1>');
  expect((await call('GET', '/admin/api-keys?owner=acme&name_contains=portal')).json.data).toHaveLength(1);
  delete proxied.headers.authorization;
  expect((await proxied.get('/console/keys')).location).toBe('/console?next=%2Fconsole%2Fkeys');
});

it('says so where what is in front sends a key that is none, and leaves alone what is not for it', async () => {
  const { browser, operator } = await startConsole();
  const proxied = browser();

  proxied.headers.authorization = 'Bearer pst_live_nobody';
  const refused = await proxied.get('/console/keys');
  operator.headers.authorization = 'Basic YTpi';
  const basic = await operator.get('/console/keys');

  expect([refused.status, refused.location]).toEqual([401, null]);
  expect(refused.text).toContain('Invalid admin key.');
  expect(basic.status).toBe(200);
});

it('is to the journal what the REST API is: the same actor, address and request id', async () => {
  const { operator, call } = await startConsole();
  operator.headers['x-request-id'] = 'from-the-proxy';
  operator.headers['x-forwarded-for'] = '192.0.2.99';

  await operator.post('/console/owners/acme', { plan: 'pro' });

  const [event] = (await call('GET', '/admin/audit-events')).json.data;
  expect(event).toMatchObject({
    ...{ action: 'PutOwner', actor: 'POSTERN_ADMIN_KEY', address: '127.0.0.1', request_id: 'from-the-proxy' },
  });
});

it('gives no address where there is none, so that a key for addresses is of no use over a Unix socket', async () => {
  const service = await createTestService();
  const folder = await mkdtemp(join(tmpdir(), 'postern-console-'));
  const path = join(folder, 'http.sock');
  const server = createHttpServer(
    {
      ...{ admin: service.admin, now: () => service.clock.now, isReady: () => ({ ready: true, why: '' }) },
      metrics: async () => ({ contentType: 'text/plain', text: '' }),
      log: { debug() {}, warn() {}, error() {} },
      pages: createConsole(consoleDependencies(service), {
        secret: Buffer.alloc(32),
        idleMs: 1e6,
        ageMaxMs: 1e6,
        ...{ isSecure: false, takesAdminKeys: true, environment: 'live' },
      }),
    },
    { listen: { kind: 'unix', path } },
  );
  await server.listen();
  onTestFinished(async () => {
    service.tail.close();
    await server.close(1_000);
    await service.store.close();
    await rm(folder, { recursive: true });
  });
  const caller = { authorization: [service.adminAuthorization], address: '' };
  const wanted = { name: 'local', permissions: ['admin:read'], ip_allowlist: ['127.0.0.0/8'] };
  const { secret } = await service.admin.createKey(caller, wanted);
  const statusFor = async (adminKey: string) => {
    const sent = request({
      socketPath: path,
      path: '/console/keys',
      headers: { authorization: `Bearer ${adminKey}` },
    });
    const [answer] = await once(sent.end(), 'response');
    answer.resume();
    return answer.statusCode;
  };

  expect([await statusFor(fixedAdminKey), await statusFor(secret?.reveal() ?? '')]).toEqual([200, 403]);
  const { events } = await service.admin.listAuditEvents(caller, { outcome: 'refused' });
  expect(events.map(({ action, address }) => [action, address])).toEqual([['GetTerms', null]]);
});

it('says that the store is away, and what to do', async () => {
  const { operator, service } = await startConsole();
  await operator.get('/console/keys/new');
  service.store.listKeys = () => Promise.reject(new StoreUnavailable('away'));
  service.store.insertKey = () => Promise.reject(new StoreUnavailable('away'));

  const listed = await operator.get('/console/keys');
  const made = await operator.post('/console/keys/new', { name: 'x', request_id: 'r' });

  expect([listed.status, made.status]).toEqual([503, 503]);
  expect(listed.html).toContain('<a class="button" href>Try again</a>');
  expect(made.text).toContain('send the form again');
});

it('says of what is broken that it is, and no more', async () => {
  const { operator, service } = await startConsole();
  service.store.listKeys = () => Promise.reject(new Error('the inner cause'));

  const broken = await operator.get('/console/keys');

  expect(broken.status).toBe(500);
  expect(broken.text).toContain('Something is broken');
  expect(broken.text).not.toContain('inner cause');
});
