import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { start } from '../real/child.ts';
import { findFirefox } from '../real/firefox.ts';
import { until } from '../real/until.ts';
import { type Bidi, openBidi } from './bidi.ts';
import { type FirefoxPage, pageOf, valueIn } from './firefox-page.ts';

/** A real Firefox without a window. */
export interface FirefoxBrowser {
  readonly version: string;
  /** Somebody in front of a browser of their own; without script, if so asked: then no page before is of use any more. */
  visit(options?: { javaScriptEnabled?: boolean }): Promise<FirefoxVisitor>;
  close(): Promise<void>;
}

export interface FirefoxVisitor {
  readonly page: FirefoxPage;
  /** What no page of ours may bring about: dialogs, errors of script, violations of the content security policy. */
  readonly troubles: string[];
}

/** Nothing outside of this machine is asked for anything: what is not at 127.0.0.1 goes by a proxy that is not there. */
const preferences = {
  'network.proxy.type': 1,
  ...{ 'network.proxy.http': '127.0.0.1', 'network.proxy.http_port': 9 },
  ...{ 'network.proxy.ssl': '127.0.0.1', 'network.proxy.ssl_port': 9 },
  'intl.accept_languages': 'en-GB',
  // Whoever reloads the answer to a form is asked whether to send it again, and does.
  'dom.confirm_repost.testing.always_accept': true,
};
const deadlineMs = 120_000;

export async function launchFirefox(): Promise<FirefoxBrowser> {
  const { path, env } = await findFirefox();
  const profile = await mkdtemp(join(tmpdir(), 'postern-firefox-'));
  const lines = Object.entries(preferences).map(
    ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`,
  );
  await writeFile(join(profile, 'user.js'), lines.join(''));
  const args = ['--headless', '--no-remote', '--remote-debugging-port=0', '--remote-allow-system-access'];
  const child = await start({ path }, [...args, '--profile', profile], profile, {
    ...{ ...process.env, ...env, HOME: profile, TZ: 'UTC', MOZ_CRASHREPORTER_DISABLE: '1' },
  });
  const close = async () => {
    await child.stop();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const address = await until(
      () => `Firefox listens\n${child.log()}`,
      () => {
        if (child.hasExited()) throw new Error(`Firefox ended\n${child.log()}`);
        return /WebDriver BiDi listening on (ws:\/\/\S+)/.exec(child.log())?.[1];
      },
      { deadlineMs },
    );
    const bidi = await openBidi(address);
    return await inSession(bidi, async () => {
      await bidi.call('browser.close').catch(() => {});
      bidi.close();
      await close();
    });
  } catch (error) {
    await close();
    throw error;
  }
}

async function inSession(bidi: Bidi, close: () => Promise<void>): Promise<FirefoxBrowser> {
  const windows = (await bidi.call('browsingContext.getTree', { 'moz:scope': 'chrome' })).contexts;
  const [{ context: chrome } = { context: '' }] = windows as { context: string }[];
  const prefer = (name: string, value: boolean | number) =>
    valueIn(
      bidi,
      chrome,
      `void Services.prefs.set${typeof value === 'boolean' ? 'Bool' : 'Int'}Pref('${name}', ${value})`,
    );
  const events = ['log.entryAdded', 'browsingContext.userPromptOpened', 'script.message'];
  await bidi.call('session.subscribe', { events });

  return {
    version: String(await valueIn(bidi, chrome, 'Services.appinfo.version')),
    close,
    async visit({ javaScriptEnabled = true } = {}) {
      await prefer('javascript.enabled', javaScriptEnabled);
      const { userContext } = await bidi.call('browser.createUserContext');
      const { context } = await bidi.call('browsingContext.create', { type: 'tab', userContext });
      const page = pageOf(bidi, String(context), (colorScheme) =>
        prefer('layout.css.prefers-color-scheme.content-override', colorScheme === 'dark' ? 0 : 1),
      );
      await page.setViewportSize({ width: 1280, height: 900 });
      return { page, troubles: await troublesOf(bidi, String(context), String(userContext)) };
    },
  };
}

async function troublesOf(bidi: Bidi, context: string, userContext: string): Promise<string[]> {
  const troubles: string[] = [];
  bidi.on('log.entryAdded', ({ level, text, source }) => {
    if (level === 'error' && (source as { context?: string }).context === context)
      troubles.push(`error: ${text}`);
  });
  bidi.on('browsingContext.userPromptOpened', (prompt) => {
    if (prompt.context === context) troubles.push(`dialog: ${prompt.message}`);
  });
  bidi.on('script.message', ({ data }) => {
    troubles.push(`violation of ${(data as { value: string }).value}`);
  });
  await bidi.call('script.addPreloadScript', {
    functionDeclaration: `(tell) => addEventListener('securitypolicyviolation', (event) => {
      tell(event.effectiveDirective + ': ' + event.blockedURI);
    })`,
    arguments: [{ type: 'channel', value: { channel: 'violation' } }],
    userContexts: [userContext],
  });
  return troubles;
}
