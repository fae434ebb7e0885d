import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest';
import { startChangedStack } from '../e2e/routes.ts';
import { type Stack, send } from '../e2e/stack.ts';
import {
  converra,
  mavera,
  mira,
  modelriver,
  powerverse,
  presented,
  type Vendor,
} from '../e2e/vendors/vendor-cases.ts';
import { vendorRoutes } from '../e2e/vendors/vendors-failures.ts';
import { adminKey } from '../real/postern.ts';
import {
  act,
  copy,
  create,
  createAndCopy,
  fill,
  heading,
  launchBrowser,
  revoke,
  rowOf,
  signIn,
  type Visitor,
  visit,
} from './visitor.ts';

let browser: Browser;
let stack: Stack;
beforeAll(async () => {
  const config = 'usage_flush_interval: 100ms';
  [browser, stack] = await Promise.all([
    launchBrowser(),
    startChangedStack(config, {}, { routes: vendorRoutes }),
  ]);
});
afterAll(() => Promise.all([browser?.close(), stack?.stop()]));

let page: Visitor['page'];
beforeEach(async () => {
  const visitor = await visit(browser);
  ({ page } = visitor);
  onTestFinished(() => visitor.context.close());
  await signIn(page, stack.postern.url, adminKey);
  return () => expect(visitor.troubles).toEqual([]);
});

/** What a client of the vendor reads when it uses the key. */
async function use(vendor: Vendor, key: string, below = '') {
  const answer = await send(stack.envoy.url, `/v/${vendor.scheme}/${below}`, [presented(vendor, key)]);
  return { ...answer, json: JSON.parse(answer.body) };
}

function expectForm({ scheme, minted, prefixes }: Vendor, key: string, environment = 'live'): void {
  const [prefix = ''] = Object.entries(prefixes).find(([, name]) => name === environment) ?? [];
  expect(key.startsWith(prefix), `${scheme}'s prefix`).toBe(true);
  expect(key.slice(prefix.length)).toMatch(minted);
}

async function expectListed(name: string, key: string, prefixLength: number): Promise<void> {
  const row = rowOf(page, name);
  await row.getByText(`${key.slice(0, prefixLength + 4)}…${key.slice(-4)}`, { exact: true }).waitFor();
  expect(await page.content()).not.toContain(key);
}

it('Mavera: create, copy, view, revoke; a lapsed subscription stops keys and their making, a renewed one does not', async () => {
  // "Click Create API Key. Give your key a descriptive name. Copy the key immediately."
  await create(page, { Name: 'Production Server', Scheme: 'mavera', Owner: 'acme' });
  await page.getByText('It will not be shown again.').waitFor();
  const key = await copy(page);
  expectForm(mavera, key);
  const { status, upstream } = await use(mavera, key);
  expect([status, upstream?.headers['x-postern-owner']]).toEqual([200, ['acme']]);

  // "View all your API keys at Settings: key name, creation date, last used date, last 4 characters."
  await page.getByRole('link', { name: 'API Keys' }).first().click();
  await expectListed('Production Server', key, 'mvra_live_'.length);
  const times = async () => {
    await page.reload();
    return rowOf(page, 'Production Server').locator('time').count();
  };
  // When it expires, was last used, was made.
  await expect.poll(times).toBe(3);

  // "Existing keys will return 402 errors. You cannot create new keys. Renewing restores API access."
  await page.getByRole('link', { name: 'Owners' }).click();
  await page.getByLabel('Owner', { exact: true }).fill('acme');
  await page.getByRole('button', { name: 'Open owner' }).click();
  await fill(page, { 'Active until (UTC)': '2020-01-31T00:00:00' });
  await page.getByRole('button', { name: 'Save owner' }).click();
  await page.getByText('“acme” is inactive.').waitFor();
  const lapsed = await use(mavera, key);
  expect([lapsed.status, lapsed.json]).toEqual([402, mavera.bodies({}).owner_inactive]);
  await page.goto(`${stack.postern.url}/console/keys/new`);
  await fill(page, { Name: 'Another', Scheme: 'mavera', Owner: 'acme' });
  await page.getByRole('button', { name: 'Create API key' }).click();
  await heading(page, 'This cannot be done');
  await page.goto(`${stack.postern.url}/console/owners/acme`);
  await fill(page, { 'Active until (UTC)': '' });
  await page.getByRole('button', { name: 'Save owner' }).click();
  await page.getByText('“acme” is active.').waitFor();
  expect((await use(mavera, key)).status).toBe(200);

  // "Find the key you want to revoke, click the button, confirm. … will fail with a 401 error."
  await revoke(page, 'Production Server');
  const revoked = await use(mavera, key);
  expect([revoked.status, revoked.json]).toEqual([401, mavera.bodies({}).revoked]);
  // "Irreversible."
  await page.getByRole('link', { name: 'Go to this API key' }).click();
  await heading(page, 'Production Server');
  const changing = page.getByRole('main').getByText(/^(?:Edit|Rotate|Enable|Disable|Revoke)$/);
  expect(await changing.count()).toBe(0);
});

