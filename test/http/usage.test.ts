import { expect, it } from 'vitest';
import type { KeyId } from '../../src/keys/key.ts';
import { reasons } from '../../src/schemes/answer.ts';
import type { UsageAbout } from '../../src/store/usage/usage-tally.ts';
import { tally } from '../store-contract/use/usage.ts';
import { startListener } from './listener.ts';

const noon = Date.UTC(2031, 1, 3, 12);
const [hourMs, dayMs] = [3_600_000, 86_400_000];

it('adds up use by owner for two days side by side in one call, the newest day first and in it the most', async () => {
  const { call } = await withUse();
  const day = '2031-02-03T00:00:00Z';
  const before = '2031-02-02T00:00:00Z';
  const query = `group_by=owner&interval=day&order_by=start&since=${before}&until=2031-02-04T00:00:00Z`;
  const { json } = await call('GET', `/admin/usage?${query}`);
  expect(json).toEqual({
    data: [
      { group: 'acme', start: day, allowed: 30, denied: { rate_limited: 4, expired: 1 }, observed: {} },
      { group: 'zeta', start: day, allowed: 7, denied: {}, observed: { expired: 2 } },
      { group: null, start: day, allowed: 1, denied: {}, observed: {} },
      { group: 'zeta', start: before, allowed: 100, denied: {}, observed: {} },
      { group: 'acme', start: before, allowed: 10, denied: {}, observed: {} },
    ],
    next_page_token: null,
  });
});

it('answers the last day by the hour, all keys together, where nothing is asked for', async () => {
  const { call } = await withUse();
  const rows = (await call('GET', '/admin/usage')).json.data;
  expect(rows.map(({ group, start, allowed }: Row) => [group, start, allowed])).toEqual([
    [null, '2031-02-03T12:00:00Z', 20],
    [null, '2031-02-03T11:00:00Z', 18],
  ]);
});

it('adds up by each group, and within one owner', async () => {
  const { call, acme, zeta, none } = await withUse();
  const by = async (query: string) =>
    (await call('GET', `/admin/usage?interval=all&${query}`)).json.data.map(
      ({ group, start, allowed }: Row) => {
        expect(start).toBe(null);
        return [group, allowed];
      },
    );
  expect(await by('group_by=none')).toEqual([[null, 148]]);
  expect(await by('group_by=key')).toEqual([
    [zeta, 107],
    [acme, 40],
    [none, 1],
  ]);
  expect(await by('group_by=plan')).toEqual([
    [null, 108],
    ['pro', 30],
    ['free', 10],
  ]);
  expect(await by('group_by=plan&owner=acme')).toEqual([
    ['pro', 30],
    ['free', 10],
  ]);
  expect(await by('group_by=scheme')).toEqual([
    ['postern', 147],
    ['mavera', 1],
  ]);
  expect(await by('group_by=environment&order_by=denied')).toEqual([
    ['live', 48],
    ['test', 100],
  ]);
  expect(await by('group_by=owner&owner=nobody')).toEqual([]);
});

it('answers CSV to who asks for it, all rows unless a page is asked for, with a column for each reason', async () => {
  const { call } = await withUse();
  const asCsv = { accept: 'text/csv' };
  const query = '/admin/usage?group_by=owner&interval=month&since=2031-02-01T00:00:00Z';
  const { status, headers, text } = await call('GET', query, undefined, asCsv);
  expect([status, headers.get('content-type')]).toEqual([200, 'text/csv; charset=utf-8; header=present']);
  expect(headers.get('vary')).toContain('accept');
  const lines = text.split('\r\n');
  expect(lines[0]).toBe(`group,start,allowed,${reasons.map((reason) => `denied_${reason}`).join(',')}`);
  const row = (start: string, counts: Record<string, number>) =>
    [start, ...reasons.map((reason) => counts[reason] ?? 0)].join(',');
  expect(lines.slice(1)).toEqual([
    row('zeta,2031-02-01T00:00:00Z,107', {}),
    row('acme,2031-02-01T00:00:00Z,40', { rate_limited: 4, expired: 1 }),
    row(',2031-02-01T00:00:00Z,1', {}),
    '',
  ]);
  const page = await call('GET', `${query}&page_size=1`, undefined, asCsv);
  expect(page.text.split('\r\n')).toHaveLength(3);
  const token = page.headers.get('x-next-page-token');
  const next = await call('GET', `${query}&page_size=1&page_token=${token}`, undefined, asCsv);
  expect(next.text.split('\r\n')[1]).toBe(lines[2]);
  const json = await call('GET', query, undefined, { accept: 'application/json, text/csv' });
  expect(json.json.data).toHaveLength(3);
  const refused = await call('GET', '/admin/usage?group_by=week', undefined, asCsv);
  expect([refused.status, refused.json.error.details.fields]).toEqual([
    ...[
      400,
      [{ field: 'group_by', description: 'is not one of none, key, owner, plan, scheme, environment' }],
    ],
  ]);
});

