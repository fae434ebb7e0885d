import { describe, expect, it } from 'vitest';
import { startListener } from './listener.ts';

const wanted = {
  name: 'A key',
  owner: 'acme',
  permissions: ['a', 'b'],
  ip_allowlist: ['10.0.0.0/8'],
  expires_in: '30d',
  rate_limit: { limit: 100, window: '60s' },
  labels: { team: 'grid' },
};

async function withKey() {
  const listener = await startListener();
  const { key: secret, ...key } = await listener.create(wanted);
  const path = `/admin/api-keys/${key.id}`;
  const patch = (body: unknown, headers?: Record<string, string>) =>
    listener.call('PATCH', path, body, headers);
  const rotate = (body?: unknown) => listener.call('POST', `${path}/rotate`, body);
  const etag = String(key.etag);
  return { ...listener, key, etag, secret, path, patch, rotate };
}

describe('PATCH of a key', () => {
  it('changes the members that it names, and answers the key as it is', async () => {
    const { call, key, path, patch } = await withKey();
    const patched = await patch({ name: 'Another', labels: null, rate_limit: { limit: 200, window: '1m' } });
    const rate_limit = { limit: 200, window: '60s' };
    const rate_limits = [{ name: 'default', ...rate_limit, shared_by: 'key' }];
    const changed = { name: 'Another', labels: {}, rate_limit, rate_limits };
    expect([patched.status, patched.json]).toEqual([200, { data: { ...key, ...changed, etag: 'v2' } }]);
    expect(Object.keys(patched.json.data)).toEqual(Object.keys(key));
    expect((await call('GET', path)).json).toEqual(patched.json);
  });

  it('says from when on it holds where it narrows access', async () => {
    const { key, patch } = await withKey();
    const { json } = await patch({ permissions: ['a'] });
    expect(Object.keys(json.data)).toEqual([...Object.keys(key), 'effective_at', 'unconfirmed_replicas']);
    expect(json.data).toMatchObject({
      effective_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      unconfirmed_replicas: [],
    });
  });

  it.each([
    ['in the body', (etag: string) => [{ etag }, {}]],
    ['in If-Match with quotes', (etag: string) => [{}, { 'if-match': `"${etag}"` }]],
    ['in If-Match without', (etag: string) => [{}, { 'if-match': etag }]],
    ['in both', (etag: string) => [{ etag }, { 'if-match': `"${etag}"` }]],
    ['in If-Match, and null in the body', (etag: string) => [{ etag: null }, { 'if-match': etag }]],
  ] as const)('with an etag %s goes through while the key has it', async (_, place) => {
    const { etag, patch } = await withKey();
    const [body, headers] = place(etag) as [object, Record<string, string>];
    expect((await patch({ name: 'First', ...body }, headers)).status).toBe(200);
    const late = await patch({ name: 'Second', ...body }, headers);
    expect([late.status, late.json.error.code]).toEqual([409, 'ABORTED']);
    expect(late.json.error.details).toEqual({ reason: 'ETAG_MISMATCH' });
  });

  it('with two different etags is refused, with If-Match: * asks for none, with a weak one never goes', async () => {
    const { etag, patch } = await withKey();
    const two = await patch({ name: 'x', etag }, { 'if-match': '"v9"' });
    expect([two.status, two.json.error.details.fields]).toEqual([
      400,
      [{ field: 'etag', description: 'is not the one in If-Match' }],
    ]);
    expect((await patch({ name: 'x' }, { 'if-match': `W/"${etag}"` })).status).toBe(409);
    expect((await patch({ name: 'x' }, { 'if-match': '' })).status).toBe(400);
    expect((await patch({ name: 'x' }, { 'if-match': '*' })).status).toBe(200);
  });

  it.each([
    ['', '(body)'],
    ['[]', '(body)'],
    ['null', '(body)'],
    ['{"owner":"other"}', 'owner'],
    ['{"expires_in":"1d"}', 'expires_in'],
    ['{"name":""}', 'name'],
    ['{"rate_limit":{"limit":1}}', 'rate_limit.window'],
  ])('of %s names %s', async (body, field) => {
    const { call, key, path, patch } = await withKey();
    const refused = await patch(body);
    expect([refused.status, refused.json.error.details.fields]).toMatchObject([400, [{ field }]]);
    expect((await call('GET', path)).json.data).toEqual(key);
  });
});

