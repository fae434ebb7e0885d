import { expect, it } from 'vitest';
import { createBrowser, fixedAdminKey, startConsole } from '../browser.ts';

const minute = 60_000;

it('signs in with an admin key, and keeps it sealed in a cookie that no script and no other site reaches', async () => {
  const { browser } = await startConsole();
  const visitor = browser();

  const form = await visitor.get('/console');
  const signedIn = await visitor.post('/console', { admin_key: fixedAdminKey });

  expect(form.text).toContain('Admin key');
  expect([signedIn.status, signedIn.location]).toEqual([303, '/console']);
  const [cookie = ''] = signedIn.headers.getSetCookie();
  expect(cookie).toMatch(/^postern_console=[\w-]+; Path=\/console; HttpOnly; SameSite=Strict$/);
  expect(cookie).not.toContain(fixedAdminKey);
  expect(Buffer.from(visitor.cookie?.split('=')[1] ?? '', 'base64url').toString('latin1')).not.toContain(
    'test-admin',
  );
  expect((await visitor.get('/console/keys')).status).toBe(200);
  expect((await visitor.get('/console')).html).toContain('<h1>Overview</h1>');
});

it('sends the cookie over TLS alone where browsers reach it by TLS', async () => {
  const { browser } = await startConsole({ isSecure: true });
  const visitor = browser();

  const { headers } = await visitor.signIn(fixedAdminKey);

  expect(headers.getSetCookie()[0]).toMatch(
    /^__Secure-postern_console=[\w-]+; Path=\/console; HttpOnly; Secure; SameSite=Strict$/,
  );
  expect((await visitor.get('/console/keys')).status).toBe(200);
});

it('does not take what is no admin key for one, and says so at the field', async () => {
  const { browser } = await startConsole();

  for (const adminKey of ['', 'x'.repeat(40), 'a\r\nx-evil: 1', 'x'.repeat(2_049)]) {
    const visitor = browser();

    const refused = await visitor.signIn(adminKey);

    expect(refused.status).toBe(401);
    expect(refused.html).toMatch(/aria-invalid="true" autofocus/);
    expect(refused.html).toMatch(/<p class="error" id="admin_key-error">Invalid admin key/);
    expect(refused.html).not.toContain('xxxxx');
    expect((await visitor.get('/console/keys')).location).toBe('/console?next=%2Fconsole%2Fkeys');
  }
});

it('takes the longest admin key that fits, and the cookie stays within what browsers keep', async () => {
  const { createSessions } = await import('../../../src/console/session/session.ts');
  const sessions = createSessions(() => 0, { secret: Buffer.alloc(32), idleMs: 1, ageMaxMs: 1 });

  const sealed = sessions.seal(sessions.start({ kind: 'key', adminKey: 'x'.repeat(2_048) }));

  expect(sealed.length).toBeLessThan(4_000);
  expect(sessions.open(sealed)?.holder).toEqual({ kind: 'key', adminKey: 'x'.repeat(2_048) });
});

it('seals the same session differently each time', async () => {
  const { browser } = await startConsole();
  const [one, other] = [browser(), browser()];
  await one.signIn(fixedAdminKey);
  await other.signIn(fixedAdminKey);

  expect(one.cookie?.length).toBe(other.cookie?.length);
  expect(one.cookie?.slice(0, 60)).not.toBe(other.cookie?.slice(0, 60));
});

it('takes no cookie of which a character was changed, left out or put in', async () => {
  const { operator, browser } = await startConsole();
  const [name = '', sealed = ''] = operator.cookie?.split('=') ?? [];
  const other = sealed.startsWith('A') ? 'B' : 'A';
  const middle = sealed.length >> 1;
  const changed = [
    other + sealed.slice(1),
    sealed.slice(0, middle) + (sealed[middle] === 'A' ? 'B' : 'A') + sealed.slice(middle + 1),
    sealed.slice(0, -8),
    sealed.slice(0, 20),
    `${sealed}AAAA`,
    '',
    'x',
    'x'.repeat(5_000),
    '%zz',
  ];

  for (const value of changed) {
    const visitor = browser();
    visitor.cookie = `${name}=${value}`;
    const shown = await visitor.get('/console/keys');
    expect([value.length, shown.status, shown.location]).toEqual([
      value.length,
      303,
      '/console?ended=yes&next=%2Fconsole%2Fkeys',
    ]);
  }
});

it('ends a session that was not used for its idle time, and not one that was', async () => {
  const { operator, service } = await startConsole();

  service.clock.now += 29 * minute;
  expect((await operator.get('/console/keys')).status).toBe(200);
  service.clock.now += 29 * minute;
  expect((await operator.get('/console/keys')).status).toBe(200);
  service.clock.now += 30 * minute;
  const ended = await operator.get('/console/keys');

  expect([ended.status, ended.location]).toEqual([303, '/console?ended=yes&next=%2Fconsole%2Fkeys']);
  expect((await operator.get('/console?ended')).text).toContain('Your session has ended. Sign in again.');
});

