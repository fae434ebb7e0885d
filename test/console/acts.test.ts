import { expect, it } from 'vitest';
import { createBrowser, startConsole } from './browser.ts';

it('says once what was done, on the page of what it was done to, and to that session alone', async () => {
  const { operator, browser, base, create, adminKey, service } = await startConsole();
  const [one, other] = [await create({ name: 'one' }), await create({ name: 'other' })];
  const colleague = browser();
  await colleague.signIn(await adminKey('admin:write'));
  const disable = (id: string) => operator.post(`/console/keys/${id}/disable`, {});

  const { headers } = await disable(one.id);
  const flash = headers.getSetCookie().find((set) => set.includes('_flash=')) ?? '';
  const elsewhere = await operator.get(`/console/keys/${other.id}`);
  const told = await operator.get(`/console/keys/${one.id}`);
  const again = await operator.get(`/console/keys/${one.id}`);
  expect(flash).toMatch(
    /^postern_console_flash=[\w-]+; Max-Age=60; Path=\/console; HttpOnly; SameSite=Strict$/,
  );
  expect([elsewhere, told, again].map(({ text }) => text.includes('“one” is disabled.'))).toEqual([
    ...[false, true, false],
  ]);

  // Of another session, changed, or too old it says nothing.
  const [pair = ''] = flash.split(';');
  const replayed = createBrowser(base);
  replayed.cookie = `${colleague.cookie}; ${pair}`;
  expect((await replayed.get(`/console/keys/${one.id}`)).text).not.toContain('“one” is disabled.');
  replayed.cookie = `${operator.cookie}; ${pair.slice(0, -4)}AAAA`;
  expect((await replayed.get(`/console/keys/${one.id}`)).text).not.toContain('“one” is disabled.');
  replayed.cookie = `${operator.cookie}; ${pair}`;
  service.clock.now += 60_000;
  expect((await replayed.get(`/console/keys/${one.id}`)).text).not.toContain('“one” is disabled.');
});

it('undoes by one button what can be undone', async () => {
  const { operator, create, call } = await startConsole();
  const { id } = await create({ name: 'resting' });
  const disabled = await operator.act(`/console/keys/${id}/disable`, {});
  const [, action = ''] = /class="flash".*?<form method="post" action="([^"]+)"/s.exec(disabled.html) ?? [];
  const undone = await operator.act(action, {});
  expect(undone.text).toContain('“resting” is enabled.');
  expect((await call('GET', `/admin/api-keys/${id}`)).json.data.state).toBe('active');
});

it('names as many replicas as fit where many have not confirmed an act', async () => {
  const { operator, create, service } = await startConsole();
  const { id } = await create({ name: 'slow' });
  const unconfirmedReplicas = Array.from({ length: 200 }, (_, at) => `pod-${at}-${'x'.repeat(200)}`);
  service.store.settle = async () => ({ effectiveAt: service.clock.now, unconfirmedReplicas });
  const disabled = await operator.act(`/console/keys/${id}/disable`, {});
  expect(disabled.text).toMatch(/“slow” is disabled\..*200 replicas have not confirmed it yet/);
  expect(disabled.text).toContain('and 192 more');
});

it('asks before it disables, and warns of one’s own admin key before it is disabled, revoked, rotated or edited, alone or among others', async () => {
  const { browser, adminKey, create, call } = await startConsole();
  const { id } = await create({ name: 'another' });
  const admin = browser();
  await admin.signIn(await adminKey('admin:write'));
  const [own] = (await call('GET', '/admin/api-keys?permission=admin:write')).json.data;

  for (const verb of ['disable', 'revoke', 'rotate', 'edit']) {
    const warned = await admin.get(`/console/keys/${own.id}/${verb}`);
    const others = await admin.get(`/console/keys/${id}/${verb}`);
    expect(warned.text).toContain('This is the admin key that you are signed in with. ');
    expect(others.text).not.toContain('signed in with');
  }
  const among = 'Among them is the admin key that you are signed in with. You are signed out at once.';
  for (const verb of ['disable', 'revoke']) {
    const both = await admin.get(`/console/keys/${verb}?ids=${own.id},${id}`);
    const listed = await admin.get(`/console/keys/${verb}?state=active`);
    expect([both.text.includes(among), listed.text.includes(among)]).toEqual([true, true]);
    for (const query of [`ids=${id}`, 'search=another'])
      expect((await admin.get(`/console/keys/${verb}?${query}`)).text).not.toContain('signed in with');
  }
  const key = await admin.get(`/console/keys/${id}`);
  expect(key.html).toContain(`href="/console/keys/${id}/disable"`);
  expect(key.html).not.toContain(`action="/console/keys/${id}/disable"`);
  await call('DELETE', `/admin/api-keys/${id}`);
  const late = await admin.post(`/console/keys/${id}/disable`, {});
  expect(late.text).toContain('was revoked already');
});

it('tells who signed in to read what they lack, in no words about admin keys', async () => {
  const { startOidc } = await import('./sign-in/oidc.ts');
  const { provider, signedIn, create } = await startOidc();
  const { id } = await create({ name: 'theirs' });
  provider.claims.groups = ['support'];
  const { visitor } = await signedIn();
  await visitor.get('/console/keys');
  const shown = [
    await visitor.get('/console/keys/new'),
    await visitor.get(`/console/keys/${id}/revoke`),
    await visitor.post('/console/keys/new', { name: 'x' }),
    await visitor.post(`/console/keys/${id}/disable`, {}),
    await visitor.post('/console/owners/acme', {}),
  ];
  for (const { status, text } of shown) {
    expect([status, /needs admin:write|lacks admin:write/.test(text)]).toEqual([403, true]);
    expect(text).not.toMatch(/admin key/i);
  }
});

it('leads a browser that asks for / to the console, and nothing else', async () => {
  const { base } = await startConsole();
  const ask = (accept: string, method = 'GET') =>
    fetch(`${base}/`, { method, headers: { accept }, redirect: 'manual' });
  for (const accept of ['text/html,application/xhtml+xml,*/*;q=0.8', 'application/json, TEXT/HTML;q=0.1']) {
    const led = await ask(accept);
    expect([led.status, led.headers.get('location'), led.headers.get('vary')]).toEqual([
      ...[303, '/console', 'Accept'],
    ]);
  }
  for (const accept of ['*/*', 'application/json', 'text/html;q=0', 'text/*', '']) {
    const none = await ask(accept);
    expect([accept, none.status, none.headers.get('content-type')]).toEqual([
      ...[accept, 404, 'application/json; charset=utf-8'],
    ]);
  }
  expect((await ask('text/html', 'POST')).status).toBe(404);
});
