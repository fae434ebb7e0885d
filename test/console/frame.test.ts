import { expect, it } from 'vitest';
import { startConsole } from './browser.ts';

it('says on every page where it is, which environment it serves, and who is signed in by the name of their key', async () => {
  const { base, browser, adminKey } = await startConsole();
  const reader = browser();
  await reader.signIn(await adminKey('admin:read', 'acme'));

  for (const path of ['/console/keys', '/console/owners', '/console/activity', '/console/nowhere']) {
    const { html, text } = await reader.get(path);
    expect(html).toContain(`<span class="instance">${new URL(base).host}</span>`);
    expect(text).toContain('Environment: live');
    expect(text).toContain('Signed in as admin:read acme, owner acme, read only');
    expect(html).toMatch(/<title>[^<]+ · live · Postern<\/title>/);
  }
});

it('has an icon of another colour for each environment that is not live, to tell tabs apart', async () => {
  const colours = await Promise.all(
    ['live', 'test', 'staging'].map(async (environment) => {
      const { operator } = await startConsole({ environment });
      const [, icon = ''] =
        /<link rel="icon" href="([^"]+)"/.exec((await operator.get('/console')).html) ?? [];
      return /rect[^>]*fill="(#[0-9a-f]{6})"/.exec((await operator.get(icon)).html)?.[1];
    }),
  );
  expect(colours).not.toContain(undefined);
  expect(new Set(colours).size).toBe(3);
});

it('marks in the navigation where somebody is, and has one search on every page', async () => {
  const { operator, create } = await startConsole();
  const { id } = await create({ name: 'a key' });

  for (const [path, name] of [
    ['/console/keys', 'API Keys'],
    [`/console/keys/${id}`, 'API Keys'],
    ['/console/owners', 'Owners'],
    ['/console/activity?outcome=ok', 'Activity'],
  ] as const) {
    const { html } = await operator.get(path);
    const here = [...html.matchAll(/aria-current="page"[^>]*>.*?<span>([^<]+)</gs)].map(([, text]) => text);
    expect([path, here]).toEqual([path, [name]]);
    expect(html.match(/<input id="find"/g)).toHaveLength(1);
  }
});

it('leads addresses of 0.1 to the pages that took their place', async () => {
  const { operator } = await startConsole();
  const moved = await operator.get('/console/audit?target=key_x&outcome=ok');
  expect([moved.status, moved.location]).toEqual([303, '/console/activity?target=key_x&outcome=ok']);
});
