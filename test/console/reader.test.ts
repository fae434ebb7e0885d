import { expect, it } from 'vitest';
import { request } from '../store-contract/use/request-log.ts';
import { tally } from '../store-contract/use/usage.ts';
import { type Browser, startConsole, type TestConsole } from './browser.ts';

const pagesMax = 300;

it('leads who may only read, by no link on any page, to a page or a form that changes anything', {
  timeout: 600_000,
}, async () => {
  const console = await startConsole();
  await makeSome(console);
  const reader = console.browser();
  await reader.signIn(await console.adminKey('admin:read'));
  const bound = console.browser();
  await bound.signIn(await console.adminKey('admin:read', 'acme'));

  const walks = { reader: await walk(reader), bound: await walk(bound) };
  for (const seen of Object.values(walks)) {
    expect(seen.filter(({ status }) => status !== 200)).toEqual([]);
    // The search is a form that posts, so that a whole key gets into no URL; it changes nothing.
    const forms = new Set(seen.flatMap((page) => page.forms));
    expect([...forms].sort()).toEqual(['/console/keys', '/console/sign-out']);
  }
  for (const kind of ['/keys/key_', '/requests', '/owners/acme', '/activity', '/leaks', '/roles/reader'])
    expect(
      walks.reader.some(({ path }) => path.startsWith(`/console${kind}`)),
      kind,
    ).toBe(true);
});

it('leads who may write, by the same links, to each page that changes something', {
  timeout: 600_000,
}, async () => {
  const console = await startConsole();
  await makeSome(console);
  const seen = await walk(console.operator);
  expect(seen.filter(({ status }) => status !== 200)).toEqual([]);
  const paths = seen.map(({ path }) =>
    path
      .replace(/key_\w+/, 'ID')
      .replace(/\?.*/, '')
      .replace('/console', ''),
  );
  expect(paths).toEqual(
    expect.arrayContaining([
      '/keys/new',
      '/keys/ID/edit',
      '/keys/ID/rotate',
      '/keys/ID/disable',
      '/keys/ID/revoke',
    ]),
  );
  expect(new Set(seen.flatMap(({ forms }) => forms))).toContain('/console/owners/acme');
});

interface Seen {
  readonly path: string;
  readonly status: number;
  /** Where forms that post lead. */
  readonly forms: readonly string[];
}

/** Follows every link within the console, of a list one with each parameter. */
async function walk(browser: Browser): Promise<Seen[]> {
  const ahead = ['/console'];
  const known = new Set(ahead);
  const seen: Seen[] = [];
  for (const path of ahead) {
    const { status, html } = await browser.get(path);
    const forms = html.match(/<form[^>]*method="post"[^>]*>/g) ?? [];
    seen.push({ path, status, forms: forms.map((form) => /action="([^"]*)"/.exec(form)?.[1] ?? path) });
    for (const [, href = ''] of html.matchAll(/<a[^>]*href="(\/console[^"]*)"/g)) {
      const to = href.replaceAll('&amp;', '&').replace(/#.*/, '');
      const { pathname, searchParams } = new URL(to, 'http://console');
      const parts = [pathname, ...[...searchParams.keys()].map((name) => `${pathname}?${name}`)];
      if (parts.every((part) => known.has(part))) continue;
      for (const part of parts) known.add(part);
      ahead.push(to);
    }
    expect(ahead.length).toBeLessThan(pagesMax);
  }
  return seen;
}

/** Something on every page: keys in all states, owners, a role, use, requests, what leaked, and a journal of it. */
async function makeSome({ base, create, call, service, adminKey }: TestConsole): Promise<void> {
  const { now } = service.clock;
  const colleague = await adminKey('admin:write');
  await fetch(`${base}/admin/api-keys`, {
    method: 'POST',
    headers: { authorization: `Bearer ${colleague}` },
    body: JSON.stringify({ name: 'made by a colleague', owner: 'acme' }),
  });
  await call('PUT', '/admin/owners/acme', { plan: 'pro', name: 'Acme GmbH' });
  await call('PUT', '/admin/owners/globex', { suspended: true });
  await call('PUT', '/admin/roles/reader', { permissions: ['read:a'] });
  const active = await create({ name: 'active', owner: 'acme', roles: ['reader'], expires_in: '1d' });
  const [disabled, revoked, leaked, old] = [
    await create({ name: 'disabled', owner: 'acme' }),
    await create({ name: 'revoked', owner: 'acme' }),
    await create({ name: 'leaked', owner: 'acme' }),
    await create({ name: 'old', owner: 'acme' }),
  ];
  await create({ name: 'blocked', owner: 'globex' });
  await call('POST', `/admin/api-keys/${disabled.id}/disable`);
  await call('DELETE', `/admin/api-keys/${revoked.id}`);
  await call('POST', '/admin/leaked-keys', { keys: [leaked.key] });
  await call('POST', `/admin/api-keys/${old.id}/rotate`, { grace_period: '1h' });
  const id = active.id as Parameters<typeof tally>[0]['id'];
  const hour = Math.floor(now / 3_600_000) * 3_600_000;
  await service.store.recordUsage([
    tally({ id }, { hour, allowed: 7, denied: { rate_limited: 2 }, addresses: ['198.51.100.9'] }),
  ]);
  await service.store.recordRequests([{ ...request({ key: id, owner: 'acme', at: now }), id: 'a' }]);
}
