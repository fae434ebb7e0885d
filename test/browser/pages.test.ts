import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { fixedAdminKey, startConsole, type TestConsole } from '../console/browser.ts';
import { request } from '../store-contract/use/request-log.ts';
import { tally } from '../store-contract/use/usage.ts';
import { axeFaults } from './axe-faults.ts';
import { focused, tabTo } from './keyboard.ts';
import { create, fill, heading, launchBrowser, revoke, rowOf, signIn, visit } from './visitor.ts';

const hour = 3_600_000;

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser?.close());

/** A console of the test's own, and somebody in front of it who has brought about nothing that a page may not. */
async function open(
  options: BrowserContextOptions = {},
): Promise<{ page: Page; console: TestConsole; url: string }> {
  const [{ page, context, troubles }, console] = await Promise.all([visit(browser, options), startConsole()]);
  onTestFinished(async () => {
    await context.close();
    expect(troubles).toEqual([]);
  });
  return { page, console, url: console.base };
}

/** Makes a key that was used, by reasons of all kinds. */
async function makeUsed({ create: make, service }: TestConsole, wanted: object) {
  const { id } = await make({ name: 'used', ...wanted });
  const key = { id: id as Parameters<typeof tally>[0]['id'] };
  const now = service.clock.now - (service.clock.now % hour);
  const denied = { expired: 1, rate_limited: 4, address_denied: 2, permission_denied: 3, revoked: 1 };
  await service.store.recordUsage(
    Array.from({ length: 20 }, (_, at) =>
      tally(key, {
        ...{ hour: now - at * hour, lastUsedAt: now - at * hour, addresses: [`203.0.113.${at}`] },
        ...{ allowed: 40 + ((at * 37) % 50), denied: at % 4 === 0 ? denied : {} },
      }),
    ),
  );
  return id;
}

it('has no page with a fault that axe finds, nor one to scroll sideways, wide or narrow, light or dark', {
  timeout: 1_200_000,
}, async () => {
  const { page, console, url } = await open();
  const faults: string[] = [];
  const seen: string[] = [];

  await page.goto(`${url}/console`);
  await examine('sign in');
  await page.getByLabel('Admin key').fill('wrong');
  await page.keyboard.press('Enter');
  await page.locator('[aria-invalid]').waitFor();
  await examine('sign in, refused');
  await signIn(page, url, fixedAdminKey);
  await examine('no keys');
  await page.goto(`${url}/console/owners`);
  await examine('no owners');

  const long = 'W'.repeat(200);
  const permissions = Array.from({ length: 12 }, (_, at) => `write:${'schedules'.repeat(4)}${at}`);
  const id = await makeUsed(console, {
    name: long,
    permissions,
    owner: 'o'.repeat(128),
    labels: { a: long },
    rate_limits: [{ name: 'n'.repeat(32), limit: 10 ** 15, period: 'month', shared_by: 'owner' }],
  });
  const other = (await console.create({ name: 'other', ip_allowlist: ['2001:db8::/32'] })).id;
  await console.call('PUT', `/admin/owners/${'o'.repeat(128)}`, {
    ...{ plan: 'pro', suspended: true, name: long, contact: long, labels: { a: long } },
    ...{ billing_anchor: '2031-01-31T10:00:00Z', keys_max: 25 },
  });
  for (const path of ['keys', `keys/${id}`, `keys/${id}/edit`, `keys/${id}/rotate`, `keys/${id}/revoke`]) {
    await go(path);
  }
  await page.goto(`${url}/console/keys/${id}/edit`);
  await page.getByText('More limits').click();
  await examine('all rows of limits');
  await page.goto(`${url}/console/keys/${id}`);
  await page.getByText('Requests by hour as a table').click();
  await examine('usage as a table');
  for (const path of [
    'keys?name_contains=nothing',
    'keys?state=wrong',
    'owners',
    `owners/${'o'.repeat(128)}`,
  ]) {
    await go(path);
  }
  const row = request({ key: id as never, owner: 'o'.repeat(128), at: console.service.clock.now });
  await console.service.store.recordRequests([
    { ...row, id: 'a', path: `/${long}` },
    { ...row, id: 'b', decision: 'deny', reason: 'rate_limited', status: 429, path: null, key: null },
  ]);
  await go('requests');
  await go('usage');
  await go('requests?decision=deny&since=wrong');
  await go('audit');
  await page.locator('summary').nth(1).click();
  await examine('an entry of the journal');
  await go('audit?since=wrong');
  await go('nowhere');
  await go('keys/key_00000000000000000000000000');

  await create(page, { Name: long });
  await examine('secret');
  await page.goto(`${url}/console/keys/new`);
  await fill(page, { Name: 'x', 'Allowed addresses': 'x', Plan: 'x', Labels: '=', Expiration: 'On a date' });
  await page.getByText('Entry 1 is not an IP address').waitFor();
  await examine('new, with a fault while typing');
  await fill(page, {
    'Expiration date': '2020-01-01',
    'Limit 1: units': 'many',
    'Limit 1: in each': 'fortnight',
  });
  await page.getByRole('button', { name: 'Create API key' }).click();
  await page.getByText('Nothing was changed').waitFor();
  await examine('new, refused');
  await go('keys?scheme=postern&sort=name');
  await page
    .getByLabel(/^Actions for /)
    .first()
    .click();
  await examine('the menu of a row');
  await go(`keys/revoke?id=${other}`);
  await go('owners?search=nobody');
  await press(`keys/${other}/rotate`, 'Rotate API key', 'API key rotated');
  await go(`keys/${id}/disable`);
  await press(`keys/${id}/disable`, 'Disable API key', long);
  const unconfirmedReplicas = ['pod-1', 'p'.repeat(100)];
  console.service.store.settle = async () => ({
    effectiveAt: console.service.clock.now,
    unconfirmedReplicas,
  });
  await press(`keys/${id}/revoke`, 'Revoke API key', 'API key revoked');
  await go(`keys/${id}`);
  await press(`owners/${'o'.repeat(128)}`, 'Save owner', `Owner ${'o'.repeat(128)}`);

  expect(faults).toEqual([]);
  expect(seen).toHaveLength(36);

  async function go(path: string) {
    await page.goto(`${url}/console/${path}`);
    await examine(path);
  }

  async function press(path: string, button: string, then: string) {
    await page.goto(`${url}/console/${path}`);
    await page.getByRole('button', { name: button }).click();
    await heading(page, then);
    await examine(then);
  }

  async function examine(what: string) {
    seen.push(what);
    faults.push(...(await axeFaults(page, what)));
  }
});

