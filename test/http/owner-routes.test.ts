import fc from 'fast-check';
import { expect, it } from 'vitest';
import { startListener } from './listener.ts';

const ownerMembers = [
  ...['id', 'plan', 'active_until', 'suspended', 'active', 'created_at', 'updated_at', 'etag'],
  ...['name', 'contact', 'labels', 'billing_anchor', 'keys_max'],
];
const timeMs = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

function pathOf(id: string): string {
  return `/admin/owners/${encodeURIComponent(id)}`;
}

it('answers a put with the owner in the contract’s order, and from when it holds', async () => {
  const { call, service } = await startListener();
  service.clock.now = Date.parse('2031-02-03T04:05:06.789Z');

  const put = await call('PUT', '/admin/owners/acme', {
    plan: 'pro',
    active_until: '2031-12-31T23:59:59.999+01:00',
    suspended: false,
  });

  expect(put.status).toBe(200);
  expect(Object.keys(put.json.data)).toEqual([...ownerMembers, 'effective_at', 'unconfirmed_replicas']);
  expect(put.json.data).toEqual({
    id: 'acme',
    plan: 'pro',
    active_until: '2031-12-31T22:59:59Z',
    suspended: false,
    active: true,
    created_at: '2031-02-03T04:05:06Z',
    updated_at: '2031-02-03T04:05:06Z',
    etag: expect.any(String),
    ...{ name: null, contact: null, labels: {}, billing_anchor: null, keys_max: null },
    effective_at: expect.stringMatching(timeMs),
    unconfirmed_replicas: [],
  });
});

it('shows an owner alone and in a list as it was put', async () => {
  const { call } = await startListener();
  const {
    effective_at: _,
    unconfirmed_replicas: __,
    ...owner
  } = (await call('PUT', '/admin/owners/acme', { plan: 'pro' })).json.data;

  const alone = await call('GET', '/admin/owners/acme');
  const list = await call('GET', '/admin/owners');

  expect(Object.keys(alone.json.data)).toEqual(ownerMembers);
  expect([alone.status, alone.json]).toEqual([200, { data: owner }]);
  expect([list.status, list.json]).toEqual([200, { data: [owner], next_page_token: null }]);
});

it('changes what a PATCH names and leaves the rest, with effective_at where that narrows access', async () => {
  const { call } = await startListener();
  const path = '/admin/owners/acme';
  const put = { plan: 'pro', active_until: '2199-01-01T00:00:00Z' };
  await call('PUT', path, put);
  const members = [...ownerMembers, 'effective_at', 'unconfirmed_replicas'];

  for (const [body, shown, narrows] of [
    [{ suspended: true }, { ...put, suspended: true, active: false }, true],
    [{ suspended: false }, { ...put, suspended: false, active: true }, false],
    [{ active_until: '2198-01-01T00:00:00Z' }, { plan: 'pro', active_until: '2198-01-01T00:00:00Z' }, true],
    [{ active_until: '2199-01-01T00:00:00Z' }, put, false],
    [{ active_until: null }, { plan: 'pro', active_until: null }, false],
    [{ plan: null, id: 'acme' }, { plan: null, active_until: null, suspended: false }, true],
  ] as const) {
    const { status, json } = await call('PATCH', path, body);
    expect([status, Object.keys(json.data)]).toEqual([200, narrows ? members : ownerMembers]);
    expect(json.data).toMatchObject(shown);
    expect((await call('GET', path)).json.data).toMatchObject(shown);
  }
});

it('changes an owner only while it has the etag that is given, in the body or by If-Match', async () => {
  const { call } = await startListener();
  const path = '/admin/owners/acme';
  const { etag } = (await call('PUT', path, {})).json.data;
  const changed = await call('PATCH', path, { suspended: true, etag });

  expect([changed.status, changed.json.data.etag === etag]).toEqual([200, false]);
  const stale = await call('PATCH', path, { suspended: false, etag });
  expect([stale.status, stale.json.error.code, stale.json.error.details.reason]).toEqual([
    ...[409, 'ABORTED', 'ETAG_MISMATCH'],
  ]);
  expect((await call('GET', path)).json.data).toEqual({
    ...changed.json.data,
    ...{ effective_at: undefined, unconfirmed_replicas: undefined },
  });
});

