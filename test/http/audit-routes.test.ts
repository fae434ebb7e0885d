import { expect, it } from 'vitest';
import { hashOfJson } from '../../src/journal/journal.ts';
import { sendRaw, startListener } from './listener.ts';

it('answers audit events newest first, with the contract’s members in its order', async () => {
  const { call, create, service } = await startListener();
  const { key: secret, ...key } = await create({ name: 'A key', owner: 'acme', request_id: 'r-1' });
  await call('DELETE', `/admin/api-keys/${key.id}`, undefined, { 'x-request-id': 'req-1' });
  await call('GET', '/admin/api-keys/x', undefined, { authorization: 'Bearer nobody' });

  const { status, json, text } = await call('GET', '/admin/audit-events');

  expect(status).toBe(200);
  expect(json.next_page_token).toBe(null);
  const [refused, revoked, created] = json.data;
  expect(json.data).toHaveLength(3);
  for (const event of json.data) {
    expect(Object.keys(event)).toEqual([
      ...['id', 'at', 'actor', 'action', 'target', 'outcome', 'address', 'request_id', 'before', 'after'],
      ...['owner', 'error', 'kind', 'once', 'previous_hash', 'hash'],
      ...['actor_name', 'target_name'],
    ]);
    expect(hashOfJson(event)).toBe(event.hash);
  }
  expect(created).toMatchObject({
    ...{ id: 'evt_0000000000000001', at: new Date(service.clock.now).toISOString() },
    ...{ actor: 'POSTERN_ADMIN_KEY', action: 'CreateKey', target: key.id, outcome: 'ok', owner: 'acme' },
    ...{ address: '127.0.0.1', request_id: 'r-1', before: null, after: key, error: null },
  });
  expect(revoked).toMatchObject({ action: 'RevokeKey', request_id: 'req-1', before: key });
  expect(revoked.after).toMatchObject({ id: key.id, state: 'revoked' });
  expect(refused).toMatchObject({
    ...{ action: 'GetKey', outcome: 'refused', error: 'UNAUTHENTICATED', actor: null, target: null },
    ...{ before: null, after: null, request_id: null },
  });
  expect(text).not.toContain(secret);
});

it('names what was meant to a filter by an action that there is not, and lists nothing of one that there is', async () => {
  const { call, create, service } = await startListener();
  await create();
  const listed = (action: string) => call('GET', `/admin/audit-events?action=${action}`);

  for (const action of ['RevokeKey', 'SignIn', 'KeyExpiring', 'RefusedCalls', 'RestoreStore']) {
    expect([action, (await listed(action)).json]).toEqual([action, { data: [], next_page_token: null }]);
  }
  const refused = await listed('RevokKey');
  expect(refused.status).toBe(400);
  expect(refused.json.error.message).toBe('action: is the name of no call; did you mean RevokeKey?');
  expect((await listed('x')).json.error.message).toBe('action: is the name of no call; RevokeKey is one');

  const [entry] = await service.store.listJournal({}, { after: null, order: 'newest', size: 1 });
  service.store.listJournal = async ({ action, actor }) =>
    action === 'FromLater' && actor === undefined && entry !== undefined ? [entry] : [];
  expect((await listed('FromLater&actor=nobody')).json.data).toEqual([]);
});

it('narrows and pages audit events by its parameters', async () => {
  const { call, create, service } = await startListener();
  for (const owner of ['acme', 'other', 'acme']) {
    await create({ name: 'One', owner });
    service.clock.now += 1_000;
  }
  const ids = async (query: string) => {
    const { json } = await call('GET', `/admin/audit-events?${query}`);
    return json.data.map(({ id }: { id: string }) => Number(id.slice(4)));
  };
  const at = encodeURIComponent(new Date(service.clock.now - 2_000).toISOString());
  expect(await ids('owner=acme&action=CreateKey&outcome=ok&actor=POSTERN_ADMIN_KEY')).toEqual([3, 1]);
  expect(await ids(`since=${at}`)).toEqual([3, 2]);
  expect(await ids(`until=${at}`)).toEqual([1]);
  expect(await ids('target=nobody')).toEqual([]);
  expect(await ids('notices=true')).toEqual([3, 2, 1]);
  expect(await ids('notices=false&order=oldest&after=evt_0000000000000001')).toEqual([2, 3]);
  const first = await call('GET', '/admin/audit-events?page_size=2');
  const token = encodeURIComponent(first.json.next_page_token);
  expect(await ids(`page_size=2&page_token=${token}`)).toEqual([1]);
});

it.each([
  ['notices=yes', 'notices', 'is neither true nor false'],
  ['notices=true&notices=true', 'notices', 'is given more than once'],
  ['outcome=maybe', 'outcome', expect.any(String)],
  ['since=yesterday', 'since', expect.any(String)],
  ['page_token=nonsense', 'page_token', expect.any(String)],
  ['kind=notice', 'kind', 'unknown field'],
])('names the parameter at fault in ?%s', async (query, field, description) => {
  const { call } = await startListener();
  const refused = await call('GET', `/admin/audit-events?${query}`);
  expect([refused.status, refused.json.error.details.fields]).toEqual([400, [{ field, description }]]);
});

it('takes X-Request-Id as it comes, and what is not a name for none', async () => {
  const { call, port, service } = await startListener();
  const head = `DELETE /admin/api-keys/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: ${service.adminAuthorization}\r\n`;
  for (const lines of [
    'X-Request-Id: one two\r\n',
    'x-request-id: first\r\nX-REQUEST-ID: second\r\n',
    `X-Request-Id: ${'x'.repeat(129)}\r\n`,
    'X-Request-Id:\r\n',
    '',
  ]) {
    await sendRaw(port, `${head}${lines}\r\n`);
  }
  const { json } = await call('GET', '/admin/audit-events?order=oldest');
  expect(json.data.map(({ request_id }: { request_id: string }) => request_id)).toEqual([
    ...['one two', 'first', null, null, null],
  ]);
});