it('is used with the keyboard alone: sign in, create, be told of a fault, copy, revoke', async () => {
  const { page, url } = await open();
  await page.goto(`${url}/console`);
  await page.locator('#admin_key:focus').waitFor();
  await page.keyboard.type(fixedAdminKey);
  await page.keyboard.press('Enter');
  await heading(page, 'Overview');

  await page.keyboard.press('Tab');
  await expect.poll(() => focused(page)).toMatchObject({ text: 'Skip to content', isSeen: true });
  await page.keyboard.press('Enter');
  await page.locator('main:focus').waitFor();
  await page.keyboard.press('Tab');
  await expect.poll(() => focused(page)).toMatchObject({ text: 'Create API key', isSeen: true });
  await page.keyboard.press('Enter');
  await heading(page, 'Create API key');

  await tabTo(page, 'Name');
  await page.keyboard.type('by keyboard');
  await tabTo(page, 'Scheme');
  await page.keyboard.type('mav');
  await tabTo(page, 'Expiration');
  await page.keyboard.type('30');
  await tabTo(page, 'Allowed addresses');
  await page.keyboard.type('10.0.0.0/8 nowhere');
  await tabTo(page, 'Create API key');
  await page.keyboard.press('Enter');
  // The first field at fault has the focus, and what is wrong with it is read out with it.
  await page.locator('#ip_allowlist:focus[aria-invalid=true]').waitFor();
  const described = `document.activeElement.getAttribute('aria-describedby').split(' ')
    .map((id) => document.getElementById(id).textContent).join(' ')`;
  expect(await page.evaluate(described)).toContain('Entry 2 is not an IP address or a CIDR block');
  await page.keyboard.press('Control+A');
  await page.keyboard.type('10.0.0.0/8');
  await tabTo(page, 'Limit 1: units');
  await page.keyboard.type('100');
  await tabTo(page, 'Limit 1: in each');
  await page.keyboard.type('month');
  await tabTo(page, 'More limits');
  await page.keyboard.press('Enter');
  await tabTo(page, 'Limit 8: units');
  await page.keyboard.type('0');
  await tabTo(page, 'Create API key');
  await page.keyboard.press('Enter');
  // It stands in the row behind the one before, which is how the API counts them.
  await page.locator('#limit_units_1:focus[aria-invalid=true]').waitFor();
  expect(await page.evaluate(described)).toBe('expected a whole number from 1 to 1000000000000000');
  await page.keyboard.press('Control+A');
  await page.keyboard.press('Delete');
  await tabTo(page, 'Create API key');
  await page.keyboard.press('Enter');

  await heading(page, 'API key created');
  await tabTo(page, 'Copy');
  await page.keyboard.press('Enter');
  await page.getByRole('status').filter({ hasText: 'Copied.' }).waitFor();
  expect(await focused(page)).toMatchObject({ text: 'Copied' });
  const secret = await page.evaluate('navigator.clipboard.readText()');
  expect(secret).toMatch(/^mvra_live_[0-9A-Za-z]{32}$/);
  await tabTo(page, 'Go to this API key');
  await page.keyboard.press('Enter');
  await heading(page, 'by keyboard');
  await page.getByText('default: 100 each month').first().waitFor();
  await tabTo(page, 'Revoke');
  await page.keyboard.press('Enter');
  await heading(page, 'Revoke “by keyboard”?');
  await tabTo(page, 'Revoke API key');
  await page.keyboard.press('Enter');
  await heading(page, 'API key revoked');
});

