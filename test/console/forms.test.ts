import { expect, it } from 'vitest';
import { sendRaw } from '../http/listener.ts';
import { fixedAdminKey, startConsole } from './browser.ts';

const csp =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

it('gives the same headers of safety with every answer, errors and redirects too', async () => {
  const { operator, browser } = await startConsole();
  const visitor = browser();
  const answers = [
    await visitor.get('/console'),
    await visitor.get('/console/keys'),
    await visitor.get('/console/nothing'),
    await visitor.post('/console', { token: 'x' }),
    await operator.get('/console/keys'),
    await operator.get('/console/keys/key_00000000000000000000000000'),
    await operator.post('/console/keys/new', { name: '' }),
    await operator.send('/console/keys/new', '{}', { 'content-type': 'application/json' }),
    await operator.get('/console/keys/key_00000000000000000000000000/enable'),
    await operator.get('/console/addresses'),
  ];

  expect(answers.map(({ status }) => status)).toEqual([200, 303, 404, 403, 200, 404, 400, 415, 405, 200]);
  for (const { headers } of answers) {
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-security-policy': csp,
      'x-frame-options': 'DENY',
      'referrer-policy': 'same-origin',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    });
  }
});

it('has no script, style or handler in its pages but the files that it serves', async () => {
  const { operator, create } = await startConsole();
  const { id } = await create({ name: 'a key' });

  for (const path of ['/keys', '/keys/new', `/keys/${id}`, `/keys/${id}/edit`, '/owners', '/activity']) {
    const { html } = await operator.get(`/console${path}`);
    expect(html.match(/<script[^>]*>[^<]*/g)).toEqual([
      expect.stringMatching(/^<script type="module" src="\/console\/assets\/console\.js\?[0-9a-f]{16}">$/),
    ]);
    expect(html).not.toMatch(/<style|\sstyle=|\son[a-z]+="|javascript:/i);
    expect(html.match(/<h1>/g)).toHaveLength(1);
  }
});

it('lets files be kept for good under their mark, and not at all under another', async () => {
  const { base, operator } = await startConsole();
  const { html } = await operator.get('/console/keys');
  const paths = [...html.matchAll(/(?:src|href)="(\/console\/assets\/[^"]+)"/g)].map(([, path = '']) => path);

  expect(paths).toHaveLength(3);
  for (const path of paths) {
    const marked = await fetch(base + path);
    const other = await fetch(`${base}${path.replace(/\?.*/, '?0000000000000000')}`);
    expect([path, marked.status, marked.headers.get('cache-control')]).toEqual([
      ...[path, 200, 'public, max-age=31536000, immutable'],
    ]);
    expect([path, other.status, other.headers.get('cache-control')]).toEqual([path, 200, 'no-store']);
  }
  const types = await Promise.all(
    paths.map(async (path) => (await fetch(base + path)).headers.get('content-type')),
  );
  expect(types.toSorted()).toEqual([
    'image/svg+xml',
    'text/css; charset=utf-8',
    'text/javascript; charset=utf-8',
  ]);
});

it('refuses a form of another site, origin or port, signed in or signing in', async () => {
  const { operator, browser, call } = await startConsole();

  for (const headers of [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: 'http://127.0.0.1:1' },
  ] as Record<string, string>[]) {
    await operator.get('/console/keys/new');

    const made = await operator.post('/console/keys/new', { name: 'forged' }, headers);
    const visitor = browser();
    await visitor.get('/console');
    const signedIn = await visitor.post('/console', { admin_key: fixedAdminKey }, headers);

    expect([made.status, signedIn.status]).toEqual([403, 403]);
    expect(made.text).toContain('This form was sent by another site, and nothing was done.');
    expect((await call('GET', '/admin/api-keys')).json.data).toEqual([]);
    expect((await visitor.get('/console/keys')).location).toBe('/console?next=%2Fconsole%2Fkeys');
  }
});

it('lets no other site change the cookie: a link asks again from here, and a form is refused', async () => {
  const { port } = await startConsole();
  // fetch has a word of its own on how it asks.
  const ask = (method: string, path: string, site: string) =>
    sendRaw(
      port,
      `${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nSec-Fetch-Site: ${site}\r\nSec-Fetch-Mode: navigate\r\n\r\n`,
    );
  const refresh = '<meta http-equiv="refresh" content="0"/>';

  for (const path of ['/console', '/console/keys?owner=a', '/console/keys/new', '/console/nowhere']) {
    const link = await ask('GET', path, 'cross-site');
    const form = await ask('POST', path, 'cross-site');

    expect([path, link.slice(0, 12), form.slice(0, 12)]).toEqual([path, 'HTTP/1.1 200', 'HTTP/1.1 403']);
    expect(link).toContain(refresh);
    expect(link + form).not.toMatch(/set-cookie/i);
  }
  const again = await ask('GET', '/console', 'same-origin');
  expect(again).toMatch(/set-cookie: postern_console=/i);
  expect(again).not.toContain(refresh);
});

