import { describe, expect, it } from 'vitest';
import { expectRefused, get, post, startPortal } from './portal.ts';

describe('a portal session with every permission', () => {
  it('finds in the list its owner’s keys alone, and no admin key among them', async () => {
    const { opened, foreign, create, call } = await startPortal();
    const admin = await create({ name: 'of the house', owner: 'acme', permissions: ['admin:write'] });
    const { key } = await create({ name: 'of globex too', owner: 'globex' });
    const { visitor } = await opened();

    await expectRefused(visitor, [
      get(403, '/keys?owner=globex'),
      get(200, `/keys?search=${foreign.id}`),
      get(200, `/keys?search=${admin.id}`),
      get(200, '/keys?permission=admin:write'),
      get(200, '/keys?name_contains=o'),
      post(400, '/keys', { search: key }),
      post(400, '/keys', { search: admin.key }),
    ]);
    expect((await visitor.get('/console/keys')).text).toContain('of acme');
    expect((await call('GET', `/admin/api-keys/${admin.id}`)).json.data.state).toBe('active');
  });

  it('makes no key of another owner, none that opens the admin API, none with limits of its own', async () => {
    const { opened, call } = await startPortal();
    const { visitor } = await opened();
    await visitor.get('/console/keys/new');

    await expectRefused(visitor, [
      post(403, '/keys/new', { name: 'n', owner: 'globex' }),
      post(403, '/keys/new', { name: 'n', scheme: 'postern', permissions: 'admin:write' }),
      post(403, '/keys/new', { name: 'n', scheme: 'postern', permissions: 'read:a\nadmin:read' }),
      post(403, '/keys/new', { name: 'n', permissions: 'admin:*' }),
      post(403, '/keys/new', { name: 'n', scheme: 'converra', plan: 'Enterprise' }),
    ]);
    expect((await call('GET', '/admin/api-keys?owner=acme')).json.data).toHaveLength(1);
  });

  it('sees and changes no key of another owner, and no admin key of its own', async () => {
    const { opened, foreign, create, call } = await startPortal();
    const wanted = { name: 'of the house', scheme: 'postern', owner: 'acme', permissions: ['admin:write'] };
    const admin = await create(wanted);
    const { visitor } = await opened();

    for (const { id } of [foreign, admin]) {
      await expectRefused(visitor, [
        ...['', '/edit', '/rotate', '/revoke'].map((page) => get(404, `/keys/${id}${page}`)),
        post(404, `/keys/${id}/edit`, { name: 'mine', etag: 'v1' }),
        post(404, `/keys/${id}/rotate`, { grace_period: '0s' }),
        ...['revoke', 'disable', 'enable'].map((change) => post(404, `/keys/${id}/${change}`)),
      ]);
      expect((await call('GET', `/admin/api-keys/${id}`)).json.data).toMatchObject({ etag: 'v1' });
    }
  });

  it('gives a key of its own nothing that opens the admin API, and no plan', async () => {
    const { opened, own, call } = await startPortal();
    const { visitor } = await opened();
    await visitor.get(`/console/keys/${own.id}/edit`);
    const edit = (fields: Record<string, string>) =>
      post(403, `/keys/${own.id}/edit`, { name: 'of acme', etag: 'v1', ...fields });

    await expectRefused(visitor, [
      edit({ permissions: 'admin:write' }),
      edit({ permissions: 'admin:read' }),
      edit({ permissions: 'admin:*' }),
      edit({ permissions: 'read:a\nadmin:write' }),
      edit({ plan: 'gold' }),
    ]);
    expect((await call('GET', `/admin/api-keys/${own.id}`)).json.data).toMatchObject({ etag: 'v1' });
  });

  it('sees no owner, no role and nothing of the audit log, and changes none', async () => {
    const { opened, foreign, own, call } = await startPortal();
    await call('PUT', '/admin/owners/acme', { contact: 'the house' });
    await call('PUT', '/admin/roles/reader', { permissions: ['read:*'] });
    const { visitor } = await opened();
    const key = await visitor.get(`/console/keys/${own.id}`);

    expect(key.html).not.toMatch(/href="\/console\/(?:owners|roles|audit)/);
    expect(key.text).not.toContain('POSTERN_ADMIN_KEY');
    await expectRefused(visitor, [
      ...['/owners', '/owners/acme', '/owners/globex'].map((page) => get(403, page)),
      post(403, '/owners/acme', { plan: 'gold' }),
      post(403, '/owners/acme/suspend'),
      post(403, '/owners/globex/resume'),
      ...['/roles', '/roles/reader', '/roles/other', '/roles/reader/delete'].map((page) => get(403, page)),
      post(403, '/roles/reader', { permissions: 'write:*' }),
      post(403, '/roles/reader/delete'),
      ...[
        '',
        `?target=${own.id}`,
        `?target=${foreign.id}`,
        '?action=CreateKey',
        '?actor=POSTERN_ADMIN_KEY',
      ].map((query) => get(403, `/audit${query}`)),
    ]);
    expect((await call('GET', '/admin/roles/reader')).json.data.permissions).toEqual(['read:*']);
    expect((await call('GET', '/admin/owners/acme')).json.data).toMatchObject({
      plan: null,
      suspended: false,
    });
  });

  it('is no way into REST, by its cookie, its link or what it is called', async () => {
    const { base, opened, portal } = await startPortal();
    const { visitor, made } = await opened();
    const { url } = await portal();
    const ask = async (headers: Record<string, string>) =>
      (await fetch(`${base}/admin/api-keys`, { headers })).status;

    expect(await ask({ cookie: visitor.cookie ?? '' })).toBe(401);
    const secrets = [url.split('/').at(-1), url.split('.').at(-1), made.id, `portal:${made.id}`];
    for (const secret of [...secrets, visitor.cookie?.split('=')[1], `console_${'A'.repeat(43)}`])
      expect(await ask({ authorization: `Bearer ${secret}` })).toBe(401);
  });
});

describe('a portal session that may only look', () => {
  it.each([
    [['keys:read'], 'keys:write'],
    [['keys:read', 'usage:read'], 'keys:write'],
  ])('is offered no change by %j, and makes none', async (permissions, lacking) => {
    const { opened, own, call } = await startPortal();
    const { visitor } = await opened({ permissions });
    const shown = await visitor.get(`/console/keys/${own.id}`);

    expect(shown.status).toBe(200);
    expect(shown.html).not.toMatch(/\/(?:edit|rotate|revoke|disable)"/);
    expect(shown.html.includes('id="usage"')).toBe(permissions.includes('usage:read'));
    const forms = ['/keys/new', ...['edit', 'rotate', 'revoke'].map((form) => `/keys/${own.id}/${form}`)];
    const changes = ['edit', 'rotate', 'revoke', 'disable', 'enable'].map(
      (change) => `/keys/${own.id}/${change}`,
    );
    await expectRefused(visitor, [
      ...forms.map((path) => get(403, path)),
      post(403, '/keys/new', { name: 'n', request_id: 'r' }),
      ...changes.map((path) => post(403, path, { name: 'n', etag: 'v1' })),
    ]);
    expect((await visitor.post('/console/keys/new', { name: 'n' })).text).toContain(lacking);
    expect((await call('GET', `/admin/api-keys/${own.id}`)).json.data).toMatchObject({ etag: 'v1' });
  });
});