it('writes an update of an owner into the journal with what was and what is, and none where nothing changed', async () => {
  const { call } = await startListener();
  await call('PUT', '/admin/owners/acme', { plan: 'pro' });
  await call('PATCH', '/admin/owners/acme', { suspended: true });
  await call('PATCH', '/admin/owners/acme', { suspended: true });

  const { data } = (await call('GET', '/admin/audit-events?action=UpdateOwner&target=acme')).json;
  expect(data).toHaveLength(1);
  expect(data[0]).toMatchObject({
    ...{ outcome: 'ok', owner: 'acme', before: { plan: 'pro', suspended: false } },
    after: { plan: 'pro', suspended: true, active: false },
  });
});

it('changes no owner that nobody has put, and no member that is not to be changed', async () => {
  const { call } = await startListener();
  const missing = await call('PATCH', '/admin/owners/acme', { suspended: true });
  expect([missing.status, missing.json.error.details.reason]).toEqual([404, 'OWNER_NOT_FOUND']);
  await call('PUT', '/admin/owners/acme', {});
  for (const [field, value] of [
    ...[['active', true] as const, ['created_at', '2031-01-01T00:00:00Z'] as const, ['id', 'other'] as const],
    ...[['suspended', 'yes'] as const, ['active_until', 'soon'] as const, ['nmae', 'x'] as const],
  ]) {
    const refused = await call('PATCH', '/admin/owners/acme', { [field]: value });
    expect([refused.status, refused.json.error.details.fields[0].field]).toEqual([400, field]);
  }
});

it('replaces all that was said before: what is left out is null or false', async () => {
  const { call, service } = await startListener();
  const before = await call('PUT', '/admin/owners/acme', {
    plan: 'pro',
    active_until: '2199-01-01T00:00:00Z',
    suspended: true,
  });
  service.clock.now += 5_000;

  const after = await call('PUT', '/admin/owners/acme', '{}');

  expect(before.json.data).toMatchObject({ suspended: true, active: false });
  expect(after.json.data).toMatchObject({ plan: null, active_until: null, suspended: false, active: true });
  expect(after.json.data.created_at).toBe(before.json.data.created_at);
  expect(after.json.data.updated_at).not.toBe(before.json.data.updated_at);
  expect(after.json.data.etag).not.toBe(before.json.data.etag);
});

it('judges by the clock whether an owner is active', async () => {
  const { call, service } = await startListener();
  const end = service.clock.now + 60_000;
  await call('PUT', '/admin/owners/acme', { active_until: new Date(end).toISOString() });
  const isActive = async () => (await call('GET', '/admin/owners/acme')).json.data.active;

  service.clock.now = end - 1;
  expect(await isActive()).toBe(true);
  service.clock.now = end;
  expect(await isActive()).toBe(false);
});

it('takes any printable ASCII in an id, escaped in the URL', async () => {
  const { call } = await startListener();
  const printable = String.fromCharCode(...Array.from({ length: 95 }, (_, index) => 0x20 + index));
  const ids = [
    ...['a/b', '/', '//', 'a/../b', '../acme', '...', 'a b', '%', '%2F', '%252f', '100%', 'a?b=c#d', 'a:b'],
    ...['api-keys', '\\', '+', ';a=b', '{id}', ':id', '*', '__proto__', 'x'.repeat(128), '/'.repeat(128)],
    printable.trim(),
  ];

  for (const id of ids) {
    const put = await call('PUT', pathOf(id), { plan: 'pro' });
    expect([id, put.status, put.json?.data?.id]).toEqual([id, 200, id]);
    expect((await call('GET', pathOf(id))).json.data).toMatchObject({ id, plan: 'pro' });
  }
  const { data } = (await call('GET', '/admin/owners')).json;
  expect(data.map(({ id }: { id: string }) => id)).toEqual([...ids].sort());
});