it('PowerVerse: types, permissions, addresses, expiry; rotate by its four steps', async () => {
  // "Click Create New Key. Configure key settings (name, permissions, IP allowlist). Copy and securely store the key."
  const key = await createAndCopy(page, {
    ...{ Name: 'Asset Controls Backend', Scheme: 'powerverse', Environment: 'live' },
    ...{ Permissions: 'read:assets\nwrite:schedules', 'Allowed addresses': '127.0.0.0/8\n10.0.0.0/8' },
    ...{ Expiration: 'On a date', 'Expiration date': '2999-12-31' },
  });
  expectForm(powerverse, key);
  await expectListed('Asset Controls Backend', key, 'ak_live_'.length);
  const row = rowOf(page, 'Asset Controls Backend');
  await row.getByText('31 Dec 2999').waitFor();
  await row.getByRole('link', { name: 'Asset Controls Backend' }).click();
  await page.getByRole('main').getByText('write:schedules').first().waitFor();
  await page.getByRole('link', { name: 'API Keys' }).first().click();
  expect((await use(powerverse, key, 'write/')).status).toBe(200);

  const testKey = await createAndCopy(page, { Name: 'Sandbox', Scheme: 'powerverse', Environment: 'test' });
  expectForm(powerverse, testKey, 'test');
  expect((await use(powerverse, testKey, 'test-env/')).status).toBe(200);
  // "Causes: using test key in production."
  expect((await use(powerverse, testKey)).json).toEqual(powerverse.bodies({}).wrong_environment);

  const afar = await createAndCopy(page, {
    ...{ Name: 'Production Backend', Scheme: 'powerverse' },
    'Allowed addresses': '203.0.113.0/24\n198.51.100.50',
  });
  const allowed_ips = ['203.0.113.0/24', '198.51.100.50'];
  const denied = await use(powerverse, afar);
  expect(denied.status).toBe(403);
  expect(denied.json).toEqual(powerverse.bodies({ client_ip: '127.0.0.1', allowed_ips }).address_denied);

  // "1. Create new key. 2. Update your applications. 3. Verify the new key works. 4. Revoke the old key."
  const next = await createAndCopy(page, { Name: 'Asset Controls Backend (rotated)', Scheme: 'powerverse' });
  expect((await use(powerverse, next)).status).toBe(200);
  expect((await use(powerverse, key)).status).toBe(200);
  await revoke(page, 'Asset Controls Backend');
  const revoked = await use(powerverse, key);
  expect([revoked.status, revoked.json]).toEqual([401, powerverse.bodies({}).revoked]);
  expect((await use(powerverse, next)).status).toBe(200);
});

