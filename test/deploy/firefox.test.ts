import { afterAll, beforeAll, expect, it } from 'vitest';
import { axeFaults } from '../browser/axe-faults.ts';
import { type FirefoxPage, keyNamed } from '../browser/firefox-page.ts';
import { type FirefoxBrowser, launchFirefox } from '../browser/firefox-visitor.ts';
import { fixedAdminKey, startConsole, type TestConsole } from '../console/browser.ts';

/** The console in Firefox, as Debian has it: what test/browser holds of Chromium, on the way that most take. */

const walkMs = 600_000;

let firefox: FirefoxBrowser;
beforeAll(async () => {
  firefox = await launchFirefox();
}, walkMs);
afterAll(() => firefox?.close());

it('takes an operator in Firefox from the sign-in to a key and its end, with no fault that axe finds', {
  timeout: walkMs,
}, async () => {
  const { page, troubles } = await firefox.visit();
  const faults: string[] = [];
  await walk(page, await startConsole(), {
    hasScript: true,
    examine: async (what) => void faults.push(...(await axeFaults(page, what, [360, 1280]))),
  });
  expect(faults).toEqual([]);
  expect(troubles).toEqual([]);
});

it('takes an operator in Firefox the same way without script', { timeout: walkMs }, async () => {
  const { page } = await firefox.visit({ javaScriptEnabled: false });
  const seen: string[] = [];
  await walk(page, await startConsole(), {
    hasScript: false,
    async examine(what) {
      seen.push(what);
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), what).toBe(true);
    },
  });
  expect(seen).toHaveLength(9);
});

interface Walk {
  readonly hasScript: boolean;
  readonly examine: (what: string) => Promise<void>;
}

async function walk(page: FirefoxPage, { base, call }: TestConsole, { hasScript, examine }: Walk) {
  await page.goto(`${base}/console`);
  await page.heading('Sign in');
  await examine('sign in');
  await page.fill('Admin key', fixedAdminKey);
  await page.type(keyNamed.Enter);
  await page.heading('Overview');
  await examine('overview');
  await page.press('link', 'API Keys');
  await page.heading('API Keys');
  await examine('no keys');

  await page.press('link', 'Create API key');
  await page.heading('Create API key');
  await page.fill('Name', 'CI of acme');
  await page.fill('Scheme', 'mavera');
  await page.fill('Permissions', 'read:assets');
  await page.fill('Allowed addresses', '203.0.113.7');
  await examine('a form');
  await page.press('button', 'Create API key');
  await page.heading('API key created');
  const field = 'document.querySelector("#secret").value';
  const secret = String(await page.evaluate(field));
  expect(secret).toMatch(/^mvra_live_[0-9A-Za-z]{32}$/);
  await examine('a secret');
  expect(await page.count('button', 'Copy')).toBe(hasScript ? 1 : 0);
  await expectGone(page, secret, hasScript);
  await page.goto(`${base}/console/keys`);
  await page.heading('API Keys');

  await search(page, secret.slice(-4), hasScript);
  await page.press('link', 'CI of acme');
  await page.heading('CI of acme');
  await examine('a key');
  await page.press('link', 'Disable');
  await page.heading('Disable “CI of acme”?');
  await page.press('button', 'Disable API key');
  await page.heading('CI of acme');
  await page.shows('“CI of acme” is disabled.');
  await examine('what was done');
  await page.press('button', 'Undo: enable it again');
  await page.shows('“CI of acme” is enabled.');
  await page.press('link', 'Revoke');
  await page.heading('Revoke “CI of acme”?');
  await page.press('button', 'Revoke API key');
  await page.heading('API key revoked');
  await examine('a revocation');
  const [key] = (await call('GET', '/admin/api-keys?name_contains=CI+of+acme')).json.data;
  expect(key).toMatchObject({ state: 'revoked', ip_allowlist: ['203.0.113.7'] });

  await page.press('link', 'Activity');
  await page.heading('Activity');
  await page.shows('revoked');
  await examine('activity');
  await page.press('button', 'Sign out');
  await page.heading('Sign in');
  await page.goBack();
  await page.heading('Sign in');
}

/** Neither reload nor back brings it again. Without script the form itself is sent once more. */
async function expectGone(page: FirefoxPage, secret: string, hasScript: boolean) {
  const values = '[...document.querySelectorAll("input, textarea")].map(({ value }) => value).join(" ")';
  const look = () => page.evaluate(`document.documentElement.outerHTML + ${values}`);
  await page.reload();
  await page.heading(hasScript ? 'CI of acme' : 'This API key was made already');
  expect(await look()).not.toContain(secret);
  await page.press('link', 'API Keys');
  await page.heading('API Keys');
  await page.goBack();
  await expect.poll(() => page.evaluate('document.querySelector("h1")?.innerText')).not.toBe('API Keys');
  expect(await look()).not.toContain(secret);
}

/** As the slash has it; without script, by a press on the field. */
async function search(page: FirefoxPage, text: string, hasScript: boolean) {
  if (hasScript) {
    await page.type('/');
    await expect.poll(() => page.evaluate('document.activeElement?.id')).toBe('find');
    await page.type(text);
  } else await page.fill('Search API keys', text);
  await page.type(keyNamed.Enter);
  // The list that was there before has the key, too.
  await expect.poll(() => page.evaluate('location.search')).toContain('search=');
  await page.shows('CI of acme');
}