it('quotes in CSV what would be taken for more than one field', async () => {
  const { service, create, call } = await startListener();
  service.clock.now = noon;
  const { id } = await create({ name: 'quoted', owner: 'a,"b"' });
  const about = { owner: 'a,"b"', plan: null, scheme: 'postern', environment: 'live' };
  await service.store.recordUsage([tally({ id: id as KeyId }, { hour: noon, allowed: 1, about })]);
  const { text } = await call('GET', '/admin/usage?group_by=owner', undefined, { accept: 'text/csv' });
  expect(text.split('\r\n')[1]).toMatch(/^"a,""b""",2031-02-03T12:00:00Z,1,/);
});

it('gives page after page, whose token belongs to one query', async () => {
  const { call } = await withUse();
  const query = '/admin/usage?group_by=owner&interval=day';
  const all = (await call('GET', query)).json.data;
  const pages: unknown[] = [];
  let token: string | null = '';
  for (; token !== null; ) {
    const after: string = token === '' ? '' : `&page_token=${token}`;
    const { json } = await call('GET', `${query}&page_size=2${after}`);
    pages.push(...json.data);
    token = json.next_page_token;
    if (token === null) continue;
    const other = await call('GET', `/admin/usage?group_by=plan&interval=day&page_token=${token}`);
    expect(other.json.error.details.fields).toEqual([
      { field: 'page_token', description: 'belongs to a query with other fields' },
    ]);
  }
  expect(pages).toEqual(all);
  expect(all.length).toBeGreaterThan(3);
});

it('refuses what makes no sense, by the name of the field', async () => {
  const { call } = await startListener();
  const fields = async (query: string) =>
    (await call('GET', `/admin/usage?${query}`)).json.error.details.fields.map(
      ({ field }: { field: string }) => field,
    );
  expect(await fields('group_by=key,owner')).toEqual(['group_by']);
  expect(await fields('interval=week')).toEqual(['interval']);
  expect(await fields('order_by=group')).toEqual(['order_by']);
  expect(await fields('since=yesterday')).toEqual(['since']);
  expect(await fields('since=2031-02-03T00:00:00Z&until=2031-02-03T00:00:00Z')).toEqual(['until']);
  expect(await fields('since=2031-02-04T00:00:00Z&until=2031-02-03T00:00:00Z')).toEqual(['until']);
  expect(await fields('page_size=-1')).toEqual(['page_size']);
  expect(await fields('page_size=many')).toEqual(['page_size']);
  expect(await fields('page_token=a')).toEqual(['page_token']);
  expect(await fields('format=csv')).toEqual(['format']);
});

it('tells an admin key that has an owner of the use of its keys alone', async () => {
  const { base, create, acme } = await withUse();
  const { key } = await create({
    name: 'bound',
    owner: 'acme',
    scheme: 'postern',
    permissions: ['admin:read'],
  });
  const ask = async (query: string) => {
    const response = await fetch(`${base}/admin/usage?interval=all&${query}`, {
      headers: { authorization: `Bearer ${key}` },
    });
    return { status: response.status, json: (await response.json()) as { data: Row[] } };
  };
  const groups = async (query: string) =>
    (await ask(query)).json.data.map(({ group, allowed }) => [group, allowed]);
  expect(await groups('group_by=owner')).toEqual([['acme', 40]]);
  expect(await groups('group_by=none')).toEqual([[null, 40]]);
  expect(await groups('group_by=key')).toEqual([[acme, 40]]);
  expect((await ask('group_by=key&owner=zeta')).status).toBe(403);
});

interface Row {
  readonly group: string | null;
  readonly start: string | null;
  readonly allowed: number;
}

/** Three keys with use of today and yesterday; it is noon. */
async function withUse() {
  const listener = await startListener();
  const { service, create } = listener;
  service.clock.now = noon;
  const [acme, zeta, none] = (await Promise.all([create(), create(), create()])).map(({ id }) => id) as [
    KeyId,
    KeyId,
    KeyId,
  ];
  const about = (owner: string | null, given: Partial<UsageAbout> = {}): UsageAbout => {
    return { ...{ owner, plan: null, scheme: 'postern', environment: 'live' }, ...given };
  };
  await service.store.recordUsage([
    tally({ id: zeta }, { hour: noon - dayMs, allowed: 100, about: about('zeta', { environment: 'test' }) }),
    tally({ id: acme }, { hour: noon - dayMs, allowed: 10, about: about('acme', { plan: 'free' }) }),
    tally(
      { id: acme },
      {
        ...{ hour: noon - hourMs, allowed: 10, denied: { rate_limited: 4, expired: 1 } },
        about: about('acme', { plan: 'pro' }),
      },
    ),
    tally({ id: acme }, { hour: noon, allowed: 20, about: about('acme', { plan: 'pro' }) }),
    tally({ id: zeta }, { hour: noon - hourMs, allowed: 7, observed: { expired: 2 }, about: about('zeta') }),
    tally({ id: none }, { hour: noon - hourMs, allowed: 1, about: about(null, { scheme: 'mavera' }) }),
  ]);
  return { ...listener, acme, zeta, none };
}
