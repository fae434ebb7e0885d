import { expect, it } from 'vitest';
import { startConsole } from './browser.ts';

async function startOwned() {
  const started = await startConsole();
  const { call, create } = started;
  await call('PUT', '/admin/owners/acme', { name: 'Acme Inc.', plan: 'pro', keys_max: 50 });
  await call('PUT', '/admin/owners/globex', { name: 'Globex' });
  const ids: string[] = [];
  for (const name of ['one', 'two', 'three']) ids.push((await create({ name, owner: 'acme' })).id);
  await call('DELETE', `/admin/api-keys/${ids[2]}`);
  return { ...started, ids };
}

it('lists owners with their plan and keys, each figure leading to the keys behind it', async () => {
  const { operator } = await startOwned();
  const { text, html } = await operator.get('/console/owners');
  expect(text).toMatch(/acme Acme Inc\. Active pro 3 keys of acme of 50/);
  expect(text).toMatch(/globex Globex Active None 0 keys of globex/);
  expect(html).toContain('href="/console/keys?owner=acme"');
});

it('finds owners by a part of their id, name or plan, or by a label, in any case', async () => {
  const { operator, call } = await startOwned();
  await call('PATCH', '/admin/owners/globex', { labels: { region: 'Europe' } });
  for (const [search, found] of [
    ['ACM', ['acme']],
    ['inc', ['acme']],
    ['pro', ['acme']],
    ['glob', ['globex']],
    ['euro', ['globex']],
    ['region=eu', ['globex']],
    ['rope', []],
    ['egion=eu', []],
    ['nobody', []],
  ] as const) {
    const { html, text } = await operator.get(`/console/owners?search=${search}`);
    const names = [...html.matchAll(/<th scope="row"[^>]*><div><a [^>]*>([^<]+)</g)].map(([, name]) => name);
    expect([search, names]).toEqual([search, found]);
    expect(text).toContain(`Search: ${search}`);
    expect(text.includes('No owner matches.')).toBe(found.length === 0);
  }
});

it('asks before it opens an owner that nobody has put, and says which one may be meant', async () => {
  const { operator, call } = await startOwned();
  const typo = await operator.post('/console/owners', { id: 'acmee' });
  expect(typo.text).toContain('Create the owner “acmee”?');
  expect(typo.text).toMatch(/Did you mean acme \?/);
  expect(typo.html).toContain('href="/console/owners/acmee"');
  expect((await call('GET', '/admin/owners/acmee')).status).toBe(404);
  expect((await operator.post('/console/owners', { id: 'acme' })).location).toBe('/console/owners/acme');
});

it('says before it suspends an owner how many of its keys stop working', async () => {
  const { operator, call, ids } = await startOwned();
  const question = await operator.get('/console/owners/acme/suspend');
  expect(question.text).toContain('2 API keys stop working');
  expect((await call('GET', '/admin/owners/acme')).json.data.suspended).toBe(false);
  await call('DELETE', `/admin/api-keys/${ids[1]}`);
  expect((await operator.get('/console/owners/acme/suspend')).text).toContain('1 API key stops working');
  expect((await operator.get('/console/owners/acme')).text).toContain(
    'Suspended: its 1 active key does not work',
  );

  await operator.post('/console/owners/acme/suspend', {});
  expect((await call('GET', '/admin/owners/acme')).json.data.suspended).toBe(true);
  const asked = await operator.get('/console/owners/acme/suspend');
  expect([asked.status, asked.location]).toEqual([303, '/console/owners/acme']);
});

it('shows of an owner its keys and those that work', async () => {
  const { operator } = await startOwned();
  const { text, html } = await operator.get('/console/owners/acme');
  expect(text).toContain('API keys 3, 2 active');
  expect(html).toContain('href="/console/keys?owner=acme"');
});