it('works without script: a key is made, its secret shown and not kept, and it is revoked', async () => {
  const { page, url } = await open({ javaScriptEnabled: false });
  await signIn(page, url, fixedAdminKey);
  await create(page, {
    ...{ Name: 'no script', Scheme: 'powerverse', Environment: 'test' },
    ...{ Expiration: 'On a date', 'Expiration date': '2999-12-31', 'Allowed addresses': '10.0.0.0/8' },
    ...{ 'Limit 1: units': '5', 'Limit 1: in each': 'total' },
  });
  const secret = await page.getByLabel('API key for “no script”').inputValue();
  expect(secret).toMatch(/^ak_test_[0-9A-Za-z]{32}$/);
  expect(await page.getByRole('button', { name: 'Copy' }).count()).toBe(0);
  await page.reload();
  await heading(page, 'This API key was made already');
  expect(await page.content()).not.toContain(secret);

  await page.getByRole('link', { name: 'All API keys' }).click();
  // To the second it is said on hover.
  await rowOf(page, 'no script').getByTitle('2999-12-31 23:59:59 UTC').waitFor();
  await page.getByRole('link', { name: 'no script', exact: true }).click();
  await page.getByText('default: 5 in all').first().waitFor();
  await revoke(page, 'no script');
  await page.getByText('In effect on all replicas (1) since').waitFor();
});

it('says what is wrong with an address while it is typed, and that it is right again', async () => {
  const { page, url } = await open();
  await signIn(page, url, fixedAdminKey);
  await page.goto(`${url}/console/keys/new`);
  const addresses = page.getByLabel('Allowed addresses');
  await addresses.pressSequentially('10.0.0.1/8');
  await page.locator('#ip_allowlist[aria-invalid=true]').waitFor();
  await page.getByText('Entry 1 is not an IP address or a CIDR block').waitFor();
  await addresses.fill('10.0.0.0/8');
  await page.locator('#ip_allowlist:not([aria-invalid])').waitFor();
  expect(await page.locator('#ip_allowlist-error').textContent()).toBe('');
});

it('offers the environments of the chosen scheme alone', async () => {
  const { page, url } = await open();
  await signIn(page, url, fixedAdminKey);
  await page.goto(`${url}/console/keys/new`);
  const offered = (scheme: string) => async () => {
    await fill(page, { Scheme: scheme });
    return page.getByLabel('Environment').locator('option:not([hidden])').allTextContents();
  };
  expect((await offered('powerverse')()).slice(1)).toEqual(['live', 'test']);
  await fill(page, { Environment: 'test' });
  expect((await offered('mira')()).slice(1)).toEqual(['live']);
  expect(await page.getByLabel('Environment').inputValue()).toBe('');
});

it('names the key before it revokes it, tells of the wait, then from when on it holds and who has not confirmed', async () => {
  const { page, url, console } = await open();
  const { id } = await console.create({ name: 'Production Server', scheme: 'mavera' });
  const settled = Promise.withResolvers<{ effectiveAt: number; unconfirmedReplicas: string[] }>();
  console.service.store.settle = () => settled.promise;
  // While a page is waited for, nothing can be asked of the one before; but it can tell.
  const told: string[] = [];
  await page.exposeBinding('tellStatus', (_, text: string) => told.push(text));
  await page.addInitScript(`new MutationObserver(() => {
    const button = document.querySelector('main form button');
    tellStatus(document.getElementById('status')?.textContent + ' ' + button?.getAttribute('aria-disabled'));
  }).observe(document, { subtree: true, childList: true })`);
  await signIn(page, url, fixedAdminKey);
  await page.goto(`${url}/console/keys/${id}`);
  await page.getByRole('link', { name: 'Revoke' }).click();
  await heading(page, 'Revoke “Production Server”?');
  await page.getByText('stops working at once, for good').waitFor();
  await page.waitForLoadState();
  await page.getByRole('button', { name: 'Revoke API key' }).click({ noWaitAfter: true });
  await expect.poll(() => told).toContain('Revoking, and waiting for every replica to know… true');
  settled.resolve({
    effectiveAt: Date.parse('2031-02-03T04:05:06Z'),
    unconfirmedReplicas: ['pod-1', 'pod-2'],
  });

  await heading(page, 'API key revoked');
  for (const text of ['2 replicas have not confirmed it yet.', '3 Feb 2031, 04:05:06', 'pod-1, pod-2']) {
    await page.getByText(text).waitFor();
  }
  await page.reload();
  await heading(page, 'Production Server');
});

