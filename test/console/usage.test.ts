import { expect, it } from 'vitest';
import { tally } from '../store-contract/use/usage.ts';
import { fixedAdminKey, startConsole } from './browser.ts';

const hour = 3_600_000;

async function startUsed() {
  const started = await startConsole();
  const { create, service, operator } = started;
  const keys = {
    one: await create({ name: 'of acme', owner: 'acme' }),
    two: await create({ name: 'of globex', owner: 'globex' }),
  };
  const at = service.clock.now - (service.clock.now % hour);
  const use = (id: string, given: object) => tally({ id: id as Parameters<typeof tally>[0]['id'] }, given);
  await service.store.recordUsage([
    use(keys.one.id, { hour: at, allowed: 12_345, denied: { rate_limited: 3, expired: 1 } }),
    use(keys.two.id, { hour: at, allowed: 7, denied: {} }),
  ]);
  await expect.poll(async () => (await operator.get('/console/usage')).text).toContain('12,345');
  return { ...started, keys };
}

it('adds up use by key, owner and more, the most first, with names, reasons, a plot and numbers grouped', async () => {
  const { operator, keys } = await startUsed();
  const byKey = await operator.get('/console/usage');
  expect(byKey.html).toContain('<h1>Usage</h1>');
  expect(byKey.html).toContain(`<a href="/console/keys/${keys.one.id}">of acme</a>`);
  expect(byKey.text).toMatch(/of acme.*12,345.*4.*3.*1.*of globex.*7.*0/);
  expect(byKey.html).toContain('class="plot"');
  expect(byKey.html).toMatch(/href="\/console" aria-current="page"/);

  const byOwner = await operator.get('/console/usage?group_by=owner&interval=day&range=30d');
  expect(byOwner.html).toContain('<a href="/console/owners/acme">acme</a>');
  expect(byOwner.text).toMatch(/From Allowed Denied Denied for acme \d{4}-\d\d-\d\d 12,345/);
  const alone = await operator.get('/console/usage?owner=globex&group_by=none');
  expect(alone.text).toMatch(/All 7 0/);
  expect(alone.text).not.toContain('12,345');
  for (const group of ['plan', 'scheme', 'environment'])
    expect((await operator.get(`/console/usage?group_by=${group}&interval=hour`)).text).toContain('12,3');
  expect((await operator.get('/console/usage?owner=nobody')).text).toContain('No requests in this time.');
  expect((await operator.get('/console')).html).toContain('href="/console/usage"');
});

it('gives the same as a CSV file, by a link', async () => {
  const { operator } = await startUsed();
  const page = await operator.get('/console/usage?group_by=owner&order_by=denied');
  const [, link = ''] = /href="([^"]+usage\.csv[^"]*)"/.exec(page.html) ?? [];
  const file = await operator.get(link.replaceAll('&amp;', '&'));
  expect(file.headers.get('content-type')).toMatch(/^text\/csv/);
  expect(file.headers.get('content-disposition')).toBe('attachment; filename="usage.csv"');
  const [head, first, second] = file.html.split(/\r?\n/);
  expect(head).toMatch(/^group,start,allowed,denied/);
  expect([first, second]).toEqual([
    expect.stringMatching(/^acme,,12345,0,.*,3,0$/),
    expect.stringMatching(/^globex,,7,0/),
  ]);
});

it('says at its field what it cannot read, and shows nobody the use of others', async () => {
  const { operator, browser, adminKey } = await startUsed();
  const wrong = await operator.get('/console/usage?group_by=colour');
  expect([wrong.status, wrong.html.includes('id="group_by-error"')]).toEqual([400, true]);
  expect((await operator.get('/console/usage.csv?interval=year')).status).toBe(400);

  const acme = browser();
  await acme.signIn(await adminKey('admin:read', 'acme'));
  const own = await acme.get('/console/usage?group_by=owner');
  expect(own.text).toContain('12,345');
  expect(own.text).not.toContain('globex');
  expect((await acme.get('/console/usage.csv?owner=globex')).status).toBe(403);

  const nobody = browser();
  expect((await nobody.get('/console/usage.csv')).status).toBe(303);
  await nobody.signIn(fixedAdminKey);
  expect((await nobody.get('/console/usage.csv')).status).toBe(200);
});
