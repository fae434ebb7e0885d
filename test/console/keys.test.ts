import { expect, it } from 'vitest';
import { type Browser, fieldIn, fixedAdminKey, type Shown, secretIn, startConsole } from './browser.ts';

const nasty = `<script>alert(1)</script>"'><img src=x onerror=alert(2)>&amp;`;

/** Fills the form of a new key, with what it has by itself where nothing else is said. */
async function make(browser: Browser, wanted: Record<string, string>): Promise<Shown> {
  const form = await browser.get('/console/keys/new');
  return browser.post('/console/keys/new', { request_id: fieldIn(form, 'request_id'), ...wanted });
}

it('makes a key of what the form says, as the REST API would', async () => {
  const { operator, call, service } = await startConsole();

  const made = await make(operator, {
    ...{ name: 'Asset Controls Backend', scheme: 'powerverse', environment: 'test', owner: 'acme', plan: '' },
    ...{
      permissions: 'read:assets\r\nwrite:schedules, read:sites',
      ip_allowlist: '10.0.0.0/8 2001:db8::/32',
      principals: 'spiffe://td/ns/*\r\n*.a.example',
    },
    ...{ labels: 'team=grid\r\nnote = a=b', expires_in: '7d' },
  });

  expect(made.status).toBe(201);
  expect(secretIn(made)).toMatch(/^ak_test_/);
  expect(made.text).toContain('Copy your API key now. It will not be shown again.');
  const [key] = (await call('GET', '/admin/api-keys')).json.data;
  expect(key).toMatchObject({
    ...{
      name: 'Asset Controls Backend',
      scheme: 'powerverse',
      environment: 'test',
      owner: 'acme',
      plan: null,
    },
    ...{ permissions: ['read:assets', 'write:schedules', 'read:sites'] },
    principals: ['spiffe://td/ns/*', '*.a.example'],
    ...{ ip_allowlist: ['10.0.0.0/8', '2001:db8::/32'], labels: { team: 'grid', note: 'a=b' } },
  });
  expect(Date.parse(key.expires_at) - service.clock.now).toBeLessThanOrEqual(7 * 86_400_000);
  expect(Date.parse(key.expires_at) - service.clock.now).toBeGreaterThan(7 * 86_400_000 - 1_000);
});

it('makes the scheme’s first kind of key where nothing but a name is given', async () => {
  const { operator, call } = await startConsole();

  const made = await make(operator, { name: 'plain', expires_in: 'never' });

  expect(secretIn(made)).toMatch(/^pst_live_/);
  expect((await call('GET', '/admin/api-keys')).json.data[0]).toMatchObject({
    expires_at: null,
    owner: null,
  });
});

it('ends a key with the day that was chosen', async () => {
  const { operator, call } = await startConsole();

  await make(operator, { name: 'dated', expires_in: 'date', expires_on: '2099-12-31' });
  const none = await make(operator, { name: 'undated', expires_in: 'date', expires_on: '' });
  const both = await make(operator, { name: 'both', expires_in: '7d', expires_on: '2099-12-31' });
  const past = await make(operator, { name: 'past', expires_in: 'date', expires_on: '2020-01-01' });
  const nonsense = await make(operator, { name: 'nonsense', expires_in: 'date', expires_on: 'tomorrow' });

  expect(
    (await call('GET', '/admin/api-keys')).json.data.map((key: { expires_at: string }) => key.expires_at),
  ).toEqual(['2099-12-31T23:59:59Z']);
  expect([none, both, past, nonsense].map(({ status }) => status)).toEqual([400, 400, 400, 400]);
  expect(none.html).toContain('<p class="error" id="expires_on-error">choose a date</p>');
  expect(both.html).toContain('<p class="error" id="expires_in-error">goes without expires_at');
  expect(past.html).toContain('<p class="error" id="expires_on-error">is in the past</p>');
});

it('shows what is wrong beside each field, keeps what was typed, and begins at the first', async () => {
  const { operator, call } = await startConsole();

  const refused = await make(operator, {
    ...{ name: 'x'.repeat(201), ip_allowlist: '10.0.0.0/8\n10.0.0.1/8', plan: 'none', scheme: 'converra' },
    ...{ labels: '-=x', permissions: 'read:a', expires_in: '30d' },
  });

  expect(refused.status).toBe(400);
  expect(refused.html).toContain('id="name-error">may have at most 200 characters</p>');
  expect(refused.html).toContain('id="ip_allowlist-error">Entry 2 is not an IP address or a CIDR block</p>');
  expect(refused.html.match(/ autofocus/g)).toHaveLength(1);
  expect(refused.html).toMatch(
    /name="name"[^>]* aria-describedby="name-hint name-error" aria-invalid="true" autofocus/,
  );
  expect(refused.html).toContain('>10.0.0.0/8\n10.0.0.1/8</textarea>');
  expect(refused.html).toContain('<option value="30d" selected>');
  expect(refused.html).toContain('data-shown-as="/console/keys/new"');
  expect(refused.html).toContain('<option value="converra" selected');
  expect((await call('GET', '/admin/api-keys')).json.data).toEqual([]);
});

