import { expect, it } from 'vitest';
import { type Shown, startConsole } from '../browser.ts';

const day = 86_400_000;

/** The sentences of a page, without what stands behind them. */
function sentences({ html }: Shown): string[] {
  return [...html.matchAll(/<p class="act">(.*?)<span class="when">/gs)].map(([, said = '']) =>
    said
      .replaceAll(/<[^>]*>/g, '')
      .replaceAll(/\s+/g, ' ')
      .trim(),
  );
}

it('tells what was done in sentences, with the fields that a change changed, and UTC at each time', async () => {
  const { operator, create, call } = await startConsole();
  const { id } = await create({ name: 'CI 6', permissions: ['a', 'b'] });
  await call('PATCH', `/admin/api-keys/${id}`, {
    permissions: ['b', 'c'],
    plan: null,
    labels: { team: 'x' },
  });
  await call('POST', `/admin/api-keys/${id}/disable`);

  const shown = await operator.get('/console/activity');

  expect(sentences(shown).slice(0, 3)).toEqual([
    'The admin key of the settings disabled CI 6',
    'The admin key of the settings changed CI 6',
    'The admin key of the settings created CI 6',
  ]);
  expect(shown.text).toContain('Permissions before: a after: c Labels after: team=x');
  for (const [, text] of shown.html.matchAll(/<time [^>]*>([^<]*)</g)) expect(text).toMatch(/ UTC$/);
});

it('finds entries by whom they are about and who did it, by id and by name, and by words for the action', async () => {
  const { operator, create, adminKey, base } = await startConsole();
  const ann = await adminKey('admin:write');
  const as = (method: string, path: string) =>
    fetch(`${base}${path}`, { method, headers: { authorization: `Bearer ${ann}` } });
  const one = await create({ name: 'CI 6' });
  const other = await create({ name: 'CI 60' });
  await as('POST', `/admin/api-keys/${one.id}/disable`);
  await as('DELETE', `/admin/api-keys/${other.id}`);
  const found = async (filters: Record<string, string>) =>
    sentences(await operator.get(`/console/activity?${new URLSearchParams(filters)}`));

  const mine = ['admin:write revoked CI 60', 'admin:write disabled CI 6'];
  expect(await found({ actor: 'ADMIN:write' })).toEqual(mine);
  expect(await found({ actor: 'nobody of that name' })).toEqual([]);
  const about = ['admin:write disabled CI 6', 'The admin key of the settings created CI 6'];
  // The name itself goes before those that have it in theirs.
  for (const target of [`${one.id}`, 'CI 6', 'ci 6']) expect(await found({ target })).toEqual(about);
  expect(await found({ target: 'CI' })).toHaveLength(4);
  for (const action of ['disabled', 'Disable a key', 'DisableKey', 'disable']) {
    expect(await found({ action })).toEqual(['admin:write disabled CI 6']);
  }
  expect(await found({ actor: 'the admin key of the settings', target: 'CI 6' })).toEqual(about.slice(1));
  expect(await found({ target: 'CI 6', outcome: 'refused' })).toEqual([]);
});

it('takes a day as all of it, in UTC', async () => {
  const { operator, create, service } = await startConsole();
  service.clock.now = Date.parse('2031-02-03T00:00:00Z');
  await create({ name: 'first' });
  service.clock.now += day - 1_000;
  await create({ name: 'last' });
  service.clock.now += 1_000;
  await create({ name: 'next day' });
  const other = await startOperator();

  const found = async (query: string) =>
    sentences(await other.get(`/console/activity?action=CreateKey&${query}`)).map(
      (said) => said.split('created ')[1],
    );

  expect(await found('since=2031-02-03&until=2031-02-03')).toEqual(['last', 'first']);
  expect(await found('since=2031-02-04')).toEqual(['next day']);
  expect(await found('since=2031-02-03T12:00&until=2031-02-04T00:00')).toEqual(['last']);

  async function startOperator() {
    operator.headers.authorization = service.adminAuthorization;
    return operator;
  }
});

it('goes on page by page and back, also where a name means several keys', async () => {
  const { operator, create, call } = await startConsole();
  const ids = [(await create({ name: 'twin one' })).id, (await create({ name: 'twin two' })).id];
  for (let round = 0; round < 14; round += 1) {
    for (const id of ids) {
      await call('POST', `/admin/api-keys/${id}/disable`);
      await call('POST', `/admin/api-keys/${id}/enable`);
    }
  }
  const link = ({ html }: Shown, rel: string) =>
    (new RegExp(`rel="${rel}" href="([^"]+)"`).exec(html)?.[1] ?? '').replaceAll('&amp;', '&');

  const first = await operator.get('/console/activity?target=twin');
  const second = await operator.get(link(first, 'next'));

  expect(sentences(first)).toHaveLength(50);
  expect(sentences(second)).toHaveLength(8);
  expect(sentences(second).slice(-2)).toEqual([
    'The admin key of the settings created twin two',
    'The admin key of the settings created twin one',
  ]);
  expect(link(second, 'next')).toBe('');
  expect(sentences(await operator.get(link(second, 'prev')))).toEqual(sentences(first));
});

it('says at the field what is wrong with a filter, and nothing of what may be a key', async () => {
  const { operator, adminKey } = await startConsole();
  const secret = await adminKey('admin:read');

  const wrong = await operator.get('/console/activity?since=x&outcome=maybe');
  const typed = await operator.get(`/console/activity?action=${secret}`);

  expect(wrong.status).toBe(400);
  expect(wrong.html).toMatch(/id="since-error">is not an RFC 3339 time/);
  expect(wrong.html).toMatch(/<details class="more" open/);
  expect(typed.status).toBe(400);
  expect(typed.html).not.toContain(secret);
});

it('leads from the address of 0.1, filters and all, and says where nothing matches', async () => {
  const { operator } = await startConsole();

  const former = await operator.get('/console/audit?target=acme&outcome=ok');
  const none = await operator.get('/console/activity?target=acme');

  expect([former.status, former.location]).toEqual([303, '/console/activity?target=acme&outcome=ok']);
  expect(none.text).toContain('No entry matches these filters.');
});
