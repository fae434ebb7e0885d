import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fixedAdminKey, startConsole } from '../console/browser.ts';
import { axeFaults } from './axe-faults.ts';
import { fill, heading, launchBrowser, visit } from './visitor.ts';
import { makeWeek } from './week.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser?.close());

it('answers an operator’s six errands among 305 keys in three clicks each, or three pages', {
  timeout: 600_000,
}, async () => {
  const console = await startConsole();
  console.service.clock.now = Date.parse('2026-11-20T14:25:00Z');
  const week = await makeWeek(console);
  const { page, context, troubles } = await visit(browser);
  let clicks = 0;
  const click = async (target: Locator) => {
    clicks += 1;
    await target.click();
  };
  const clicksOf = (most: number) => {
    expect(clicks).toBeLessThanOrEqual(most);
    clicks = 0;
  };
  await page.goto(`${console.base}/console`);
  await page.getByLabel('Admin key').fill(fixedAdminKey);
  await page.keyboard.press('Enter');
  await heading(page, 'Overview');
  expect(await axeFaults(page, 'overview')).toEqual([]);
  await page.setViewportSize({ width: 1280, height: 800 });
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await picture(page, `overview-${colorScheme}`);
  }

  // Whose traffic doubled yesterday?
  await click(page.getByRole('link', { name: 'Yesterday' }));
  const first = page.getByRole('region', { name: 'Owners by change' }).getByRole('row').nth(1);
  await first.filter({ hasText: 'times as many' }).getByRole('link', { name: week.doubled }).waitFor();
  clicksOf(3);

  // What expires in seven days?
  await click(page.getByRole('link', { name: /^Expire within 7 days/ }));
  await heading(page, /^API Keys/);
  await expect.poll(() => page.locator('tbody tr').count()).toBe(week.endingSoon);
  clicksOf(3);

  // What did a key do, and what is wrong with it?
  await search(page, week.used.last4);
  await click(page.getByRole('link', { name: week.used.name, exact: true }));
  await heading(page, week.used.name);
  await page
    .getByRole('region', { name: 'Use', exact: true })
    .or(page.getByRole('heading', { name: 'Usage' }))
    .first()
    .waitFor();
  await page.getByText('Active').first().waitFor();
  clicksOf(3);

  // Find the key that ends so, and revoke it.
  await search(page, week.used.last4);
  await click(page.getByRole('link', { name: week.used.name, exact: true }));
  await heading(page, week.used.name);
  await click(page.getByRole('link', { name: 'Revoke', exact: true }));
  await heading(page, `Revoke “${week.used.name}”?`);
  await click(page.getByRole('button', { name: 'Revoke API key' }));
  await heading(page, 'API key revoked');
  clicksOf(3);

  // A customer's CI is given a key that ends in 30 days, with one permission and one address: three pages.
  await page.goto(`${console.base}/console`);
  await click(page.getByRole('link', { name: 'Create API key' }));
  await heading(page, 'Create API key');
  await fill(page, {
    ...{ Name: 'CI of acme', Owner: 'acme-0', Expiration: '30 days' },
    ...{ Permissions: 'read:assets', 'Allowed addresses': '203.0.113.7' },
  });
  await click(page.getByRole('button', { name: 'Create API key' }));
  await heading(page, 'API key created');
  clicksOf(3);
  const [made] = (await console.call('GET', '/admin/api-keys?name_contains=CI+of+acme')).json.data;
  expect(made).toMatchObject({
    ...{ owner: 'acme-0', permissions: ['read:assets'], ip_allowlist: ['203.0.113.7'] },
    expires_at: '2026-12-20T14:25:00Z',
  });
  expect(troubles).toEqual([]);
  await context.close();
});

/** As the slash has it, with the keyboard alone. */
async function search(page: Page, text: string): Promise<void> {
  await page.keyboard.press('/');
  await page.locator('#find:focus').waitFor();
  await page.keyboard.type(text);
  await page.keyboard.press('Enter');
  await heading(page, /^API Keys/);
}

/** Takes the picture where that is asked for; else there is one. */
async function picture(page: Page, name: string): Promise<void> {
  const path = fileURLToPath(new URL(`../../docs/screenshots/${name}.png`, import.meta.url));
  if (process.env.POSTERN_TEST_SCREENSHOTS === '1') await page.screenshot({ path });
  expect((await stat(path)).size).toBeGreaterThan(5_000);
}