it('says which plans a scheme has, and which label is there twice', async () => {
  const { operator } = await startConsole();

  const plan = await make(operator, { name: 'x', scheme: 'converra', plan: 'gold' });
  const labels = await make(operator, { name: 'x', labels: 'a=1\na=2' });

  expect(plan.html).toMatch(
    /id="plan-error">is not a plan of this scheme; there are: free, pro, enterprise</,
  );
  expect(labels.html).toContain('id="labels-error">the same name is there twice</p>');
});

it('shows a secret once: sent again, the form makes no second key and shows no secret', async () => {
  const { operator, call, logged } = await startConsole();
  const form = await operator.get('/console/keys/new');
  const fields = { name: 'once', request_id: fieldIn(form, 'request_id') };

  const made = await operator.post('/console/keys/new', fields);
  const again = await operator.post('/console/keys/new', fields);
  const secret = secretIn(made) ?? '';
  const { id } = (await call('GET', '/admin/api-keys')).json.data[0];

  expect(secret).toHaveLength(58);
  expect(made.html.split(secret)).toHaveLength(2);
  expect(made.headers.get('cache-control')).toBe('no-store');
  expect([again.status, secretIn(again)]).toEqual([200, null]);
  expect(again.text).toContain('This API key was made already');
  expect(again.html).toContain(`data-shown-as="/console/keys/${id}"`);
  expect((await call('GET', '/admin/api-keys')).json.data).toHaveLength(1);

  const paths = [
    '/keys',
    `/keys/${id}`,
    `/keys/${id}/edit`,
    `/keys/${id}/revoke`,
    '/activity',
    '/keys/new',
    '/owners',
  ];
  const later = await Promise.all(paths.map((path) => operator.get(`/console${path}`)));
  const seen = [again, ...later].flatMap(({ html, headers }) => [html, JSON.stringify([...headers])]);
  expect([...seen, JSON.stringify(logged), JSON.stringify([...made.headers])].join('\n')).not.toContain(
    secret,
  );
});