it('reads every id back from its URL to the letter', async () => {
  const { call } = await startListener();
  const id = fc
    .string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 128 })
    .filter((text) => text.trim() === text && !/^\.{1,2}$/.test(text));

  await fc.assert(
    fc.asyncProperty(id, async (wanted) => {
      expect((await call('PUT', pathOf(wanted), '{}')).json?.data?.id).toBe(wanted);
    }),
    { numRuns: 100 },
  );
});

it.each([
  ['a space before it', ' a', 'may hold printable ASCII characters only'],
  ['a space after it', 'a ', 'may hold printable ASCII characters only'],
  ['a letter that is not ASCII', 'ümlaut', 'may hold printable ASCII characters only'],
  ['a line feed', 'a\nb', 'holds control characters'],
  ['129 characters', 'x'.repeat(129), 'may have at most 128 characters'],
])('refuses an id with %s, and finds no owner by it', async (_, id, description) => {
  const { call } = await startListener();

  const put = await call('PUT', pathOf(id), {});
  const get = await call('GET', pathOf(id));

  expect(put.status).toBe(400);
  expect(put.json.error.details.fields).toContainEqual({ field: 'id', description });
  expect([get.status, get.json.error.details.reason]).toEqual([404, 'OWNER_NOT_FOUND']);
});

it.each([
  ['plan', { plan: '' }],
  ['plan', { plan: 7 }],
  ['plan', { plan: 'x'.repeat(65) }],
  ['plan', { plan: 'a\u202eb' }],
  ['active_until', { active_until: 'tomorrow' }],
  ['active_until', { active_until: '2031-02-30T00:00:00Z' }],
  ['active_until', { active_until: '2031-01-01T00:00:00' }],
  ['active_until', { active_until: 1_900_000_000 }],
  ['suspended', { suspended: 'false' }],
  ['suspended', { suspended: 0 }],
  ['id', { id: 'other' }],
  ['active', { active: true }],
  ['Suspended', { Suspended: true }],
])('names the field %s at fault in %j, and changes nothing', async (field, body) => {
  const { call } = await startListener();

  const refused = await call('PUT', '/admin/owners/acme', body);

  expect(refused.status).toBe(400);
  expect(refused.json.error).toMatchObject({
    code: 'INVALID_ARGUMENT',
    details: { reason: 'INVALID_FIELD', fields: [{ field }] },
  });
  expect((await call('GET', '/admin/owners/acme')).status).toBe(404);
});

it.each([
  ['nothing', '', 'is empty; send a JSON object'],
  ['no JSON', '{"suspended": true', 'cannot be read as JSON'],
  ['a list', '[]', 'is not a JSON object'],
  ['null', 'null', 'is not a JSON object'],
])('suspends and restores nobody by a body that holds %s', async (_, body, description) => {
  const { call } = await startListener();
  await call('PUT', '/admin/owners/acme', { suspended: true });

  const refused = await call('PUT', '/admin/owners/acme', body);

  expect(refused.status).toBe(400);
  expect(refused.json.error.details.fields).toEqual([{ field: '(body)', description }]);
  expect((await call('GET', '/admin/owners/acme')).json.data.suspended).toBe(true);
});

it('takes an owner’s id in the body where it is the one in the address', async () => {
  const { call } = await startListener();

  expect((await call('PUT', '/admin/owners/acme', { id: 'acme' })).status).toBe(200);
});

it('lists owners by id, in pages', async () => {
  const { call } = await startListener();
  for (const id of ['c', 'a/b', 'B', 'a']) await call('PUT', pathOf(id), {});

  const ids: string[] = [];
  let query = '?page_size=3';
  for (const size of [3, 1]) {
    const { data, next_page_token } = (await call('GET', `/admin/owners${query}`)).json;
    expect([data.length, next_page_token === null]).toEqual([size, size === 1]);
    ids.push(...data.map(({ id }: { id: string }) => id));
    query = `?page_size=3&page_token=${encodeURIComponent(next_page_token)}`;
  }

  expect(ids).toEqual(['B', 'a', 'a/b', 'c']);
});

