import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { freshDatabase } from '../../real/mongod.ts';
import { adminKey } from '../../real/postern.ts';
import { startChangedStack } from '../routes.ts';
import { type Stack, send } from '../stack.ts';

const stores = {
  SQLite: () => 'sqlite::memory:',
  MongoDB: () => freshDatabase(inject('mongoUri')).uri,
};

/** The vendor's lines as its page has them, but for the year, which is over. */
const lines = {
  create: `curl -X POST "https://platform.powerverse.com/admin/api-keys" \\
-H "Authorization: Bearer ADMIN_TOKEN" \\
-H "Content-Type: application/json" \\
-d '{
"name": "Asset Controls Backend",
"permissions": ["read:assets", "write:schedules"],
"ip_allowlist": ["10.0.0.0/8"],
"expires_at": "2999-12-31T23:59:59Z"
}'`,
  list: `curl -X GET "https://platform.powerverse.com/admin/api-keys" \\
-H "Authorization: Bearer ADMIN_TOKEN"`,
  createNext: `curl -X POST "https://platform.powerverse.com/admin/api-keys" \\
-H "Authorization: Bearer ADMIN_TOKEN" \\
-d '{"name": "Asset Controls Backend (rotated)"}'`,
  use: `curl -X GET "https://platform.powerverse.com/inventory-service/sites" \\
-H "X-API-Key: ak_live_${'x'.repeat(20)}" \\
-H "Content-Type: application/json"`,
  revokeOld: `curl -X DELETE "https://platform.powerverse.com/admin/api-keys/key_old123" \\
-H "Authorization: Bearer ADMIN_TOKEN"`,
};

/** The bodies of keys that its page shows. */
const configurations = [
  {
    name: 'Schedule Management Service',
    permissions: ['read:schedules', 'write:schedules', 'read:assets'],
  },
  { name: 'Production Backend', ip_allowlist: ['203.0.113.0/24', '198.51.100.50'] },
  { name: 'Temporary Integration', expires_at: '2999-06-30T23:59:59Z' },
];