it('shows a name that is markup as text, everywhere', async () => {
  const { operator, create } = await startConsole();
  const { id } = await create({ name: nasty, permissions: ['<b>x</b>'], labels: { a: nasty } });

  const paths = [
    `/keys`,
    `/keys/${id}`,
    `/keys/${id}/edit`,
    `/keys/${id}/revoke`,
    `/keys/${id}/rotate`,
    '/activity',
  ];
  const searched = `/console/keys?${new URLSearchParams({ name_contains: nasty })}`;
  const shown = await Promise.all(
    [...paths.map((path) => `/console${path}`), searched].map((path) => operator.get(path)),
  );
  const refused = await make(operator, { name: nasty, plan: nasty, ip_allowlist: nasty, owner: nasty });
  const secret = await operator.post(`/console/keys/${id}/rotate`, { request_id: 'r' });
  const revoked = await operator.post(`/console/keys/${id}/revoke`, {});

  for (const { html } of [...shown, refused, secret, revoked]) {
    expect(html).not.toMatch(/<script>|<img|<b>|"'>/);
    expect(html).toContain('&lt;script>alert(1)&lt;/script>');
  }
});

it('lists keys as the vendors show them, by filters, page by page and back', async () => {
  const { operator, create } = await startConsole();
  for (let made = 0; made < 51; made += 1) await create({ name: `key ${made}`, scheme: 'powerverse' });
  await create({ name: 'other', scheme: 'mavera' });

  const first = await operator.get('/console/keys?scheme=powerverse');
  const next = linkIn(first, 'next');
  const second = await operator.get(next);
  const back = await operator.get(linkIn(second, 'prev'));

  expect(first.text).toMatch(
    /Name Owner Key State Last 24 hours Last used Expires Created Actions key 50 No owner ak_live_/,
  );
  expect(first.text).toContain('API Keys 51');
  expect(first.text).not.toContain('other');
  expect(second.text).toContain('key 0 No owner ak_live_');
  expect(second.html).not.toContain('rel="next"');
  expect(back.text).toContain('key 50 ');
  expect(back.html).not.toContain('rel="prev"');
  expect((await operator.get('/console/keys?name_contains=other')).text).toContain(
    'other No owner mvra_live_',
  );
  expect((await operator.get('/console/keys?name_contains=nobody')).text).toContain('No API key matches.');
  expect((await operator.get('/console/keys?state=revoked')).text).toContain('No API key matches.');
  const wrong = await operator.get('/console/keys?state=lost&page_token=x');
  expect(wrong.status).toBe(400);
  expect(wrong.html).toMatch(/id="state-error">[^<]+</);
});

it('changes a key, and says from when on what was taken holds', async () => {
  const { operator, create, call } = await startConsole();
  const { id, etag } = (await create({ name: 'old', permissions: ['a', 'b'], plan: 'pro' })) as Record<
    string,
    string
  >;
  const fields = { name: 'new', permissions: 'a', plan: '', labels: 'x=y', expires_in: '', etag: etag ?? '' };

  const narrowed = await operator.act(`/console/keys/${id}/edit`, fields);
  const stale = await operator.post(`/console/keys/${id}/edit`, fields);
  const key = (await call('GET', `/admin/api-keys/${id}`)).json.data;
  const widened = await operator.post(`/console/keys/${id}/edit`, {
    ...fields,
    permissions: 'a c',
    etag: key.etag,
  });

  expect(narrowed.text).toContain('In effect on all replicas (1) since');
  expect(key).toMatchObject({
    name: 'new',
    permissions: ['a'],
    plan: null,
    labels: { x: 'y' },
    expires_at: null,
  });
  expect(stale.status).toBe(409);
  expect([widened.status, widened.location]).toEqual([303, `/console/keys/${id}`]);
});

it('rotates a key: the new secret once, and until when the old one works', async () => {
  const { operator, create, service } = await startConsole();
  const { id } = await create({ name: 'turning' });
  const form = await operator.get(`/console/keys/${id}/rotate`);
  const fields = { grace_period: '1h', expires_in: '', request_id: fieldIn(form, 'request_id') };

  const rotated = await operator.post(`/console/keys/${id}/rotate`, fields);
  const again = await operator.post(`/console/keys/${id}/rotate`, fields);

  expect(secretIn(rotated)).toMatch(/^pst_live_/);
  const ends = new Date(service.clock.now + 3_600_000).toISOString().slice(0, 19).replace('T', ' ');
  expect(rotated.text).toContain(`works until ${ends} UTC`);
  expect([again.status, secretIn(again)]).toEqual([200, null]);
  expect((await operator.get('/console/keys')).text.match(/turning No owner pst_live_/g)).toHaveLength(2);
});

it('revokes a key behind a question that names it, and says that it holds everywhere', async () => {
  const { operator, create, call } = await startConsole();
  const { id } = await create({ name: 'leaked' });

  const question = await operator.get(`/console/keys/${id}/revoke`);
  const unchanged = (await call('GET', `/admin/api-keys/${id}`)).json.data.state;
  const revoked = await operator.post(`/console/keys/${id}/revoke`, {});
  const again = await operator.post(`/console/keys/${id}/revoke`, {});

  expect(question.text).toContain('Revoke “leaked”?');
  expect(unchanged).toBe('active');
  expect(revoked.text).toMatch(/API key revoked “leaked”.*In effect on all replicas \(1\) since .*\./);
  expect(again.status).toBe(200);
  const shown = await operator.get(`/console/keys/${id}`);
  expect(shown.text).toContain('State Revoked');
  expect(shown.html).not.toMatch(/\/(?:edit|rotate|disable|revoke)"/);
});

it('names the replicas that have not confirmed a revocation, and when it holds at the latest', async () => {
  const { operator, create, service } = await startConsole();
  const { id } = await create({ name: 'leaked' });
  const effectiveAt = Date.parse('2031-02-03T04:05:06Z');
  service.store.settle = async () => ({ effectiveAt, unconfirmedReplicas: ['pod-1', 'pod-2'] });
  service.store.countReplicas = async () => 3;

  const revoked = await operator.post(`/console/keys/${id}/revoke`, {});

  expect(revoked.text).toContain('2 replicas have not confirmed it yet.');
  expect(revoked.text).toContain(
    '2031-02-03 04:05:06 UTC , at the latest, it is in effect on all replicas (3).',
  );
  expect(revoked.text).toContain('Not confirmed: pod-1, pod-2');
});

it('disables a key and enables it again', async () => {
  const { operator, create, call } = await startConsole();
  const { id } = await create({ name: 'resting' });
  const stateOf = async () => (await call('GET', `/admin/api-keys/${id}`)).json.data.state;

  const question = await operator.get(`/console/keys/${id}/disable`);
  const disabled = await operator.act(`/console/keys/${id}/disable`, {});
  const between = await stateOf();
  const enabled = await operator.act(`/console/keys/${id}/enable`, {});

  expect(question.text).toContain('Disable “resting”?');
  expect(disabled.text).toMatch(/“resting” is disabled\. In effect on all replicas \(1\) since/);
  expect(disabled.text).toContain('Undo: enable it again');
  expect(enabled.text).toMatch(/“resting” is enabled\. Undo: disable it again/);
  expect([between, await stateOf()]).toEqual(['disabled', 'active']);
});

it('says what cannot be done, and that a key is not there', async () => {
  const { operator, create } = await startConsole();
  const { id } = await create({ name: 'gone' });
  await operator.post(`/console/keys/${id}/revoke`, {});

  const rotated = await operator.post(`/console/keys/${id}/rotate`, { request_id: 'r' });
  const missing = await operator.get('/console/keys/key_00000000000000000000000000');
  const none = await operator.get('/console/keys/..%2fowners');

  expect([rotated.status, rotated.text.includes('revoked')]).toEqual([409, true]);
  expect([missing.status, none.status]).toEqual([404, 404]);
  expect(missing.text).toContain('There is no key with this id.');
});

function linkIn({ html }: Shown, rel: string): string {
  return (new RegExp(`rel="${rel}" href="([^"]+)"`).exec(html)?.[1] ?? '').replaceAll('&amp;', '&');
}

it('shows a key of an owner that is not active as blocked, in the list and on its page, and why', async () => {
  const { operator, call, create } = await startConsole();
  const { id } = await create({ name: 'stuck', owner: 'acme' });
  const list = async () => (await operator.get('/console/keys')).html;
  expect(await list()).not.toContain('Blocked');

  await call('PUT', '/admin/owners/acme', { suspended: true });
  const why =
    /<span class="state blocked">Blocked<\/span> <a href="\/console\/owners\/acme">its owner is inactive<\/a>/;
  expect(await list()).toMatch(why);
  expect((await operator.get(`/console/keys/${id}`)).html).toMatch(why);
  // What ended is shown as ended.
  await call('DELETE', `/admin/api-keys/${id}`);
  expect(await list()).not.toContain('Blocked');
});

it('shows on the page of a key which one replaced it, and who made it', async () => {
  const { operator, call, create } = await startConsole();
  const { id } = await create();
  const { data } = (await call('POST', `/admin/api-keys/${id}/rotate`, { grace_period: '1h' })).json;

  const old = await operator.get(`/console/keys/${id}`);
  expect(old.html).toContain(
    `<dt>Replaced by</dt><dd><a href="/console/keys/${data.id}" title="${data.id}">${data.name}</a></dd>`,
  );
  expect(old.text).toMatch(/Created \d{4}-\S+ \S+ UTC by POSTERN_ADMIN_KEY/);
  expect((await operator.get(`/console/keys/${data.id}`)).html).not.toContain('Replaced by');
});

it('searches by what somebody has of a key, and leads to the page of a whole one without it in an address', async () => {
  const { operator, create } = await startConsole();
  const made = await make(operator, { name: 'Cafe\u0301 Nord', scheme: 'postern' });
  const secret = secretIn(made) ?? '';
  await create({ name: 'other' });

  const sent = await operator.post('/console/keys', { search: 'CAFÉ', state: 'active' });
  expect([sent.status, sent.location]).toEqual([303, '/console/keys?search=CAF%C3%89&state=active']);
  const shown = await operator.get(sent.location ?? '');
  expect([shown.text.includes('Nord'), shown.text.includes('other')]).toEqual([true, false]);
  expect((await operator.get(`/console/keys?search=${secret.slice(0, 13)}`)).text).toContain('Nord');

  const whole = await operator.post('/console/keys', { search: secret });
  expect([whole.status, whole.location]).toEqual([
    303,
    expect.stringMatching(/^\/console\/keys\/key_\w{26}$/),
  ]);
  const typed = await operator.get(`/console/keys?search=${secret}`);
  expect([typed.status, typed.html.includes(secret.slice(12))]).toEqual([400, false]);
  await operator.post(`${whole.location}/revoke`, {});
});

it('says of a key that was revoked before since when it is so, and changes nothing', async () => {
  const { operator, call, create, service } = await startConsole();
  const { id } = await create({ name: 'old' });
  const form = await operator.get(`/console/keys/${id}/revoke`);
  expect(form.text).toContain('Revoke “old”?');
  await call('DELETE', `/admin/api-keys/${id}`);
  const on = new Date(service.clock.now).toISOString().slice(0, 19).replace('T', ' ');
  service.clock.now += 48 * 3_600_000;
  await operator.signIn(fixedAdminKey);
  await operator.get('/console/keys');

  for (const shown of [
    await operator.post(`/console/keys/${id}/revoke`, {}),
    await operator.get(`/console/keys/${id}/revoke`),
  ]) {
    expect(shown.text).toContain('“old” was revoked already');
    expect(shown.text).toContain(`was revoked on ${on} UTC`);
    expect(shown.text).not.toContain('since');
  }
});
