import { expect, it } from 'vitest';
import { tally } from '../store-contract/use/usage.ts';
import { startConsole } from './browser.ts';

const noon = Date.parse('2031-02-03T12:00:00Z');
const hour = 3_600_000;

it('plots what a key was used for by hour, with the same figures in a table', async () => {
  const { service, create, browser } = await startConsole();
  service.clock.now = noon + 900_000;
  const operator = browser();
  operator.headers.authorization = service.adminAuthorization;
  const id = (await create({ name: 'used' })).id as Parameters<typeof tally>[0]['id'];
  await service.store.recordUsage([
    tally(
      { id },
      { hour: noon, allowed: 0, denied: { expired: 1, rate_limited: 2 }, addresses: ['192.0.2.2'] },
    ),
    tally({ id }, { hour: noon - hour, allowed: 3, lastUsedAt: noon - 1, addresses: ['192.0.2.1'] }),
    tally({ id }, { hour: noon - 30 * hour, allowed: 9, addresses: ['192.0.2.3'] }),
  ]);

  const day = await operator.get(`/console/keys/${id}`);
  const week = await operator.get(`/console/keys/${id}?hours=168`);

  expect(day.text).toContain('6 requests in the last 24 hours, 33 % fewer than in the 24 hours before (9).');
  expect(day.text).toContain('Allowed 3 Expired 1 Over its limit 2');
  expect(day.text).toMatch(
    /Hour Allowed Expired Over its limit 2031-02-03 12:00:00 UTC 0 1 2 2031-02-03 11:00:00 UTC 3 0 0/,
  );
  expect(day.html).toMatch(
    /<svg class="plot" role="img" aria-label="Requests by hour in the last 24 hours: 6 in all. /,
  );
  // The last hour is the last slot of 24, each 8 wide; the scale ends at 5 in 120.
  expect(
    [...day.html.matchAll(/<rect class="([^"]+)" x="(\d+)" y="([\d.]+)" width="6" height="([\d.]+)"/g)].map(
      ([, ...bar]) => bar,
    ),
  ).toEqual([
    ['allowed', '177', '48', '72'],
    ['reason-expired', '185', '96', '24'],
    ['reason-rate_limited', '185', '48', '48'],
  ]);
  expect(day.text).toContain('192.0.2.2');
  expect(day.text).not.toContain('192.0.2.3');
  expect(week.text).toContain('Allowed 12 Expired 1 Over its limit 2');
  expect(week.text).toContain('192.0.2.3');
});

it('shows how a key stands with its limits, a bar for each', async () => {
  const { service, create, call, browser } = await startConsole();
  service.clock.now = noon;
  const operator = browser();
  operator.headers.authorization = service.adminAuthorization;
  const rate_limits = [
    { name: 'monthly', limit: 1_000, period: 'month', shared_by: 'owner' },
    { name: 'budget', limit: 10, period: 'total' },
  ];
  const { id } = await create({ name: 'limited', owner: 'acme', rate_limits });
  await call('POST', `/admin/api-keys/${id}:charge`, { limit: 'monthly', units: 900 });
  await call('POST', `/admin/api-keys/${id}:charge`, { limit: 'budget', units: 12 });

  const { text, html } = await operator.get(`/console/keys/${id}`);

  expect(text).toContain('900 of 1,000, 100 left');
  expect(text).toContain('12 of 10, 0 left');
  expect(text).toContain('Never resets');
  expect(text).toContain(', for all keys of the owner');
  expect(text).toContain('Limited : its limit budget is spent and never resets.');
  const bars = [...html.matchAll(/<meter [^>]*max="(\d+)"[^>]*value="(\d+)"/g)].map(([, ...bar]) => bar);
  expect(bars).toEqual([
    ['1000', '900'],
    ['10', '10'],
  ]);
});

