import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { startPortal } from '../console/portal/portal.ts';
import { axeFaults } from './axe-faults.ts';
import { createAndCopy, heading, launchBrowser, revoke, rowOf, visit } from './visitor.ts';

const settings = 'https://portal.example.com/settings';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser?.close());

/** A customer at the page of the vendor's that leads to the console, where they have a key of their own. */
async function open() {
  const [{ page, context, troubles }, console] = await Promise.all([visit(browser), startPortal()]);
  onTestFinished(async () => {
    await context.close();
    expect(troubles).toEqual([]);
  });
  const { url } = await console.portal({ return_url: settings });
  const referrers: (string | undefined)[] = [];
  await page.route('https://portal.example.com/**', async (route) => {
    referrers.push(route.request().headers().referer);
    const body = `<title>Settings</title><h1>Settings</h1><a href="${url}">API keys</a>`;
    await route.fulfill({ contentType: 'text/html', body });
  });
  await page.goto(settings);
  return { page, console, url, referrers };
}

it('a customer comes by a link, makes a key, revokes one, and goes back to where they came from', async () => {
  const { page, console, url, referrers } = await open();
  const faults: string[] = [];
  const examine = async (what: string) => void faults.push(...(await axeFaults(page, what)));

  await page.getByRole('link', { name: 'API keys' }).click();
  await page.getByRole('button', { name: 'Continue' }).waitFor();
  await examine('the link');
  await page.getByRole('button', { name: 'Continue' }).click();
  await heading(page, 'API Keys');
  await examine('the keys');
  expect(await names(page)).toEqual(['of acme']);
  expect(page.url()).not.toContain(url.split('.').at(-1));

  const secret = await createAndCopy(page, { Name: 'of mine', Scheme: 'mavera' });
  expect(secret).toMatch(/^mvra_live_/);
  expect(await names(page)).toEqual(['of mine', 'of acme']);
  await rowOf(page, 'of acme').getByRole('link', { name: 'of acme', exact: true }).click();
  await heading(page, 'of acme');
  await page.getByRole('heading', { name: 'Usage' }).waitFor();
  await examine('a key');
  await revoke(page, 'of mine');
  await examine('revoked');
  const { data } = (await console.call('GET', '/admin/api-keys?name_contains=of')).json;
  expect(data.map(({ name, owner, state }: Record<string, string>) => [name, owner, state])).toEqual([
    ['of mine', 'acme', 'revoked'],
    ['of globex', 'globex', 'active'],
    ['of acme', 'acme', 'active'],
  ]);

  await page.getByRole('link', { name: 'Back to portal.example.com' }).click();
  await heading(page, 'Settings');
  // The vendor is not told which page of the console they came from.
  expect(referrers).toEqual([undefined, undefined]);
  await page.goto(url);
  await heading(page, 'This link cannot be opened');
  await examine('a link that was used');
  expect(faults).toEqual([]);
});

it('a customer sees no page of another owner, and after signing out none of their own', async () => {
  const { page, console } = await open();
  await page.getByRole('link', { name: 'API keys' }).click();
  await page.getByRole('button', { name: 'Continue' }).click();
  await heading(page, 'API Keys');
  const navigation = page.getByRole('navigation', { name: 'Settings' }).getByRole('link');
  for (const name of await navigation.allTextContents()) expect(name).not.toMatch(/Owners|Roles|Audit/);

  for (const [path, status] of [
    [`keys/${console.foreign.id}`, 404],
    [`keys/${console.foreign.id}/revoke`, 404],
    ['keys?owner=globex', 403],
    ['owners', 403],
    ['owners/globex', 403],
    ['audit', 403],
  ] as const) {
    const shown = await page.goto(`${console.base}/console/${path}`);
    expect([path, shown?.status()]).toEqual([path, status]);
    expect(await page.textContent('body')).not.toContain('of globex');
    await page.getByRole('link', { name: 'Back to portal.example.com' }).waitFor();
  }

  await page.getByRole('button', { name: 'Sign out' }).click();
  await heading(page, 'You are signed out');
  expect(await axeFaults(page, 'signed out')).toEqual([]);
  await page.goto(`${console.base}/console/keys/${console.own.id}`);
  expect(await page.textContent('body')).not.toContain('of acme');
});

/** Those of the keys that the list shows. */
function names(page: Page): Promise<string[]> {
  return page.getByRole('rowheader').getByRole('link').allTextContents();
}
