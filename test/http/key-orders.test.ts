import { expect, it } from 'vitest';
import { startListener } from './listener.ts';

async function startOrdered() {
  const { call, create } = await startListener();
  const wanted = { a: 'globex', b: 'acme', c: null, d: 'acme', e: null, f: 'globex' };
  const ids: Record<string, string> = {};
  for (const [name, owner] of Object.entries(wanted)) ids[name] = (await create({ name, owner })).id;
  await call('DELETE', `/admin/api-keys/${ids.a}`);
  await call('DELETE', `/admin/api-keys/${ids.e}`);
  for (const name of ['b', 'c']) await call('POST', `/admin/api-keys/${ids[name]}/disable`);
  /** The names of all pages of two keys. */
  const listed = async (query: string) => {
    const names: string[] = [];
    for (let token: string | null = ''; token !== null; ) {
      const { json } = await call('GET', `/admin/api-keys?page_size=2&${query}&page_token=${token}`);
      names.push(...json.data.map((key: { name: string }) => key.name));
      token = json.next_page_token;
    }
    return names.join('');
  };
  return { call, listed };
}

it('lists keys by their owners, those without one last, page by page', async () => {
  const { listed } = await startOrdered();
  expect(await listed('order_by=owner')).toBe('bdafec');
  expect(await listed('order_by=owner%20desc')).toBe('fadbec');
  expect(await listed('order_by=owner&owner=acme')).toBe('bd');
  expect(await listed('order_by=owner%20desc&owner=acme')).toBe('db');
  expect(await listed('order_by=owner&state=disabled')).toBe('bc');
});

it('lists keys by their states, of each the oldest first or the newest, page by page', async () => {
  const { listed } = await startOrdered();
  expect(await listed('order_by=state')).toBe('dfbcae');
  expect(await listed('order_by=state%20desc')).toBe('eacbfd');
  expect(await listed('order_by=state&state=disabled')).toBe('bc');
  expect(await listed('order_by=state&owner=globex')).toBe('fa');
  expect(await listed('order_by=state&name_contains=e')).toBe('e');
});

it('takes a page token for its own order alone, and counts all pages', async () => {
  const { call } = await startOrdered();
  const first = await call('GET', '/admin/api-keys?page_size=2&order_by=state&include_total=true');
  expect(first.json.total_size).toBe(6);
  const { next_page_token: token } = first.json;
  for (const order of ['state%20desc', 'owner', 'name']) {
    const { status, json } = await call('GET', `/admin/api-keys?order_by=${order}&page_token=${token}`);
    expect([order, status, json.error.details.fields[0].field]).toEqual([order, 400, 'page_token']);
  }
});
