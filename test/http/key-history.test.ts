import { hash } from 'node:crypto';
import { expect, it } from 'vitest';
import { lineMax } from '../../src/admin/key-line.ts';
import { root } from '../admin-calls.ts';
import type { TestService } from '../service.ts';
import { startListener, type TestListener } from './listener.ts';

it('one history has what was done with a key and with all that it replaced or that replaced it, oldest first if asked', async () => {
  const listener = await startListener();
  const line = await makeLine(listener, 3);
  await listener.call('PATCH', `/admin/api-keys/${line[1]}`, { name: 'Renamed' });
  await listener.call('DELETE', `/admin/api-keys/${line[3]}`);
  await listener.create({ name: 'Another', owner: 'acme' });
  const whole = [
    ...[`CreateKey ${line[0]}`, `RotateKey ${line[0]}`, `RotateKey ${line[1]}`, `RotateKey ${line[2]}`],
    ...[`UpdateKey ${line[1]}`, `RevokeKey ${line[3]}`],
  ];
  for (const id of line) {
    expect(await history(listener, id, '&order=oldest')).toEqual(whole);
    expect(await history(listener, id)).toEqual(whole.toReversed());
  }
  // Without it a target is one key, and how it came about.
  expect(await listed(listener, `target=${line[1]}`)).toEqual(
    [`RotateKey ${line[0]}`, `RotateKey ${line[1]}`, `UpdateKey ${line[1]}`].toReversed(),
  );
  expect(await history(listener, line[2] as string, '&action=UpdateKey')).toEqual([whole[4]]);
});

it('a history comes in pages, whose tokens are good for it alone', async () => {
  const listener = await startListener();
  const line = await makeLine(listener, 4);
  const found: string[] = [];
  for (let token = ''; ; ) {
    const query = `target=${line[2]}&history=true&page_size=2${token && `&page_token=${token}`}`;
    const { json } = await listener.call('GET', `/admin/audit-events?${query}`);
    found.push(...json.data.map(nameOf));
    if (json.next_page_token === null) break;
    token = encodeURIComponent(json.next_page_token);
    const other = `target=${line[2]}&page_size=2&page_token=${token}`;
    const refused = await listener.call('GET', `/admin/audit-events?${other}`);
    expect([refused.status, refused.json.error.details.fields[0].field]).toEqual([400, 'page_token']);
  }
  expect(found).toEqual(await history(listener, line[2] as string));
  expect(found).toHaveLength(5);
});

it('the history of an imported key and of its successors says by which import it came', async () => {
  const listener = await startListener();
  const { service, call } = listener;
  const secret = (await listener.create({ name: 'Elsewhere' })).key.replace(/.$/, '');
  const rows = [{ name: 'Imported', owner: 'acme', sha256: hash('sha256', secret, 'hex') }];
  const { failures } = await service.admin.importKeys(root(service), { keys: rows });
  expect(failures).toEqual([]);
  const { json } = await call('GET', '/admin/api-keys?owner=acme');
  const [{ id }] = json.data;
  const rotated = await call('POST', `/admin/api-keys/${id}/rotate`, {});
  for (const asked of [id, rotated.json.data.id]) {
    const found = await history(listener, asked);
    expect(found).toEqual([`RotateKey ${id}`, expect.stringMatching(/^ImportKeys imp/)]);
  }
});

it('a history goes on over keys whose records are gone, by what the journal has of them', async () => {
  const listener = await startListener();
  const line = await makeLine(listener, 4);
  const whole = await history(listener, line[0] as string);
  forget(listener.service, [line[1], line[2]] as string[]);
  for (const id of line) expect(await history(listener, id)).toEqual(whole);
});

it('of a very long line the history has the keys nearest to the one that is asked for', async () => {
  const listener = await startListener();
  const line = await makeLine(listener, lineMax + 10);
  const found = await history(listener, line.at(-1) as string, '&page_size=1000');
  // That of the rotations of those before it.
  expect(found).toHaveLength(lineMax);
  expect(found.at(-1)).toBe(`RotateKey ${line[10]}`);
});

it('an admin key that has an owner sees the histories of its own keys', async () => {
  const listener = await startListener();
  const [id] = await makeLine(listener, 2);
  const bound = async (owner: string) => {
    const { key } = await listener.create({ name: 'Admin', owner, permissions: ['admin:read'] });
    const headers = { authorization: `Bearer ${key}` };
    const query = `target=${id}&history=true`;
    const { json } = await listener.call('GET', `/admin/audit-events?${query}`, undefined, headers);
    return json.data.map(nameOf);
  };
  expect(await bound('acme')).toHaveLength(3);
  expect(await bound('other')).toEqual([]);
});

it.each([
  ['history=true', 'history', 'goes with target, the id of a key'],
  ['history=true&target=acme', 'history', 'goes with target, the id of a key'],
  ['history=1&target=acme', 'history', 'is neither true nor false'],
])('names the parameter at fault in ?%s', async (query, field, description) => {
  const { call } = await startListener();
  const refused = await call('GET', `/admin/audit-events?${query}`);
  expect([refused.status, refused.json.error.details.fields]).toEqual([400, [{ field, description }]]);
});

/** Makes a key of acme's and rotates the latest so many times; answers the ids, the oldest first. */
async function makeLine({ call, create }: TestListener, rotations: number): Promise<string[]> {
  const { id } = await create({ name: 'A key', owner: 'acme' });
  const line = [id];
  for (let at = 0; at < rotations; at++) {
    const { json } = await call('POST', `/admin/api-keys/${line.at(-1)}/rotate`, { grace_period: '1h' });
    line.push(json.data.id);
  }
  return line;
}

function history(listener: TestListener, id: string, more = ''): Promise<string[]> {
  return listed(listener, `target=${id}&history=true${more}`);
}

async function listed({ call }: TestListener, query: string): Promise<string[]> {
  const { status, json } = await call('GET', `/admin/audit-events?${query}`);
  expect(status).toBe(200);
  return json.data.map(nameOf);
}

function nameOf({ action, target }: { readonly action: string; readonly target: string }): string {
  return `${action} ${target}`;
}

/** As the store is once their retention is over. */
function forget({ store }: TestService, ids: readonly string[]): void {
  const { getKey } = store;
  store.getKey = async (id) => (ids.includes(id) ? null : getKey(id));
}