it('takes a form of its own, by the word of the browser or of its origin', async () => {
  const { operator, base } = await startConsole();

  for (const headers of [
    { 'sec-fetch-site': 'same-origin', origin: 'https://proxy.example' },
    { origin: base },
  ]) {
    await operator.get('/console/keys/new');
    expect((await operator.post('/console/keys/new', { name: 'mine' }, headers)).status).toBe(201);
  }
});

it('refuses a form without a token, with another, and with that of another session', async () => {
  const { operator, browser, call } = await startConsole();
  const other = browser();
  await other.signIn(fixedAdminKey);
  const theirs = /name="token" value="([^"]+)"/.exec((await other.get('/console/keys/new')).html)?.[1] ?? '';

  for (const token of ['', 'x', theirs]) {
    const refused = await operator.post('/console/keys/new', { name: 'forged', token });
    expect([token.length, refused.status]).toEqual([token.length, 403]);
    expect(refused.text).toContain('nothing was done');
  }
  expect(theirs).not.toBe('');
  expect((await call('GET', '/admin/api-keys')).json.data).toEqual([]);
});

it('refuses a form that names a field twice, one of very many fields, and one that is too large', async () => {
  const { operator, call } = await startConsole();
  const page = await operator.get('/console/keys/new');
  const token = /name="token" value="([^"]+)"/.exec(page.html)?.[1] ?? '';

  const twice = await operator.send('/console/keys/new', `token=${token}&name=a&name=b`);
  const many = await operator.send('/console/keys/new', `token=${token}${'&a'.repeat(3)}&${fieldsOf(60)}`);
  const large = await operator.send('/console/keys/new', `token=${token}&name=${'x'.repeat(70_000)}`);

  expect([twice.status, many.status, large.status]).toEqual([400, 400, 413]);
  expect(large.text).toContain('The form is too large.');
  expect((await call('GET', '/admin/api-keys')).json.data).toEqual([]);
});

it('takes nothing but a form for a form', async () => {
  const { operator } = await startConsole();

  for (const type of ['application/json', 'text/plain', 'multipart/form-data; boundary=x', 'nonsense']) {
    const refused = await operator.send('/console/keys/new', '{"name":"x"}', { 'content-type': type });

    expect(refused.status).toBe(415);
  }
});

it('leaves the REST API as it was: any type of body, and no cookie is of use there', async () => {
  const { operator, base, call } = await startConsole();

  const made = await call(
    'POST',
    '/admin/api-keys',
    { name: 'x' },
    { 'content-type': 'application/x-www-form-urlencoded' },
  );
  const withCookie = await fetch(`${base}/admin/api-keys`, { headers: { cookie: operator.cookie ?? '' } });

  expect([made.status, withCookie.status]).toEqual([201, 401]);
  expect(made.headers.get('content-security-policy')).toBeNull();
});

it('answers 405 with Allow to other methods', async () => {
  const { base } = await startConsole();

  for (const [method, path, allowed] of [
    ['PUT', '/console', 'GET, HEAD, POST'],
    ['DELETE', '/console/keys', 'GET, HEAD, POST'],
    ['GET', '/console/keys/key_00000000000000000000000000/enable', 'POST'],
    ['POST', '/console/activity', 'GET, HEAD'],
    ['PATCH', '/console/keys/new', 'GET, HEAD, POST'],
  ] as const) {
    const refused = await fetch(base + path, { method });

    expect([refused.status, refused.headers.get('allow')]).toEqual([405, allowed]);
  }
});

it('answers each path with a page, or says that there is none', async () => {
  const { operator } = await startConsole();

  for (const path of [
    '/console/',
    '/console?x',
    '/consolex',
    '/console/keys/',
    '/console/keys/%2e%2e',
    '/console/keys/a%2Fb',
    '/CONSOLE',
  ]) {
    const shown = await operator.get(path);

    expect([200, 303, 404]).toContain(shown.status);
    expect(shown.text).not.toContain('broken');
  }
});

it('answers HEAD as it answers GET', async () => {
  const { base, port } = await startConsole();

  expect((await fetch(`${base}/console`, { method: 'HEAD' })).status).toBe(200);
  expect(await sendRaw(port, 'GET /console/%zz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).toMatch(
    /^HTTP\/1.1 400 /,
  );
});

function fieldsOf(count: number): string {
  return Array.from({ length: count }, (_, at) => `f${at}=1`).join('&');
}
