import { expect, it } from 'vitest';
import { makeWeek } from '../browser/week.ts';
import { tally } from '../store-contract/use/usage.ts';
import { fixedAdminKey, startConsole } from './browser.ts';

const hour = 3_600_000;

/** Where the figure of this label leads, and what it says. */
function figureIn(html: string, label: string): { readonly href: string; readonly value: string } {
  const found = new RegExp(
    `<a class="figure" href="([^"]+)"><span class="label">${label}</span> <span class="value">([^<]+)<`,
  ).exec(html);
  return { href: (found?.[1] ?? '').replaceAll('&amp;', '&'), value: found?.[2] ?? '' };
}

it('opens on what goes on: requests beside those before, owners by change, reasons, what ends and what nobody uses', async () => {
  const console = await startConsole();
  console.service.clock.now = Date.parse('2026-11-20T14:25:00Z');
  const week = await makeWeek(console);
  const visitor = console.browser();
  const { location } = await visitor.signIn(fixedAdminKey);
  const home = await visitor.get(location ?? '');
  const yesterday = await visitor.get('/console?span=yesterday');

  expect(home.html).toContain('<h1>Overview</h1>');
  const usage = async (query: string) => (await console.call('GET', `/admin/usage?${query}`)).json.data;
  const [now] = await usage('interval=all&since=2026-11-19T15:00:00Z&until=2026-11-20T15:00:00Z');
  expect(figureIn(home.html, 'Allowed').value.replaceAll(',', '')).toBe(String(now.allowed));
  const denied = Object.values(now.denied as Record<string, number>).reduce((sum, count) => sum + count, 0);
  expect(figureIn(home.html, 'Denied').value.replaceAll(',', '')).toBe(String(denied));
  expect(figureIn(home.html, 'Denied').href).toMatch(/^\/console\/requests\?decision=deny&since=/);
  expect(figureIn(home.html, 'Expire within 7 days')).toEqual({
    ...{ href: '/console/keys?expires_within=7d&sort=expires_at', value: String(week.endingSoon) },
  });
  expect(figureIn(home.html, 'Unused for 90 days').href).toBe('/console/keys?unused_for=90d');
  for (const { href } of ['Allowed', 'Denied', 'Active keys'].map((label) => figureIn(home.html, label))) {
    expect([href, (await visitor.get(href)).status]).toEqual([href, 200]);
  }
  expect(home.html).toMatch(/\/console\/requests\?decision=deny&amp;reason=rate_limited/);
  expect(home.text).toContain('What doctor would say');

  // The first row is the owner that doubled.
  const [, owner = '', row = ''] =
    /<caption[^>]*>Owner,.*?<tbody><tr><th scope="row"><a href="\/console\/owners\/([^"]+)">(.*?)<\/tr>/s.exec(
      yesterday.html,
    ) ?? [];
  expect(owner).toBe(week.doubled);
  expect(row).toMatch(/[23](?:\.\d)? times as many/);
});

it('shows an owner’s own figures to who is bound to one, and nothing of others', async () => {
  const { browser, adminKey, create, service } = await startConsole();
  const own = await create({ name: 'of acme', owner: 'acme' });
  const theirs = await create({ name: 'of globex', owner: 'globex' });
  const at = service.clock.now - (service.clock.now % hour);
  await service.store.recordUsage(
    [own, theirs].map(({ id }) =>
      tally({ id: id as Parameters<typeof tally>[0]['id'] }, { hour: at, allowed: 7 }),
    ),
  );
  const acme = browser();
  await acme.signIn(await adminKey('admin:read', 'acme'));
  await expect.poll(async () => figureIn((await acme.get('/console')).html, 'Allowed').value).toBe('7');
  const home = await acme.get('/console');
  expect(home.text).toContain('of acme');
  expect(home.text).not.toMatch(/globex|doctor would say|Owners by change|Create API key/);
});

it('shows a service that nobody uses yet, and takes no span that it does not know', async () => {
  const { operator } = await startConsole();
  const home = await operator.get('/console?span=nonsense');
  expect(home.status).toBe(200);
  expect(home.html).toContain('aria-current="true">Last 24 hours<');
  expect(home.text).toContain('No requests in this time');
  expect(figureIn(home.html, 'Allowed').value).toBe('0');
});