const pictureBytesMax = 150_000;

it.each(['light', 'dark'] as const)(
  'looks as its pictures in docs/screenshots show it, %s',
  async (colorScheme) => {
    const { page, url, console } = await open({
      ...{ colorScheme, viewport: { width: 1_200, height: 680 } },
    });
    console.service.clock.now = Date.parse('2026-11-20T14:25:00Z');
    await makeKeys(console);
    const used = await makeUsed(console, {
      ...{ name: 'Asset Controls Backend', scheme: 'powerverse', owner: 'acme' },
      ...{ permissions: ['read:assets', 'write:schedules'], ip_allowlist: ['203.0.113.0/24'] },
    });
    await signIn(page, url, fixedAdminKey);
    expect(await page.getByRole('row').count()).toBe(8);
    await picture('keys');

    await page.goto(`${url}/console/keys/${used}`);
    const plot = page.getByRole('region', { name: 'Usage' });
    expect(await plot.locator('rect.allowed').count()).toBe(20);
    await plot.scrollIntoViewIfNeeded();
    await picture('usage', await plot.boundingBox());

    await create(page, { Name: 'Production Server', Scheme: 'mavera' });
    // Nothing that is, or looks like, a key gets into the repository.
    await page.evaluate("document.getElementById('secret').value = 'mvra_live_' + '•'.repeat(32)");
    await picture('secret', { x: 0, y: 0, width: 1_200, height: 400 });

    /** Takes the picture where that is asked for; else there is one. */
    async function picture(name: string, part: Area | null = { x: 0, y: 0, width: 1_200, height: 680 }) {
      const path = fileURLToPath(
        new URL(`../../docs/screenshots/${name}-${colorScheme}.png`, import.meta.url),
      );
      if (part === null) throw new Error(`${name} is not to be seen`);
      if (process.env.POSTERN_TEST_SCREENSHOTS === '1') await page.screenshot({ path, clip: framed(part) });
      const { size } = await stat(path);
      expect(size).toBeGreaterThan(5_000);
      expect(size).toBeLessThan(pictureBytesMax);
    }
  },
);

type Area = { readonly x: number; readonly y: number; readonly width: number; readonly height: number };

/** With some of what is around it, as far as there is any. */
function framed({ x, y, width, height }: Area): Area {
  const [left, top] = [Math.max(0, x - 24), Math.max(0, y - 16)];
  return { x: left, y: top, width: Math.min(1_200, x + width + 24) - left, height: y - top + height };
}

/** Some of every vendor, in every state. */
async function makeKeys({ create: make, call, service }: TestConsole): Promise<void> {
  const day = 24 * hour;
  const at = async (daysAgo: number, wanted: object) => {
    service.clock.now -= daysAgo * day;
    const { id } = await make({ ...wanted });
    service.clock.now += daysAgo * day;
    return { id: id as Parameters<typeof tally>[0]['id'] };
  };
  const lastUsed = (key: Awaited<ReturnType<typeof at>>, hoursAgo: number) =>
    service.store.recordUsage([tally(key, { allowed: 1, lastUsedAt: service.clock.now - hoursAgo * hour })]);
  await at(95, { name: 'Trial', scheme: 'modelriver', expires_in: '30d' });
  const leaked = await at(41, { name: 'Laptop of a contractor', scheme: 'mira' });
  await lastUsed(leaked, 700);
  await call('DELETE', `/admin/api-keys/${leaked.id}`);
  await lastUsed(await at(30, { name: 'Production', scheme: 'converra', plan: 'pro' }), 1);
  const paused = await at(12, { name: 'Nightly export', scheme: 'modelriver', expires_in: '90d' });
  await call('POST', `/admin/api-keys/${paused.id}/disable`);
  await lastUsed(await at(9, { name: 'Development', scheme: 'converra', environment: 'test' }), 20);
  await lastUsed(await at(3, { name: 'Staging Server', scheme: 'mavera', permissions: ['chat:write'] }), 5);
}