it('puts an owner, and says from when on its keys are refused', async () => {
  const { operator, call } = await startConsole();

  const opened = await operator.post('/console/owners', { id: 'a/b c' });
  const path = '/console/owners/a%2Fb%20c';
  const form = await operator.get(path);
  const put = await operator.act(path, { plan: 'pro', active_until: '2020-01-31T10:00' });
  const suspended = await operator.act(path, { plan: 'pro', suspended: 'yes' });
  const wrong = await operator.post(path, { active_until: 'soon' });
  const again = await operator.post('/console/owners', { id: 'a/b c' });

  expect(opened.text).toContain('Create the owner “a/b c”?');
  expect(opened.html).toContain(`href="${path}"`);
  expect([again.status, again.location]).toEqual([303, path]);
  expect(form.text).toContain('Nobody has put this owner yet.');
  expect(put.text).toMatch(/Saved: “a\/b c” is inactive\. In effect on all replicas \(1\) since/);
  expect(suspended.text).toContain('Saved: “a/b c” is suspended');
  expect([wrong.status, wrong.html.includes('id="active_until-error">is not an RFC 3339 time')]).toEqual([
    400,
    true,
  ]);
  expect((await call('GET', '/admin/owners/a%2Fb%20c')).json.data).toMatchObject({
    suspended: true,
    plan: 'pro',
  });
  const shown = await operator.get('/console/owners/a%2Fb%20c');
  expect(shown.html).toContain('href="/console/keys?owner=a%2Fb+c"');
  expect(shown.html).toContain('name="suspended" value="yes" checked');
});

it('suspends and resumes an owner by one button, and leaves its plan and its end', async () => {
  const { operator, call } = await startConsole();
  const path = '/console/owners/acme';
  const [plan, active_until] = ['pro', '2199-01-31T00:00:00Z'];
  await call('PUT', '/admin/owners/acme', { plan, active_until });
  const stored = async () => (await call('GET', '/admin/owners/acme')).json.data;

  const suspended = await operator.act(`${path}/suspend`, {});
  expect(suspended.text).toMatch(
    /“acme” is suspended\. In effect on all replicas \(1\) since .*Undo: resume it again/,
  );
  expect(await stored()).toMatchObject({ plan, active_until, suspended: true });
  expect((await operator.get(path)).text).toContain('Resume owner');
  expect((await operator.act(`${path}/resume`, {})).text).toContain('“acme” is active.');
  expect(await stored()).toMatchObject({ plan, active_until, suspended: false });
});

it('overwrites nothing that somebody else changed since the form of an owner was shown', async () => {
  const { operator, call } = await startConsole();
  const { etag } = (await call('PUT', '/admin/owners/acme', { plan: 'pro' })).json.data;
  expect((await operator.get('/console/owners/acme')).html).toContain(`name="etag" value="${etag}"`);
  await call('PATCH', '/admin/owners/acme', { suspended: true });

  const refused = await operator.post('/console/owners/acme', { plan: 'free', etag });
  expect(refused.status).toBe(409);
  expect((await call('GET', '/admin/owners/acme')).json.data).toMatchObject({ plan: 'pro', suspended: true });
});

it('opens no owner without an id, or with one that a path cannot hold', async () => {
  const { operator } = await startConsole();

  for (const id of ['', '.', '..']) {
    const refused = await operator.post('/console/owners', { id });

    expect([refused.status, refused.html.includes('aria-invalid="true"')]).toEqual([400, true]);
  }
});

it('lists owners page by page', async () => {
  const { operator, call } = await startConsole();
  for (let put = 0; put < 51; put += 1) await call('PUT', `/admin/owners/o${100 + put}`, {});

  const first = await operator.get('/console/owners');
  const next = /rel="next" href="([^"]+)"/.exec(first.html)?.[1]?.replaceAll('&amp;', '&') ?? '';

  expect(first.text).toContain('o149 ');
  expect(first.text).not.toContain('o150 ');
  expect((await operator.get(next)).text).toContain('o150 ');
});

it('says what is wrong with addresses as the API would', async () => {
  const { operator } = await startConsole();

  for (const [text, problem] of [
    ['10.0.0.0/8, 2001:db8::1', ''],
    ['10.0.0.1/8', 'Entry 1 is not an IP address or a CIDR block'],
    [
      '10.0.0.1\nx\ny',
      'Entry 2 is not an IP address or a CIDR block; Entry 3 is not an IP address or a CIDR block',
    ],
    ['1.1.1.1 '.repeat(101), 'may have at most 100 entries'],
  ] as const) {
    const { html } = await operator.get(`/console/addresses?${new URLSearchParams({ text })}`);

    expect(JSON.parse(html)).toEqual({ problem });
  }
});