it('ends a session at its longest time, however much it is used', async () => {
  const { operator, service } = await startConsole();

  for (let used = 0; used < 35; used += 1) {
    service.clock.now += 20 * minute;
    expect((await operator.get('/console/keys')).status).toBe(200);
  }
  service.clock.now += 20 * minute;

  expect((await operator.get('/console/keys')).location).toBe('/console?ended=yes&next=%2Fconsole%2Fkeys');
});

it('ends a session at once when its admin key is revoked, on this replica and any other', async () => {
  const { call, browser, adminKey } = await startConsole();
  const visitor = browser();
  await visitor.signIn(await adminKey('admin:write'));
  const [key] = (await call('GET', '/admin/api-keys')).json.data;
  expect((await visitor.get('/console/keys')).status).toBe(200);

  await call('DELETE', `/admin/api-keys/${key.id}`);
  const ended = await visitor.get('/console/keys');
  const posted = await visitor.post('/console/keys/new', { name: 'x' });

  expect([ended.status, ended.location]).toEqual([303, '/console?ended=yes&next=%2Fconsole%2Fkeys']);
  expect([posted.status, posted.text]).toEqual([401, expect.stringContaining('nothing was done')]);
});

it('signs out: the browser keeps no key, and its old forms are refused', async () => {
  const { operator, browser } = await startConsole();
  const before = operator.cookie;
  await operator.get('/console/keys');

  const out = await operator.post('/console/sign-out', {});

  expect([out.status, out.location]).toEqual([303, '/console']);
  expect(operator.cookie).not.toBe(before);
  expect((await operator.get('/console/keys')).location).toBe('/console?next=%2Fconsole%2Fkeys');
  expect((await operator.post('/console/keys/new', { name: 'x' })).status).toBe(401);
  expect((await browser().get('/console/sign-out')).status).toBe(405);
});

it('lets a session go on with another replica that has the same secret, and with none that has another', async () => {
  const [one, two, three] = [
    await startConsole({ secret: Buffer.alloc(32, 1) }),
    await startConsole({ secret: Buffer.alloc(32, 1) }),
    await startConsole({ secret: Buffer.alloc(32, 2) }),
  ];
  await one.operator.get('/console/keys/new');

  const onTwo = createBrowser(two.base);
  onTwo.cookie = one.operator.cookie;
  const onThree = createBrowser(three.base);
  onThree.cookie = one.operator.cookie;

  const shown = await onTwo.get('/console/keys/new');
  expect(shown.status).toBe(200);
  expect((await onTwo.post('/console/keys/new', { name: 'From a form of the other' })).status).toBe(201);
  expect((await onThree.get('/console/keys')).location).toBe('/console?ended=yes&next=%2Fconsole%2Fkeys');
});

it('slows down an address that gave wrong keys twenty times in a minute, and takes the right one all the same', async () => {
  const { browser, service } = await startConsole();
  service.clock.now = 1_000 * minute;
  const guesser = browser();
  await guesser.get('/console');
  const guess = (tries: number) => guesser.post('/console', { admin_key: `guess-${tries}`.padEnd(40, 'x') });
  const statuses: number[] = [];
  for (let tries = 0; tries < 20; tries += 1) statuses.push((await guess(tries)).status);

  const refused = await guess(21);
  const taken = await browser().signIn(fixedAdminKey);
  service.clock.now += minute;
  const later = await guess(22);

  expect(new Set(statuses)).toEqual(new Set([401]));
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '60']);
  expect(refused.text).toContain('wait a minute');
  expect([taken.status, taken.location]).toEqual([303, '/console']);
  expect(later.status).toBe(401);
});

it('writes a sign-in into the journal, with who it is', async () => {
  const { browser, call, adminKey } = await startConsole();
  const key = await adminKey('admin:read', 'acme');
  await browser().signIn(key);
  const [event] = (await call('GET', '/admin/audit-events')).json.data;
  expect(event).toMatchObject({
    ...{ action: 'SignIn', outcome: 'ok', owner: 'acme', address: '127.0.0.1', target: null },
    ...{ actor: expect.stringMatching(/^key_/), actor_name: 'admin:read acme' },
  });
});

it('writes a refused key into the journal, with the address that it came from', async () => {
  const { browser, call } = await startConsole();

  await browser().signIn('y'.repeat(40));

  const [event] = (await call('GET', '/admin/audit-events?outcome=refused')).json.data;
  expect(event).toMatchObject({
    action: 'SignIn',
    error: 'UNAUTHENTICATED',
    address: '127.0.0.1',
    actor: null,
  });
});
