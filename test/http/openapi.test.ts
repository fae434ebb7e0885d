import { generateKeyPairSync, sign } from 'node:crypto';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { expect, it } from 'vitest';
import { createGithubLeaks } from '../../src/admin/leaks/github-leaks.ts';
import type { KeyId } from '../../src/keys/key.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { request } from '../store-contract/use/request-log.ts';
import { type Reply, startListener, type TestListener } from './listener.ts';
import { createJudge, type Document, type DocumentedRoute, routesIn, servedRoutes } from './openapi.ts';

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const noKey = 'key_00000000000000000000000000';

it('is given to anyone who asks, as OpenAPI 3.1', async () => {
  const { base } = await start();

  const answer = await fetch(`${base}/openapi.json`);

  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
  expect(await answer.json()).toMatchObject({ openapi: '3.1.1', info: { title: 'Postern' } });
});

it('is valid, and a linter has nothing to say against it', async () => {
  const { text } = await read();
  const rules = {
    // A health check refuses nobody.
    'operation-4xx-response': 'off',
  } as const;

  const problems = await lintFromString({
    source: text,
    absoluteRef: 'openapi.json',
    config: await createConfig({ extends: ['recommended-strict'], rules }),
  });

  expect(problems.map(({ ruleId, message, location }) => [ruleId, message, location[0]?.pointer])).toEqual(
    [],
  );
});

it('describes every route that is served, and none that is not', async () => {
  const served = await servedRoutes(start);
  const { routes } = await read();

  expect(served).toContain('POST /admin/api-keys:verify');
  expect(routes.map(({ method, path }) => `${method} ${path}`).toSorted()).toEqual(served.toSorted());
});

it('says of every admin operation how it may refuse', async () => {
  const { routes } = await read();
  const admin = routes.filter(({ path }) => path.startsWith('/admin/'));

  expect(admin.length).toBeGreaterThan(15);
  for (const { operationId, responses, requestBody } of admin) {
    const expected = ['400', '401', '403', '500', '503', ...(requestBody ? ['413'] : [])];
    expect([operationId, Object.keys(responses)]).toEqual([operationId, expect.arrayContaining(expected)]);
  }
});

it('takes Idempotency-Key for request_id wherever there is one, and says so', async () => {
  const { text, routes } = await read();
  const { call } = await start();
  const named = routes.filter(({ requestBody }) => /"request_id":/.test(schemaOf(text, requestBody)));
  expect(named.map(({ operationId }) => operationId).toSorted()).toEqual([
    ...['ChargeKey', 'CreateKey', 'RotateKey', 'RotateOwnKey'],
  ]);
  for (const { path, method, parameters = [] } of named) {
    expect([path, JSON.stringify(parameters)]).toEqual([path, expect.stringContaining('"Idempotency-Key"')]);
    // A holder's own key is another matter: test/http/holder-routes.test.ts.
    if (!path.startsWith('/admin/')) continue;
    const where = path.replace('{id}', noKey);
    const { status, json } = await call(method, where, { request_id: 'a' }, { 'idempotency-key': 'b' });
    expect([path, status, json.error.details.fields]).toEqual([
      ...[path, 400, [{ field: 'request_id', description: 'is not the one in Idempotency-Key' }]],
    ]);
  }
});

it('shows requests that the service takes, and what it answers to each is as described', async () => {
  const told = await callEverything();
  const { routes, judge, judgeAs } = await read();

  const faults = told.flatMap(({ route, reply }) => judge(route, reply));
  const events = told.flatMap(({ reply }) => [...reply.text.matchAll(/^data: (.*)$/gm)]);
  faults.push(...events.flatMap(([, data = '']) => judgeAs('Event', JSON.parse(data))));
  const good = told.filter(({ reply }) => reply.status < 300).map(({ route }) => route.operationId);

  expect(faults).toEqual([]);
  expect(events.length).toBeGreaterThan(0);
  expect([...new Set(good)].toSorted()).toEqual(routes.map(({ operationId }) => operationId).toSorted());
});

