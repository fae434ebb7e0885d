import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { fixedAdminKey, startConsole } from '../console/browser.ts';
import { tally } from '../store-contract/use/usage.ts';
import { axeFaults } from './axe-faults.ts';
import { heading, launchBrowser, signIn, visit } from './visitor.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser?.close());

it('follows the requests of a key until it is paused, names the zone of times, and has no fault that axe finds', {
  timeout: 600_000,
}, async () => {
  const [console, { page, context, troubles }] = await Promise.all([
    startConsole(),
    visit(browser, { timezoneId: 'Asia/Kolkata' }),
  ]);
  onTestFinished(async () => {
    await context.close();
    expect(troubles).toEqual([]);
  });
  const { create, call, service, base } = console;
  const made = await create({ name: 'CI 6', ip_allowlist: ['192.0.2.0/24'] });
  const id = made.id as Parameters<typeof tally>[0]['id'];
  await call('PATCH', `/admin/api-keys/${id}`, { permissions: ['read:a'], labels: { team: 'x' } });
  const denied = { rate_limited: 2, address_denied: 1, permission_denied: 1, owner_inactive: 1 };
  const hour = Math.floor(service.clock.now / 3_600_000) * 3_600_000;
  await service.store.recordUsage([tally({ id }, { hour, allowed: 7, denied, addresses: ['198.51.100.9'] })]);
  const record = (path: string) =>
    service.store.recordRequests([
      {
        ...{
          id: path,
          key: id,
          owner: null,
          at: service.clock.now,
          count: 1,
          method: 'GET',
          host: 'a.example',
        },
        ...{ path, address: '198.51.100.9', decision: 'deny', reason: 'address_denied', status: 403 },
        ...{ scheme: 'postern', environment: 'live' },
      },
    ]);
  await record('/first');
  await signIn(page, base, fixedAdminKey);
  const faults: string[] = [];

  await page.goto(`${base}/console/keys/${id}`);
  await heading(page, 'CI 6');
  await page.getByText('GET a.example/first').waitFor();
  await page.evaluate("navigator.clipboard.writeText('')");
  await page.getByRole('button', { name: 'Copy the id' }).click();
  await expect.poll(() => page.evaluate('navigator.clipboard.readText()')).toBe(id);
  await record('/second');
  await page.getByText('GET a.example/second').waitFor();
  const shown = await page.locator('.log time').first().textContent();
  expect(shown).toMatch(/GMT\+5:30|IST/);
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByRole('button', { name: 'Follow' }).waitFor();
  faults.push(...(await axeFaults(page, 'a key')));

  await page.goto(`${base}/console/keys/${id}/requests`);
  faults.push(...(await axeFaults(page, 'its requests')));
  await page.goto(`${base}/console/activity?notices=true`);
  await page.locator('.event summary').first().click();
  faults.push(...(await axeFaults(page, 'activity')));
  await page.goto(`${base}/console/leaks`);
  await page.getByLabel('Leaked keys', { exact: true }).fill(`${made.key}`);
  await page.getByRole('button', { name: 'Revoke what is found' }).click();
  await page.getByText('1 of 1 found').waitFor();
  faults.push(...(await axeFaults(page, 'leaks')));
  await page.goto(`${base}/console/keys/${id}`);
  await page.getByText('Leaked').first().waitFor();
  faults.push(...(await axeFaults(page, 'a key that leaked')));
  expect(faults).toEqual([]);
});
