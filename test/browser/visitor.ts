import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Locator,
  type Page,
} from 'playwright-core';
import { findChromium } from '../real/chromium.ts';

/** Somebody in front of a browser of their own: no cookie, storage or cache is shared with another visitor. */
export interface Visitor {
  readonly context: BrowserContext;
  readonly page: Page;
  /** What no page of ours may bring about: dialogs, errors of script, violations of the content security policy. */
  readonly troubles: string[];
}

const deadlineMs = 120_000;

/** A real Chromium without a window. */
export async function launchBrowser(): Promise<Browser> {
  const { path, env } = await findChromium();
  return chromium.launch({
    executablePath: path,
    // In a container there is neither a sandbox nor, often, room in /dev/shm.
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
    env: { ...process.env, ...env },
    timeout: deadlineMs,
  });
}

/** Times are read in UTC, in British English, unless the options say otherwise. */
export async function visit(browser: Browser, options: BrowserContextOptions = {}): Promise<Visitor> {
  const context = await browser.newContext({
    ...{ locale: 'en-GB', timezoneId: 'UTC', viewport: { width: 1280, height: 900 } },
    ...{ permissions: ['clipboard-read', 'clipboard-write'] },
    ...options,
  });
  context.setDefaultTimeout(deadlineMs);
  const troubles: string[] = [];
  await context.exposeBinding('tellViolation', (_, text: string) => troubles.push(text));
  await context.addInitScript(`addEventListener('securitypolicyviolation', (event) => {
    tellViolation('violation of ' + event.effectiveDirective + ': ' + event.blockedURI);
  })`);
  context.on('weberror', (error) => troubles.push(`error: ${error.error().message}`));
  context.on('dialog', async (dialog) => {
    troubles.push(`dialog: ${dialog.message()}`);
    await dialog.dismiss();
  });
  return { context, page: await context.newPage(), troubles };
}

/** Signs in at the front door, and goes to the list of keys. */
export async function signIn(page: Page, url: string, adminKey: string): Promise<void> {
  await page.goto(`${url}/console`);
  await page.getByLabel('Admin key').fill(adminKey);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await heading(page, 'Overview');
  await page.goto(`${url}/console/keys`);
  await heading(page, 'API Keys');
}

/** Waits for the page with this heading, all of it: its script runs. */
export async function heading(page: Page, name: string | RegExp): Promise<void> {
  await page.getByRole('heading', { level: 1, name, exact: true }).waitFor();
  await page.waitForLoadState();
}

/** What a form is filled with: by its label, the text, or the choice's text. */
export type Wanted = Readonly<Record<string, string>>;

export async function fill(page: Page, wanted: Wanted): Promise<void> {
  for (const [label, value] of Object.entries(wanted)) {
    const field = page.getByLabel(label, { exact: true });
    const isChoice = (await field.evaluate(({ localName }: { localName: string }) => localName)) === 'select';
    if (isChoice) await field.selectOption({ label: value });
    else await field.fill(value);
  }
}

/** Settings → API Keys, "Create API key", the form. Is then at the page that shows the secret. */
export async function create(page: Page, wanted: Wanted): Promise<void> {
  const settings = page.getByRole('navigation', { name: 'Settings' });
  await settings.getByRole('link', { name: 'API Keys' }).click();
  await page.getByRole('link', { name: 'Create API key' }).click();
  await fill(page, wanted);
  await page.getByRole('button', { name: 'Create API key' }).click();
  await heading(page, 'API key created');
}

/** The secret as the copy button brings it into the clipboard. */
export async function copy(page: Page): Promise<string> {
  await page.evaluate("navigator.clipboard.writeText('')");
  await page.getByRole('button', { name: 'Copy' }).click();
  await page.getByRole('button', { name: 'Copied' }).waitFor();
  return (await page.evaluate('navigator.clipboard.readText()')) as string;
}

/** Makes a key, copies its secret, and is then in the list again. */
export async function createAndCopy(page: Page, wanted: Wanted): Promise<string> {
  await create(page, wanted);
  const secret = await copy(page);
  await page.getByRole('link', { name: 'All API keys' }).click();
  await heading(page, 'API Keys');
  return secret;
}

/** The key's row in the list, which the page shows. */
export function rowOf(page: Page, name: string) {
  return page
    .getByRole('row')
    .filter({ has: page.getByRole('rowheader').getByRole('link', { name, exact: true }) });
}

/** Opens the menu of a row. */
export async function act(row: Locator, what: string | RegExp): Promise<void> {
  await row.getByLabel(/^Actions for /).click();
  await row.getByRole('link', { name: what }).click();
}

/** Finds the key in the list, clicks "Revoke" in its menu and confirms. Is then at the page that says from when on it holds. */
export async function revoke(page: Page, name: string): Promise<void> {
  const settings = page.getByRole('navigation', { name: 'Settings' });
  await settings.getByRole('link', { name: 'API Keys' }).click();
  await act(rowOf(page, name), `Revoke ${name}`);
  await heading(page, `Revoke “${name}”?`);
  await page.getByRole('button', { name: 'Revoke API key' }).click();
  await heading(page, 'API key revoked');
}