describe('rotating a key', () => {
  it('answers the new key and its secret, then the old one and from when on', async () => {
    const { call, key, secret, path, rotate } = await withKey();
    const { status, json } = await rotate({ grace_period: '1h', expires_in: 'never' });
    const after = ['key', 'rotated_key', 'effective_at', 'unconfirmed_replicas'];
    expect(status).toBe(200);
    expect(Object.keys(json.data)).toEqual([...Object.keys(key), ...after]);
    const { id, prefix, last4, created_at, updated_at } = json.data;
    expect(json.data).toMatchObject({
      ...{ ...key, id, prefix, last4, created_at, updated_at, expires_at: null },
      rotated_from: key.id,
    });
    expect(json.data.key).toMatch(/^pst_live_/);
    expect(json.data.key).not.toBe(secret);
    const { expires_at, updated_at: _, ...old } = json.data.rotated_key;
    expect({ ...key, ...old }).toEqual({ ...key, etag: 'v2', replaced_by: json.data.id });
    expect(Date.parse(expires_at)).toBeLessThan(Date.parse(String(key.expires_at)));
    expect((await call('GET', path)).json.data).toEqual(json.data.rotated_key);
    expect((await call('GET', `/admin/api-keys/${id}`)).text).not.toContain(json.data.key);
  });

  it.each([undefined, '', '{}'])('needs no body (%j): the old key ends at once', async (body) => {
    const { rotate } = await withKey();
    expect((await rotate(body)).json.data.rotated_key.state).toBe('expired');
  });

  it('answers a retry without the secret', async () => {
    const { rotate } = await withKey();
    const wanted = { grace_period: '1h', request_id: 'r-1' };
    const { json: first } = await rotate(wanted);
    const { json: again } = await rotate(wanted);
    expect(again.data).toEqual({ ...first.data, key: null, effective_at: again.data.effective_at });
  });

  it('of one that was rotated is a conflict', async () => {
    const { rotate } = await withKey();
    await rotate({});
    const { status, json } = await rotate({});
    expect([status, json.error.code, json.error.details]).toEqual([
      ...[409, 'FAILED_PRECONDITION', { reason: 'KEY_ROTATED' }],
    ]);
  });

  it.each([
    ['{"grace_period":"-1h"}', 'grace_period'],
    ['{"grace_period":0}', 'grace_period'],
    ['{"grace":"1h"}', 'grace'],
    ['nonsense', '(body)'],
  ])('with %s names %s', async (body, field) => {
    const { rotate } = await withKey();
    const refused = await rotate(body);
    expect([refused.status, refused.json.error.details.fields]).toMatchObject([400, [{ field }]]);
  });
});

it('who may not call is told so before what is wrong with the body, and that is the event', async () => {
  const { call, key, path, create } = await withKey();
  const reader = await create({ name: 'reader', permissions: ['admin:read'] });
  const headers = { authorization: `Bearer ${reader.key}` };
  for (const [method, of] of [
    ['PATCH', ''],
    ['DELETE', ''],
    ['POST', '/rotate'],
    ['POST', '/disable'],
    ['POST', '/enable'],
  ] as const) {
    const refused = await call(method, `${path}${of}`, 'nonsense', headers);
    expect([method, refused.status]).toEqual([method, 403]);
    expect((await call(method, `${path}${of}`, 'nonsense')).status).toBe(400);
  }
  const { json } = await call('GET', '/admin/audit-events?outcome=refused');
  const errors = json.data.map(({ error, target }: Record<string, unknown>) => [error, target]);
  const each = [
    ['INVALID_ARGUMENT', key.id],
    ['PERMISSION_DENIED', key.id],
  ];
  expect(errors).toEqual(Array(5).fill(each).flat());
});

