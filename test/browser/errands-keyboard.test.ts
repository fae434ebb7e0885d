import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { fixedAdminKey, startConsole, type TestConsole } from '../console/browser.ts';
import { focused, tabTo } from './keyboard.ts';
import { fill, heading, launchBrowser, rowOf, visit } from './visitor.ts';
import { makeWeek, type Week } from './week.ts';

/** So many that each errand finds something, and few enough to tab through. */
const keysCount = 60;

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser?.close());

/** How somebody gets on with a page. */
interface Hands {
  readonly follow: (name: string | RegExp) => Promise<void>;
  readonly press: (name: string) => Promise<void>;
  readonly choose: (name: string) => Promise<void>;
  /** Opens a menu, and chooses what is in it. */
  readonly act: (menu: string, item: string) => Promise<void>;
  readonly search: (text: string) => Promise<void>;
  readonly write: (fields: Readonly<Record<string, string>>) => Promise<void>;
}

it('is enough for the six errands, and for many keys at once, with the keyboard alone', {
  timeout: 600_000,
}, async () => {
  const { page, console, week } = await begin(true);
  const enter = async (name: string | RegExp) => {
    await tabTo(page, name);
    await page.keyboard.press('Enter');
  };
  await errands(page, console, week, {
    follow: enter,
    press: enter,
    async choose(name) {
      await tabTo(page, name);
      await page.keyboard.press('Space');
    },
    async act(menu, item) {
      const open = page.locator('details.menu[open]');
      await enter(menu);
      await open.waitFor();
      await page.keyboard.press('Tab');
      await page.keyboard.press('Escape');
      await expect.poll(() => open.count()).toBe(0);
      expect(await focused(page)).toMatchObject({ text: menu, isSeen: true });
      // It closes, too, when the focus leaves it.
      await page.keyboard.press('Enter');
      await open.waitFor();
      await page.keyboard.press('Shift+Tab');
      await expect.poll(() => open.count()).toBe(0);
      await enter(menu);
      await enter(item);
    },
    async search(text) {
      await page.keyboard.press('/');
      await page.locator('#find:focus').waitFor();
      expect(await focused(page)).toMatchObject({ isSeen: true });
      await page.keyboard.type(text);
      await page.keyboard.press('Enter');
    },
    async write(fields) {
      for (const [label, text] of Object.entries(fields)) {
        await tabTo(page, label);
        await page.keyboard.type(text);
      }
    },
  });
});

it('is enough for the six errands, and for many keys at once, without script', {
  timeout: 600_000,
}, async () => {
  const { page, console, week } = await begin(false);
  await errands(page, console, week, {
    follow: (name) => page.getByRole('main').getByRole('link', { name, exact: true }).first().click(),
    press: (name) => page.getByRole('main').getByRole('button', { name, exact: true }).first().click(),
    choose: (name) => page.getByRole('checkbox', { name, exact: true }).check(),
    async act(menu, item) {
      await page.getByLabel(menu, { exact: true }).click();
      await page.getByRole('button', { name: item, exact: true }).click();
    },
    async search(text) {
      await page.getByLabel('Search API keys').fill(text);
      await page.keyboard.press('Enter');
    },
    write: (fields) => fill(page, fields),
  });
});

async function begin(javaScriptEnabled: boolean) {
  const console = await startConsole();
  console.service.clock.now = Date.parse('2026-11-20T14:25:00Z');
  const week = await makeWeek(console, keysCount);
  const { page, context, troubles } = await visit(browser, { javaScriptEnabled });
  onTestFinished(async () => {
    await context.close();
    expect(troubles).toEqual([]);
  });
  await page.goto(`${console.base}/console`);
  await page.getByLabel('Admin key').fill(fixedAdminKey);
  await page.keyboard.press('Enter');
  await heading(page, 'Overview');
  return { page, console, week };
}

async function errands(page: Page, { base, call }: TestConsole, week: Week, hands: Hands): Promise<void> {
  const { follow, press, choose, act, search, write } = hands;
  const overview = () => page.goto(`${base}/console`);

  // Whose traffic doubled yesterday?
  await follow('Yesterday');
  const first = page.getByRole('region', { name: 'Owners by change' }).getByRole('row').nth(1);
  await first.filter({ hasText: 'times as many' }).getByRole('link', { name: week.doubled }).waitFor();
  await follow(week.doubled);
  await heading(page, `Owner ${week.doubled}`);

  // What expires in seven days?
  await overview();
  await follow(/^Expire within 7 days/);
  await heading(page, /^API Keys/);
  await expect.poll(() => page.locator('tbody tr').count()).toBe(week.endingSoon);

  // Find the key that ends so, see what it did, and revoke it.
  await search(week.used.last4);
  await heading(page, /^API Keys/);
  await follow(week.used.name);
  await heading(page, week.used.name);
  await page.getByText('Active').first().waitFor();
  await follow('Revoke');
  await heading(page, `Revoke “${week.used.name}”?`);
  await press('Revoke API key');
  await heading(page, 'API key revoked');

  // A customer's CI is given a key that ends in 30 days, with one permission and one address.
  await overview();
  await follow('Create API key');
  await heading(page, 'Create API key');
  const wanted = { Name: 'CI of acme', Owner: 'acme-0', Expiration: '30 days', Permissions: 'read:assets' };
  await write({ ...wanted, 'Allowed addresses': '203.0.113.7' });
  await press('Create API key');
  await heading(page, 'API key created');
  const [made] = (await call('GET', '/admin/api-keys?name_contains=CI+of+acme')).json.data;
  expect(made).toMatchObject({
    ...{ owner: 'acme-0', permissions: ['read:assets'], ip_allowlist: ['203.0.113.7'] },
    expires_at: '2026-12-20T14:25:00Z',
  });

  // Two keys of a customer are disabled at once, and one of them is enabled by its menu.
  await page.goto(`${base}/console/keys?owner=acme-4&sort=name`);
  const names = await page.getByRole('rowheader').getByRole('link').allTextContents();
  const [one = '', other = ''] = names.map((name) => name.trim());
  await choose(`Select ${one}`);
  await choose(`Select ${other}`);
  await press('Disable…');
  await heading(page, 'Disable 2 API keys?');
  await press('Disable 2 API keys');
  await page.getByText('2 API keys disabled.').waitFor();
  const { data } = (await call('GET', '/admin/api-keys?owner=acme-4&state=disabled')).json;
  expect(data.map(({ name }: { name: string }) => name).sort()).toEqual([one, other].sort());
  await page.goto(`${base}/console/keys?owner=acme-4&sort=name`);
  await rowOf(page, one).waitFor();
  await act(`Actions for ${one}`, `Enable ${one}`);
  await page.getByRole('status').filter({ hasText: 'is enabled' }).waitFor();
  const left = (await call('GET', '/admin/api-keys?owner=acme-4&state=disabled')).json;
  expect(left.data.map(({ name }: { name: string }) => name)).toEqual([other]);
}
