import { expect, it } from 'vitest';
import { createBrowser, fieldIn, fixedAdminKey, type Shown, startConsole } from './browser.ts';
import { startOidc } from './sign-in/oidc.ts';

const minute = 60_000;

it('leads who signs in to the page that the link named, and nowhere out of the console', async () => {
  const { base, browser, create } = await startConsole();
  const { id } = await create({ name: 'linked' });

  for (const path of [`/console/keys/${id}`, '/console/keys?state=active&owner=a+b', '/console/owners/%2F']) {
    const visitor = browser();
    const asked = await visitor.get(path);
    const form = await visitor.get(asked.location ?? '');
    const nextIn = (shown: Shown) => fieldIn(shown, 'next').replaceAll('&amp;', '&');
    const wrong = await visitor.post('/console', { admin_key: 'x'.repeat(40), next: nextIn(form) });
    const next = nextIn(wrong);
    const right = await visitor.post('/console', { admin_key: fixedAdminKey, next });
    expect([asked.status, wrong.status, right.status, right.location]).toEqual([303, 401, 303, path]);
  }
  for (const next of [
    'https://evil.example/console/keys',
    '//evil.example/console/',
    '/console/../admin/api-keys',
    '/console/%2e%2e/admin',
    '/console//evil.example/',
    '/console/\\evil.example',
    '/console/sign-out',
    '/console/oidc?next=/console/keys',
    '/console/portal/x',
    'javascript:alert(1)',
    `/console/${'x'.repeat(2_000)}`,
  ]) {
    const visitor = createBrowser(base);
    const form = await visitor.get(`/console?${new URLSearchParams({ next })}`);
    const taken = await visitor.post('/console', { admin_key: fixedAdminKey, next });
    const to = new URL(taken.location ?? '', 'http://console');
    expect([next, form.status, to.host]).toEqual([next, 200, 'console']);
    expect(to.pathname).toMatch(/^\/console(?:$|\/\/|\/evil)/);
  }
});

it('leads who signs in by the OpenID provider to the page that the link named', async () => {
  const { browser, provider } = await startOidc();
  const visitor = browser();
  const asked = await visitor.get('/console/keys?search=a%26b');
  const form = await visitor.get(asked.location ?? '');
  const [, button = ''] = /href="(\/console\/oidc[^"]*)"/.exec(form.html) ?? [];
  const { location } = await visitor.get(button.replaceAll('&amp;', '&'));
  const { pathname, search } = await provider.visit(location ?? '');
  const back = await visitor.get(pathname + search);
  expect([back.status, back.location]).toEqual([303, '/console/keys?search=a%26b']);
});

it('keeps a form that is sent after its session ended, and shows it filled in after the sign-in', async () => {
  const { browser, service, call } = await startConsole();
  const visitor = browser();
  await visitor.signIn(fixedAdminKey);
  const form = await visitor.get('/console/keys/new');
  const wanted = {
    ...{ name: 'Not lost & “found”', permissions: 'read:a\r\nread:b', scheme: 'mavera', expires_in: '30d' },
    ...{ labels: 'a=<b>', limit_units_0: '5', limit_per_0: '60s', request_id: fieldIn(form, 'request_id') },
  };
  service.clock.now += 31 * minute;

  const ended = await visitor.post('/console/keys/new', wanted);
  const wrong = await visitor.post('/console', { admin_key: 'x'.repeat(40), kept: fieldIn(ended, 'kept') });
  const again = await visitor.post('/console', { admin_key: fixedAdminKey, kept: fieldIn(wrong, 'kept') });

  expect([ended.status, ended.text]).toEqual([401, expect.stringContaining('What you filled in is kept')]);
  expect(ended.html + wrong.html).not.toContain('Not lost');
  expect((await call('GET', '/admin/api-keys')).json.data).toEqual([]);
  expect([again.status, again.text]).toEqual([200, expect.stringContaining('Nothing was sent yet')]);
  expect(again.html).toContain('value="Not lost &amp; “found”"');
  expect(again.html).toMatch(/<textarea[^>]*id="permissions"[^>]*>read:a\r?\nread:b</);
  expect(again.html).toContain('>a=&lt;b></textarea>');
  expect(again.html).toMatch(/<option value="mavera" selected/);
  expect(again.html).toMatch(/<option value="30d" selected/);
  expect([fieldIn(again, 'limit_units_0'), fieldIn(again, 'request_id')]).toEqual(['5', wanted.request_id]);
  expect((await visitor.post('/console/keys/new', wanted)).status).toBe(201);
});