it('refuses to change anything by what stands in a query, and names it', async () => {
  const { call, path, patch, key } = await withKey();
  await call('PUT', '/admin/owners/acme', { plan: 'pro' });
  const calls = [
    ['PATCH', path, { name: 'B' }],
    ['PATCH', '/admin/owners/acme', { suspended: true }],
    ['PUT', '/admin/owners/acme', { suspended: true }],
    ['POST', `${path}/rotate`, { grace_period: '1h' }],
    ['POST', `${path}/disable`, undefined],
    ['DELETE', path, undefined],
    ['POST', '/admin/api-keys', { name: 'B' }],
    ['POST', '/admin/api-keys:find', { key: 'x' }],
    ['POST', '/admin/api-keys:verify', { key: 'x' }],
  ] as const;
  for (const [method, at, body] of calls) {
    const refused = await call(method, `${at}?update_mask=plan`, body);
    expect([method, at, refused.status]).toEqual([method, at, 400]);
    expect(refused.json.error.details.fields).toMatchObject([{ field: 'update_mask' }]);
    const anonymous = await call(method, `${at}?update_mask=plan`, body, { authorization: 'Bearer no' });
    expect([method, at, anonymous.status]).toEqual([method, at, 401]);
  }
  expect((await call('GET', path)).json.data).toMatchObject({
    name: key.name,
    state: 'active',
    etag: key.etag,
  });
  expect((await call('GET', '/admin/owners/acme')).json.data).toMatchObject({
    plan: 'pro',
    suspended: false,
  });
  expect((await patch({ name: 'B' })).status).toBe(200);
  expect((await call('POST', `${path}/disable?`)).status).toBe(200);
});

describe('Idempotency-Key', () => {
  it.each([
    ['bare', 'a-1', {}],
    ['as a structured field', '"a-1"', {}],
    ['beside the same in the body', 'a-1', { request_id: 'a-1' }],
  ])('names the request as request_id does: %s', async (_, name, more) => {
    const { call } = await startListener();
    const make = (headers: Record<string, string>, body: object) =>
      call('POST', '/admin/api-keys', { name: 'one', ...body }, headers);
    const first = await make({ 'idempotency-key': name }, more);
    expect(first.status).toBe(201);
    for (const again of [
      await make({ 'idempotency-key': name }, more),
      await make({}, { request_id: 'a-1' }),
    ])
      expect(again.json.data).toMatchObject({ id: first.json.data.id, key: null });
  });

  it('names a charge, which counts once however often it is sent', async () => {
    const { call, create } = await startListener();
    const rate_limits = [{ name: 'monthly', limit: 100, period: 'month' }];
    const { id } = await create({ name: 'charged', rate_limits });
    const charge = async (body: object, name = 'c-1') => {
      const headers = { 'idempotency-key': name };
      const { status, json } = await call('POST', `/admin/api-keys/${id}:charge`, body, headers);
      return [status, status === 200 ? json.data.used : json.error.code];
    };
    expect(await charge({ units: 12 })).toEqual([200, 12]);
    expect(await charge({ units: 12 }, '"c-1"')).toEqual([200, 12]);
    expect(await charge({ units: 12, request_id: 'c-1' })).toEqual([200, 12]);
    expect(await charge({ units: 13 })).toEqual([409, 'ALREADY_EXISTS']);
    expect(await charge({ units: 12, request_id: 'c-2' })).toEqual([400, 'INVALID_ARGUMENT']);
    expect(await charge({ units: 13 }, 'c-2')).toEqual([200, 25]);
  });

  it('names a rotation, and refuses to name a request twice', async () => {
    const { call, path } = await withKey();
    const rotate = (body: object) => call('POST', `${path}/rotate`, body, { 'idempotency-key': 'r-1' });
    const { json } = await rotate({ grace_period: '1h' });
    expect((await rotate({ grace_period: '1h' })).json.data).toMatchObject({ id: json.data.id, key: null });
    const wrong = await rotate({ request_id: 'r-2' });
    expect([wrong.status, wrong.json.error.details.fields[0].field]).toEqual([400, 'request_id']);
    const long = await call('POST', '/admin/api-keys', { name: 'a' }, { 'idempotency-key': 'x'.repeat(200) });
    expect([long.status, long.json.error.details.fields[0].field]).toEqual([400, 'request_id']);
  });
});