it('lists the members of a key, an owner and an event in the order in which they are answered', async () => {
  const told = await callEverything();
  const { document } = await read();
  const { schemas } = document.components;

  for (const [id, name] of [
    ['GetKey', 'Key'],
    ['CreateKey', 'CreatedKey'],
    ['UpdateKey', 'UpdatedKey'],
    ['RotateKey', 'RotatedKey'],
    ['RevokeKey', 'NarrowedKey'],
    ['PutOwner', 'PutOwner'],
    ['ListAuditEvents', 'AuditEvent'],
    ['GetKeyUsage', 'Usage'],
  ] as const) {
    const reply = told.findLast(
      ({ route, reply: { status } }) => route.operationId === id && status < 300,
    )?.reply;
    const data = [reply?.json.data].flat()[0];
    expect([name, Object.keys(data)]).toEqual([name, Object.keys(schemas[name]?.properties ?? {})]);
  }
});

it('describes the refusals of the service as they are', async () => {
  const { call, service } = await start();
  const { find, judge } = await read();
  const key = (await call('POST', '/admin/api-keys', { name: 'a' })).json.data;
  const anonymous = { authorization: 'Bearer nobody' };
  await call('DELETE', `/admin/api-keys/${key.id}`);

  const refusals: [string, number, Reply][] = [
    ['CreateKey', 400, await call('POST', '/admin/api-keys', {})],
    ['ListKeys', 401, await call('GET', '/admin/api-keys', undefined, anonymous)],
    ['GetKey', 404, await call('GET', `/admin/api-keys/${noKey}`)],
    ['UpdateKey', 409, await call('PATCH', `/admin/api-keys/${key.id}`, { name: 'b' })],
    ['RotateKey', 409, await call('POST', `/admin/api-keys/${key.id}/rotate`)],
    ['GetOwner', 404, await call('GET', '/admin/owners/nobody')],
    ['PutOwner', 413, await call('PUT', '/admin/owners/a', 'x'.repeat(2_000_000))],
    ['ListAuditEvents', 400, await call('GET', '/admin/audit-events?order=none')],
    ['WatchKeys', 400, await call('GET', '/admin/events?types=none')],
    ['ReportLeakedKeysByGithub', 401, await call('POST', '/leaks/github', [])],
  ];
  const reader = await call('POST', '/admin/api-keys', { name: 'r', permissions: ['admin:read'] });
  const authorization = `Bearer ${reader.json.data.key}`;
  refusals.push(['CreateKey', 403, await call('POST', '/admin/api-keys', { name: 'a' }, { authorization })]);
  service.store.listKeys = () => Promise.reject(new StoreUnavailable('away'));
  refusals.push(['ListKeys', 503, await call('GET', '/admin/api-keys')]);

  for (const [id, status, reply] of refusals) {
    expect([id, reply.status, judge(find(id), reply)]).toEqual([id, status, []]);
  }
});

/** A listener with every route that there can be. */
function start(): Promise<TestListener> {
  return startListener(({ registry }) => {
    const refusals = { record: async () => {}, stop: async () => {} };
    return {
      githubLeaks: createGithubLeaks({
        keys: { find: async (id) => (id === 'one' ? publicKey : null), tell() {} },
        registry,
        refusals,
      }),
    };
  });
}

async function read() {
  const { base } = await start();
  const text = await (await fetch(`${base}/openapi.json`)).text();
  const document = JSON.parse(text) as Document;
  const routes = routesIn(document);
  const find = (id: string) => {
    const route = routes.find(({ operationId }) => operationId === id);
    if (route === undefined) throw new Error(`there is no operation ${id}`);
    return route;
  };
  return { text, document, routes, find, ...createJudge(document) };
}