it('keeps a form on the page while somebody signs in elsewhere, as by a provider', async () => {
  const { browser, provider, signedIn, service } = await startOidc();
  const visitor = browser();
  await signedIn(visitor);
  await visitor.get('/console/owners/acme');
  service.clock.now += 31 * minute;
  const ended = await visitor.post('/console/owners/acme', { name: 'Acme GmbH', suspended: 'yes' });
  const kept = fieldIn(ended, 'kept');
  const early = await visitor.post('/console/resume', { kept });
  await signedIn(visitor);
  const resumed = await visitor.post('/console/resume', { kept });

  expect(ended.html).toMatch(/<a [^>]*href="\/console\/oidc"[^>]*target="_blank"/);
  expect([early.status, fieldIn(early, 'kept') !== '']).toEqual([401, true]);
  expect([resumed.status, fieldIn(resumed, 'name')]).toEqual([200, 'Acme GmbH']);
  expect(resumed.html).toMatch(/name="suspended" value="yes" checked/);
  expect(provider.issuer).toContain('http');
});

it('shows a form of another session filled in, and does nothing before it is sent again', async () => {
  const { operator, call } = await startConsole();
  await operator.get('/console/keys/new');
  const old = await operator.post('/console/keys/new', { token: 'of-another', name: 'Twice' });
  expect([old.status, fieldIn(old, 'name')]).toEqual([403, 'Twice']);
  expect(old.text).toContain('This form is of a session that has ended, and nothing was done.');
  expect((await call('GET', '/admin/api-keys')).json.data).toEqual([]);
  expect((await operator.post('/console/keys/new', { name: 'Twice' })).status).toBe(201);
});

it('keeps no search, which may be a whole key, and shows no form that was changed or is too old', async () => {
  const { browser, service } = await startConsole();
  const visitor = browser();
  await visitor.signIn(fixedAdminKey);
  await visitor.get('/console/keys/new');
  service.clock.now += 31 * minute;
  const searched = await visitor.post('/console/keys', { search: 'pst_live_secret' });
  const ended = await visitor.post('/console/keys/new', { name: 'Late' });
  const kept = fieldIn(ended, 'kept');
  const changed = kept.slice(0, -2) + (kept.endsWith('AA') ? 'BB' : 'AA');
  await visitor.signIn(fixedAdminKey);
  const forged = await visitor.post('/console/resume', { kept: changed });
  await visitor.get('/console/keys');
  service.clock.now += 13 * 60 * minute;
  await visitor.signIn(fixedAdminKey);
  const late = await visitor.post('/console/resume', { kept });

  expect([searched.status, searched.location]).toEqual([303, '/console?ended=yes&next=%2Fconsole%2Fkeys']);
  expect([forged.status, late.status]).toEqual([400, 400]);
  expect(forged.html + late.html).not.toContain('Late');
});

it('shows both versions where somebody else changed a key, an owner or a role meanwhile, and saves over it then', async () => {
  const { operator, create, call } = await startConsole();
  const { id } = await create({ name: 'old', permissions: ['a'], plan: 'pro' });
  await call('PUT', '/admin/owners/acme', { plan: 'pro' });
  await call('PUT', '/admin/roles/reader', { permissions: ['read:a'] });
  const keyPath = `/console/keys/${id}/edit`;
  const opened = {
    key: fieldIn(await operator.get(keyPath), 'etag'),
    owner: fieldIn(await operator.get('/console/owners/acme'), 'etag'),
    role: fieldIn(await operator.get('/console/roles/reader'), 'etag'),
  };
  await call('PATCH', `/admin/api-keys/${id}`, { name: 'theirs', permissions: ['a', 'b'] });
  await call('PATCH', '/admin/owners/acme', { plan: 'free' });
  await call('PUT', '/admin/roles/reader', { permissions: ['read:b'] });

  const mine = { name: 'mine', permissions: 'b a', plan: 'pro' };
  const key = await operator.post(keyPath, { ...mine, etag: opened.key });
  const owner = await operator.post('/console/owners/acme', { plan: 'enterprise', etag: opened.owner });
  const role = await operator.post('/console/roles/reader', { permissions: 'read:c', etag: opened.role });

  expect([key.status, owner.status, role.status]).toEqual([409, 409, 409]);
  expect(key.text).toMatch(
    /Nothing of yours was saved.*Field Holds now You wrote Name theirs mine Permissions/,
  );
  expect(key.text).not.toContain('Plan pro');
  expect(key.html).toMatch(/<title>Error: /);
  expect(owner.text).toMatch(/Plan free enterprise/);
  expect(role.text).toMatch(/Permissions read:b read:c/);
  expect(fieldIn(key, 'name')).toBe('mine');
  const saved = await operator.act(keyPath, { ...mine, etag: fieldIn(key, 'etag') });
  expect(saved.text).toContain('“mine” is saved.');
  expect((await call('GET', `/admin/api-keys/${id}`)).json.data.name).toBe('mine');
});