describe.each(Object.keys(stores) as (keyof typeof stores)[])("PowerVerse's page, on %s", (name) => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startChangedStack('schemes: [powerverse, postern]', { POSTERN_STORE: stores[name]() });
  });
  afterAll(() => stack?.stop());

  it('its create line makes a live key, with what it asked for', async () => {
    const { status, json } = await curl(lines.create);
    expect(status).toBe(201);
    const { data } = json;
    expect(data.key).toMatch(/^ak_live_[0-9A-Za-z]{32}$/);
    expect(Object.entries(data).slice(0, 7)).toEqual([
      ['id', expect.stringMatching(/^key_/)],
      ['name', 'Asset Controls Backend'],
      ['prefix', data.key.slice(0, 'ak_live_xxxx'.length)],
      ['permissions', ['read:assets', 'write:schedules']],
      ['created_at', expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)],
      ['last_used_at', null],
      ['expires_at', '2999-12-31T23:59:59Z'],
    ]);
    expect(data.ip_allowlist).toEqual(['10.0.0.0/8']);
  });

  it.each(configurations)('its body of "$name" is taken', async (body) => {
    const { status, json } = await call('POST', '/admin/api-keys', {}, JSON.stringify(body));
    expect(status).toBe(201);
    expect(json.data).toMatchObject({ permissions: [], ip_allowlist: [], expires_at: null, ...body });
  });

  it('its list line shows the seven members of its page first, and no secret', async () => {
    const { json: made } = await curl(lines.createNext);
    const { status, text, json } = await curl(lines.list);
    expect(status).toBe(200);
    expect(text).not.toContain(made.data.key);
    expect(Object.keys(json)[0]).toBe('data');
    expect(Object.entries(json.data[0]).slice(0, 7)).toEqual([
      ['id', made.data.id],
      ['name', 'Asset Controls Backend (rotated)'],
      ['prefix', made.data.key.slice(0, 'ak_live_xxxx'.length)],
      ['permissions', []],
      ['created_at', made.data.created_at],
      ['last_used_at', null],
      ['expires_at', null],
    ]);
  });

  it('its rotation recipe loses no request, and the old key is invalid after it', async () => {
    const old = (await curl(lines.createNext.replace(' (rotated)', ''))).json.data;
    expect((await use(old.key)).status).toBe(200);
    const next = (await curl(lines.createNext)).json.data;
    expect([(await use(old.key)).status, (await use(next.key)).status]).toEqual([200, 200]);
    const { status, json } = await curl(lines.revokeOld.replace('key_old123', old.id));
    expect([status, json.data.id, json.data.state]).toEqual([200, old.id, 'revoked']);
    expect((await use(next.key)).status).toBe(200);
    const refused = await use(old.key);
    expect(refused.status).toBe(401);
    expect(JSON.stringify(JSON.parse(refused.body))).toBe(
      '{"error":{"code":"INVALID_API_KEY","message":"The provided API key is invalid"}}',
    );
  });

  it.each([
    ['none', {}],
    ["curl's own", { 'content-type': 'application/x-www-form-urlencoded' }],
    ['text', { 'content-type': 'text/plain; charset=utf-8' }],
    ['JSON', { 'content-type': 'application/json' }],
    ['nonsense', { 'content-type': ';;' }],
  ])('a body with a content type of %s is read as JSON', async (_, headers) => {
    const { status, json } = await call('POST', '/admin/api-keys', headers, '{"name": "Any type"}');
    expect([status, json.data.name]).toEqual([201, 'Any type']);
  });

  it('its admin calls need an admin key', async () => {
    for (const line of [lines.create, lines.list, lines.revokeOld]) {
      const { method, path, headers, body } = readCurl(line);
      for (const authorization of ['Bearer ADMIN_TOKEN', '', 'Basic eDp5']) {
        expect((await call(method, path, { ...headers, authorization }, body)).status).toBe(401);
      }
    }
  });

  it("a key that is no admin key opens no admin call, though it is the vendor's", async () => {
    const { key } = (await curl(lines.createNext)).json.data;
    for (const headers of [{ authorization: `Bearer ${key}` }, { authorization: '', 'x-api-key': key }]) {
      expect((await call('GET', '/admin/api-keys', headers)).status).toBe(401);
    }
  });

  function use(key: string) {
    const { path, headers } = readCurl(lines.use);
    return send(stack.envoy.url, path, Object.entries({ ...headers, 'x-api-key': key }));
  }

  function curl(line: string) {
    const { method, path, headers, body } = readCurl(line);
    const withKey = { ...headers, authorization: `Bearer ${adminKey}` };
    return call(method, path, withKey, body);
  }

  /** Sends no header that is not given, and the admin key unless another stands in its place. */
  function call(
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: string,
  ): Promise<Reply> {
    return ask(stack.postern.url + path, method, { authorization: `Bearer ${adminKey}`, ...headers }, body);
  }
});

interface Reply {
  readonly status: number;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into JSON of every shape.
  readonly json: any;
}

function ask(
  url: string,
  method: string,
  headers: Readonly<Record<string, string>>,
  body?: string,
): Promise<Reply> {
  const { promise, resolve, reject } = Promise.withResolvers<Reply>();
  const sent = request(url, { method, headers, agent: false }, (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    response.on('error', reject);
    response.on('end', () => resolve({ status: response.statusCode ?? 0, text, json: JSON.parse(text) }));
  });
  sent.on('error', reject);
  sent.end(body);
  return promise;
}

/** What curl would send; a body without a type has the type that curl gives it. */
function readCurl(line: string) {
  const words = [...line.matchAll(/"([^"]*)"|'([^']*)'|([^\s\\]+)/g)].map(
    ([, double, single, bare]) => double ?? single ?? bare ?? '',
  );
  const after = (flag: string) => words.flatMap((word, at) => (words[at - 1] === flag ? [word] : []));
  const [body] = after('-d');
  const given = after('-H').map((header) => header.split(': ') as [string, string]);
  const headers = Object.fromEntries(given.map(([name, value]) => [name.toLowerCase(), value]));
  const type = body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' };
  const { pathname } = new URL(words.find((word) => word.startsWith('https://')) ?? '');
  return { method: after('-X')[0] ?? 'GET', path: pathname, headers: { ...type, ...headers }, body };
}