/** Every operation, each with its own example, and a few more for what no example reaches. */
async function callEverything(): Promise<{ route: DocumentedRoute; reply: Reply }[]> {
  const listener = await start();
  const { find } = await read();
  const told: { route: DocumentedRoute; reply: Reply }[] = [];
  const tell = async (
    id: string,
    subject = '',
    given: { body?: unknown; query?: string; headers?: Record<string, string> } = {},
  ) => {
    const route = find(id);
    const body = given.body ?? route.requestBody?.content['application/json']?.example;
    const path = route.path.replace('{id}', subject) + (given.query ?? '');
    const reply = await listener.call(route.method, path, body, { ...signed(body), ...given.headers });
    told.push({ route, reply });
    return reply.json?.data;
  };

  const first = await tell('CreateKey');
  await tell('CreateKey', '', { body: { name: 'again', request_id: 'r' } });
  await tell('CreateKey', '', { body: { name: 'again', request_id: 'r' } });
  await tell('ListKeys', '', { query: '?page_size=1' });
  await tell('VerifyKey');
  await tell('FindKey', '', { body: { key: first.key } });
  await tell('VerifyKey', '', { body: { key: first.key } });
  await use(listener, first.id);
  await tell('GetKey', first.id);
  await tell('GetKeyUsage', first.id);
  await tell('ListKeyRequests', first.id);
  await tell('ListRequests', '', { query: '?page_size=1' });
  await tell('GetUsage', '', { query: '?interval=all' });
  await tell('GetKeyLimits', first.id);
  await tell('ChargeKey', first.id);
  await tell('UpdateKey', first.id);
  await tell('UpdateKey', first.id, { body: { permissions: [], rate_limit: null } });
  await tell('DisableKey', first.id);
  await tell('EnableKey', first.id);
  await tell('RevokeKeys');
  await tell('DisableKeys');
  await tell('DisableKeys', '', { body: { ids: ['key_none'] } });
  const second = await tell('RotateKey', first.id);
  await tell('RotateKey', second.id, { body: { request_id: 'q' } });
  const own = await tell('CreateKey', '', { body: { name: 'own' } });
  const bearer = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });
  await tell('GetOwnKey', '', bearer(own.key));
  await tell('GetOwnKey', '', bearer('nobody'));
  const rotated = await tell('RotateOwnKey', '', bearer(own.key));
  await tell('RevokeOwnKey', '', bearer(rotated.key));
  await tell('RevokeOwnKey', '', bearer(rotated.key));
  await tell('RevokeKey', second.id);
  await tell('ImportKeys');
  await tell('ImportKeys', '', { body: { keys: [{}, { secret: first.key, name: 'a' }], dry_run: true } });
  await tell('PutOwner', 'acme');
  await tell('UpdateOwner', 'acme');
  await tell('UpdateOwner', 'acme', { body: { suspended: false } });
  await tell('GetOwner', 'acme');
  await tell('ListOwners');
  await tell('PutRole', 'reader');
  await tell('GetRole', 'reader');
  await tell('ListRoles');
  await tell('DeleteRole', 'reader');
  const session = await tell('CreatePortalSession');
  await tell('DeletePortalSession', session.id);
  await tell('ListAuditEvents', '', { query: '?notices=true&order=oldest' });
  await tell('ReportLeakedKeys');
  await tell('ReportLeakedKeysByGithub');
  for (const id of ['GetDiagnostics', 'GetTerms', 'Healthz', 'Readyz', 'Metrics', 'Openapi', 'Jwks'])
    await tell(id);
  told.push({ route: find('WatchKeys'), reply: await watch(listener) });
  return told;
}

/** What a body may be, as JSON; what it refers to once. */
function schemaOf(text: string, requestBody: unknown): string {
  const said = JSON.stringify(requestBody ?? null);
  const [, name] = /"#\/components\/schemas\/([^"]+)"/.exec(said) ?? [];
  const { components } = JSON.parse(text) as { components: { schemas: Record<string, unknown> } };
  return name === undefined ? said : said + JSON.stringify(components.schemas[name]);
}

/** As GitHub signs; others do not look at it. */
function signed(body: unknown): Record<string, string> {
  if (!Array.isArray(body)) return {};
  const signature = sign('sha256', Buffer.from(JSON.stringify(body)), privateKey).toString('base64');
  return { 'github-public-key-identifier': 'one', 'github-public-key-signature': signature };
}

/** As Checks of it would be counted. */
async function use({ service }: TestListener, id: KeyId): Promise<void> {
  const lastUsedAt = service.clock.now;
  const hour = lastUsedAt - (lastUsedAt % 3_600_000);
  await service.store.recordUsage([
    {
      key: id,
      hour,
      allowed: 1,
      denied: { rate_limited: 2 },
      observed: {},
      lastUsedAt,
      addresses: ['203.0.113.7'],
    },
  ]);
  await service.store.recordRequests([
    request({ id: 'a', key: id, at: lastUsedAt }),
    request({
      id: 'b',
      key: null,
      owner: null,
      at: lastUsedAt,
      path: null,
      reason: 'missing',
      decision: 'deny',
    }),
  ]);
}

/** The head and the first events of what has no end. */
async function watch({ base, service }: TestListener): Promise<Reply> {
  const ended = new AbortController();
  const { status, headers, body } = await fetch(`${base}/admin/events?resume_token=evt_0000000000000001`, {
    headers: { authorization: service.adminAuthorization },
    signal: ended.signal,
  });
  let text = '';
  for await (const chunk of body ?? []) {
    text += Buffer.from(chunk);
    if (/\ndata: .*\n/.test(text)) break;
  }
  ended.abort();
  return { status, headers, text, json: null };
}
