import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { fixedAdminKey, startConsole, type TestConsole } from '../console/browser.ts';
import { axeFaults } from './axe-faults.ts';
import { fill, heading, launchBrowser, signIn, visit } from './visitor.ts';

const minute = 60_000;
/** A phone and a desk: test/browser/pages.test.ts looks at the same pages in between. */
const widths = [360, 1280];

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser?.close());

interface Looked {
  readonly page: Page;
  readonly console: TestConsole;
  readonly url: string;
  /** Waits for the text, and has axe look at the page. */
  readonly state: (text: string | RegExp) => Promise<void>;
}

async function look(): Promise<Looked> {
  const [{ page, context, troubles }, console] = await Promise.all([visit(browser), startConsole()]);
  const faults: string[] = [];
  onTestFinished(async () => {
    await context.close();
    expect(faults).toEqual([]);
    expect(troubles).toEqual([]);
  });
  return {
    ...{ page, console, url: console.base },
    async state(text) {
      await page.getByText(text).first().waitFor();
      await page.waitForLoadState();
      faults.push(...(await axeFaults(page, String(text), widths)));
      await page.setViewportSize({ width: 1280, height: 900 });
    },
  };
}

it('has no fault that axe finds where a session has ended: a link that waits, a form that was kept', {
  timeout: 600_000,
}, async () => {
  const { page, console, url, state } = await look();
  const { id } = await console.create({ name: 'linked' });
  await page.goto(`${url}/console/keys/${id}`);
  await heading(page, 'Sign in');
  await state('Admin key');
  await page.getByLabel('Admin key').fill(fixedAdminKey);
  await page.keyboard.press('Enter');
  await heading(page, 'linked');

  await page.goto(`${url}/console/keys/new`);
  await fill(page, { Name: 'not lost', Permissions: 'read:a' });
  console.service.clock.now += 31 * minute;
  await page.getByRole('button', { name: 'Create API key' }).click();
  await state('What you filled in is kept');
  await page.getByLabel('Admin key').fill('wrong'.repeat(8));
  await page.keyboard.press('Enter');
  await page.locator('[aria-invalid]').waitFor();
  await state('Admin key');
  await page.getByLabel('Admin key').fill(fixedAdminKey);
  await page.keyboard.press('Enter');
  await state('Nothing was sent yet');
  expect(await page.getByLabel('Name', { exact: true }).inputValue()).toBe('not lost');
  console.service.clock.now += 31 * minute;
  await page.goto(`${url}/console/owners`);
  await state('Your session has ended');
});

it('has no fault that axe finds where two change the same thing, and in what answers an act', {
  timeout: 600_000,
}, async () => {
  const { page, console, url, state } = await look();
  const { id } = await console.create({ name: 'CI 6', owner: 'acme' });
  await console.call('PUT', '/admin/owners/acme', { plan: 'pro' });
  await console.call('PUT', '/admin/roles/reader', { permissions: ['read:a'] });
  await signIn(page, url, fixedAdminKey);
  const press = (name: string) => page.getByRole('main').getByRole('button', { name, exact: true }).click();

  await page.goto(`${url}/console/keys/${id}/edit`);
  await fill(page, { Name: 'mine', Permissions: 'read:a write:b' });
  await console.call('PATCH', `/admin/api-keys/${id}`, { name: 'theirs', permissions: ['read:c'] });
  await press('Save');
  await state('Nothing of yours was saved.');
  await press('Save');
  await state('“mine” is saved.');
  await page.goto(`${url}/console/owners/acme`);
  await fill(page, { Plan: 'free' });
  await console.call('PATCH', '/admin/owners/acme', { name: 'Acme GmbH', plan: 'enterprise' });
  await press('Save owner');
  await state('Nothing of yours was saved.');
  await page.goto(`${url}/console/roles/reader`);
  await fill(page, { Permissions: 'read:b' });
  await console.call('PUT', '/admin/roles/reader', { permissions: ['read:c'] });
  await press('Save role');
  await state('Nothing of yours was saved.');

  await page.goto(`${url}/console/owners/acme`);
  await page.getByRole('link', { name: 'Suspend owner' }).click();
  await heading(page, 'Suspend “acme”?');
  await state('1 API key stops working');
  await press('Suspend owner');
  await page.locator('.flash').waitFor();
  await state('Undo');
  await page.goto(`${url}/console/keys/${id}`);
  await state('Blocked');
  await page.goto(`${url}/console/keys/${id}/disable`);
  await press('Disable API key');
  await state('“mine” is disabled.');
  await press('Undo: enable it again');
  await state('“mine” is enabled.');
});

it('has no fault that axe finds in questions, errors that are told in one go, and lists that are filtered', {
  timeout: 600_000,
}, async () => {
  const { page, console, url, state } = await look();
  await console.call('PUT', '/admin/owners/acme', {});
  await console.create({ name: 'of acme', owner: 'acme' });
  await signIn(page, url, fixedAdminKey);

  await page.goto(`${url}/console/keys/new`);
  await fill(page, { Name: 'x', Owner: 'acmee', Scheme: 'postern', Permissions: 'admin:write' });
  await page.getByRole('button', { name: 'Create API key' }).click();
  await state('Nothing was made yet.');
  await page.goto(`${url}/console/leaks`);
  await page.getByLabel('Leaked keys', { exact: true }).fill('nonsense');
  await page.getByRole('button', { name: 'Revoke what is found' }).click();
  await state('None of them is a key here');
  for (const [path, text] of [
    ['keys?state=active&scheme=mavera&owner=acme&sort=name+desc', 'API Keys'],
    ['keys?expires_within=7d', 'API Keys'],
    ['activity?actor=nobody', 'Activity'],
    ['activity?since=wrong', 'Activity'],
    ['roles', 'Roles'],
    ['owners/acmee', 'acmee'],
  ] as const) {
    await page.goto(`${url}/console/${path}`);
    await state(text);
  }
});
