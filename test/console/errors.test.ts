import { expect, it } from 'vitest';
import { type Shown, startConsole } from './browser.ts';

/** The links of the summary: where each leads, and what it says. */
function summaryOf({ html }: Shown): string[][] {
  const [, list = ''] = /role="alert">.*?<ul>(.*?)<\/ul>/s.exec(html) ?? [];
  return [...list.matchAll(/<a href="#([^"]+)">([^<]+)<\/a>/g)].map(([, id = '', text = '']) => [id, text]);
}

it('says all that is wrong with a new key at once: at each field, in a summary that links to them, and in the title', async () => {
  const { operator, call } = await startConsole();
  await operator.get('/console/keys/new');
  const refused = await operator.post('/console/keys/new', {
    ...{
      name: '',
      owner: 'ümlaut',
      permissions: 'read|write',
      ip_allowlist: '10.0.0.0/8 nowhere',
      plan: 'golden',
    },
    ...{ scheme: 'powerverse', labels: 'a=1\na=2', expires_in: 'date', expires_on: '' },
    ...{ limit_units_0: 'many', limit_per_0: 'day' },
  });

  expect(refused.status).toBe(400);
  expect(refused.html).toMatch(/<title>Error: Create API key/);
  const summary = summaryOf(refused);
  expect(summary.map(([id]) => id)).toEqual([
    ...['name', 'owner', 'permissions', 'ip_allowlist', 'plan', 'labels', 'limit_units_0', 'expires_on'],
  ]);
  for (const [id = '', text = ''] of summary) {
    expect(refused.html).toMatch(
      new RegExp(`id="${id}"[^>]*aria-invalid="true"|aria-invalid="true"[^>]*id="${id}"`),
    );
    expect(refused.html).toMatch(new RegExp(`id="${id}-error">[^<]+<`));
    expect(text).not.toMatch(/Invalid|record|_|array|received/);
  }
  expect(summary[3]?.[1]).toBe('Allowed addresses: Entry 2 is not an IP address or a CIDR block');
  expect((await call('GET', '/admin/api-keys')).json.data).toEqual([]);
});

it('says all that is wrong with a change and with a rotation at once, and changes nothing', async () => {
  const { operator, create, call } = await startConsole();
  const { id, etag } = await create({ name: 'kept' });
  const path = `/console/keys/${id}`;
  const changed = await operator.post(`${path}/edit`, {
    ...{ name: 'changed', plan: '', labels: 'a b=1', permissions: 'ok', ip_allowlist: 'x' },
    ...{ expires_in: 'date', expires_on: '2020-01-01', etag: String(etag) },
  });
  const rotated = await operator.post(`${path}/rotate`, {
    ...{ grace_period: 'soon', expires_in: 'date', expires_on: '2020-01-01' },
  });

  expect([changed.status, rotated.status]).toEqual([400, 400]);
  expect(summaryOf(changed).map(([at]) => at)).toEqual(['ip_allowlist', 'labels', 'expires_on']);
  expect(summaryOf(rotated).map(([at]) => at)).toEqual(['grace_period', 'expires_on']);
  expect((await call('GET', `/admin/api-keys/${id}`)).json.data).toMatchObject({
    name: 'kept',
    state: 'active',
  });
});

it('says in the title that a sign-in, a search and an owner were not taken', async () => {
  const { operator, browser } = await startConsole();
  const wrong = await browser().signIn('x'.repeat(40));
  await operator.get('/console/owners/acme');
  const owner = await operator.post('/console/owners/acme', {
    keys_max: 'some',
    labels: '-=x',
    contact: 'c'.repeat(300),
  });
  expect(wrong.html).toMatch(/<title>Error: Sign in/);
  expect(owner.html).toMatch(/<title>Error: /);
  expect(summaryOf(owner).map(([at]) => at)).toEqual(
    expect.arrayContaining(['contact', 'labels', 'keys_max']),
  );
});

it('answers in words where a list is too long, or a member is of another kind', async () => {
  const { call } = await startConsole();
  const said = async (body: object) =>
    (await call('POST', '/admin/api-keys', body)).json.error.details.fields.map(
      ({ field, description }: Record<string, string>) => `${field} ${description}`,
    );
  expect(await said({ name: null, labels: 'x', permissions: Array(101).fill('a') })).toEqual([
    ...[
      'name is not text',
      'permissions may have at most 100 entries',
      'labels is not an object of names and values',
    ],
  ]);
  expect(await said({})).toEqual(['name is required']);
});