it('Converra: a key for production and one for development, limits by plan, rotation without downtime, revocation', async () => {
  const key = await createAndCopy(page, { Name: 'Production', Scheme: 'converra', Plan: 'pro' });
  expectForm(converra, key);
  await expectListed('Production', key, 'sk_live_'.length);
  const { status, headers } = await use(converra, key);
  expect([status, headers['x-ratelimit-limit'], headers['x-ratelimit-remaining']]).toEqual([
    200,
    '300',
    '299',
  ]);
  const development = await createAndCopy(page, {
    ...{ Name: 'Development', Scheme: 'converra', Environment: 'test' },
  });
  expectForm(converra, development, 'test');
  expect((await use(converra, development, 'test-env/')).status).toBe(200);

  // "Create a new key before revoking the old one if you need to rotate keys without downtime."
  await rowOf(page, 'Production').getByRole('link', { name: 'Production', exact: true }).click();
  await page.getByRole('link', { name: 'Rotate' }).click();
  await fill(page, { 'The old key works for': '1 hour' });
  await page.getByRole('button', { name: 'Rotate API key' }).click();
  await heading(page, 'API key rotated');
  const next = await copy(page);
  expect((await use(converra, next)).status).toBe(200);
  expect((await use(converra, key)).status).toBe(200);

  // "Find the key in the list. Click Revoke. After revoking a key, any requests using it will immediately fail."
  await page.getByRole('navigation', { name: 'Settings' }).getByRole('link', { name: 'API Keys' }).click();
  await act(page.getByRole('row').filter({ hasText: `…${key.slice(-4)}` }), /^Revoke/);
  await page.getByRole('button', { name: 'Revoke API key' }).click();
  await heading(page, 'API key revoked');
  const revoked = await use(converra, key);
  expect([revoked.status, revoked.json]).toEqual([401, converra.bodies({}).revoked]);
  expect((await use(converra, next)).status).toBe(200);
});

it('ModelRiver: an expiration period for each key, shown in the list; revoke and confirm', async () => {
  // "Navigate to Settings → API Keys. Click Create API Key. Choose an expiration period. Copy the key immediately."
  await page.getByRole('link', { name: 'Create API key' }).click();
  const periods = await page.getByLabel('Expiration', { exact: true }).locator('option').allTextContents();
  expect(periods).toEqual(
    expect.arrayContaining(['1 day', '7 days', '30 days', '60 days', '90 days', 'Never']),
  );
  const key = await createAndCopy(page, { Name: 'Month', Scheme: 'modelriver', Expiration: '30 days' });
  expectForm(modelriver, key);
  expect((await use(modelriver, key)).status).toBe(200);
  await expectListed('Month', key, 'mr_live_'.length);
  const expires = await rowOf(page, 'Month').locator('.expires time').getAttribute('datetime');
  const days = (Date.parse(expires ?? '') - Date.now()) / 86_400_000;
  expect(days).toBeGreaterThan(29.9);
  expect(days).toBeLessThanOrEqual(30);

  // "Find the key to revoke. Click Revoke and confirm. … will fail with a 401 Unauthorized response."
  await revoke(page, 'Month');
  const revoked = await use(modelriver, key);
  expect([revoked.status, revoked.json]).toEqual([401, modelriver.bodies({}).revoked]);
});

it('Mira: 48 characters, shown only once; a leaked key is revoked and a replacement made', async () => {
  const key = await createAndCopy(page, { Name: 'Leaked', Scheme: 'mira' });
  expectForm(mira, key);
  expect(key).toHaveLength(48);
  expect((await use(mira, key)).status).toBe(200);
  await expectListed('Leaked', key, 'sk-mira-'.length);

  // "Revoke it from the dashboard and create a new one."
  await revoke(page, 'Leaked');
  const revoked = await use(mira, key);
  expect([revoked.status, revoked.json]).toEqual([401, mira.bodies({}).revoked]);
  const replacement = await createAndCopy(page, { Name: 'Replacement', Scheme: 'mira' });
  expect((await use(mira, replacement)).status).toBe(200);
});