it.each([
  ['page_size=ten', 'page_size', 'is not a whole number, 0 or more'],
  ['page_size=-1', 'page_size', 'is not a whole number, 0 or more'],
  ['page_size=1&page_size=2', 'page_size', 'is given more than once'],
  ['page_token=AAAA', 'page_token', 'is not one that this service gave for a list of owners'],
  ['owner=a', 'owner', 'unknown field'],
])('names the parameter at fault in ?%s', async (query, field, description) => {
  const { call } = await startListener();

  const refused = await call('GET', `/admin/owners?${query}`);

  expect(refused.status).toBe(400);
  expect(refused.json.error.details.fields).toEqual([{ field, description }]);
});

it('does not take the page token of one list for another', async () => {
  const { call, create } = await startListener();
  for (const id of ['a', 'b']) await call('PUT', pathOf(id), {});
  for (const name of ['a', 'b']) await create({ name });
  const token = async (path: string) => (await call('GET', `${path}?page_size=1`)).json.next_page_token;
  const [ofOwners, ofKeys] = [await token('/admin/owners'), await token('/admin/api-keys')];

  expect((await call('GET', `/admin/owners?page_token=${ofKeys}`)).status).toBe(400);
  expect((await call('GET', `/admin/api-keys?page_token=${ofOwners}`)).status).toBe(400);
});

it('answers 404 for an owner that nobody has put, whose keys work all the same', async () => {
  const { call, create } = await startListener();

  const missing = await call('GET', '/admin/owners/acme');
  const { key } = await create({ name: 'a', owner: 'acme' });
  const verified = await call('POST', '/admin/api-keys:verify', { key });

  expect(missing.status).toBe(404);
  expect(missing.json.error).toMatchObject({ code: 'NOT_FOUND', details: { reason: 'OWNER_NOT_FOUND' } });
  expect(verified.json.data.allowed).toBe(true);
});

it('makes no key for an inactive owner, and refuses the keys that it has', async () => {
  const { call, create } = await startListener();
  const wanted = { name: 'a', scheme: 'mavera', owner: 'acme' };
  const { id, key } = await create(wanted);
  await call('PUT', '/admin/owners/acme', { active_until: '2020-01-01T00:00:00Z' });

  const refused = await call('POST', '/admin/api-keys', wanted);
  const verified = await call('POST', '/admin/api-keys:verify', { key });

  expect(refused.status).toBe(409);
  expect(refused.json.error).toMatchObject({
    code: 'FAILED_PRECONDITION',
    details: { reason: 'OWNER_INACTIVE' },
  });
  expect(verified.json.data).toEqual({ allowed: false, reason: 'owner_inactive', status: 402, key_id: id });
});

it('answers the retry of a request with the key and no secret', async () => {
  const { call } = await startListener();
  const wanted = { name: 'a', request_id: 'r-1' };

  const made = await call('POST', '/admin/api-keys', wanted);
  const again = await call('POST', '/admin/api-keys', wanted);

  expect(again.status).toBe(201);
  expect(again.json.data).toEqual({ ...made.json.data, key: null });
});

it('says who may not call before it says what is wrong with the call', async () => {
  const { call, create } = await startListener();
  const reader = await create({ name: 'reader', scheme: 'postern', permissions: ['admin:read'] });
  const bound = await create({
    name: 'bound',
    scheme: 'postern',
    permissions: ['admin:write'],
    owner: 'acme',
  });
  const statuses = async (authorization: string) => {
    const calls = [
      call('PUT', '/admin/owners/acme', 'no JSON', { authorization }),
      call('GET', '/admin/owners/nobody', undefined, { authorization }),
      call('GET', '/admin/owners?page_size=x', undefined, { authorization }),
    ];
    return (await Promise.all(calls)).map(({ status }) => status);
  };

  expect(await statuses('Bearer nobody')).toEqual([401, 401, 401]);
  expect(await statuses(`Bearer ${reader.key}`)).toEqual([403, 404, 400]);
  expect(await statuses(`Bearer ${bound.key}`)).toEqual([403, 404, 400]);
});

it('answers other methods with 405 and those that it takes', async () => {
  const { call } = await startListener();

  const one = await call('DELETE', '/admin/owners/a%2Fb');
  const all = await call('POST', '/admin/owners', {});

  expect([one.status, one.headers.get('allow')]).toEqual([405, 'GET, HEAD, PATCH, PUT']);
  expect([all.status, all.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
});
