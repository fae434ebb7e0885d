import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startChangedStack, startConfigured } from '../routes.ts';
import { type Answer, type MadeKey, makeKey, type Stack, send } from '../stack.ts';

const settings = `
rules:
  - { match: { path: /open/* }, public: true }
  - { match: { path: /open/closed/* } }
  - { match: { path: /robots.txt, methods: [GET] }, public: true }
  - { match: { path: /things/*, methods: [POST, DELETE] }, permissions: ["write:things"] }
  - { match: { path: /things/* }, permissions: ["read:things"] }
  - { match: { host: grid.example.com }, scheme: powerverse }
  - { match: { host: grid.example.com, path: /things/* }, scheme: powerverse, permissions: ["grid:things"] }
  - { match: { path: /sandbox/* }, environment: test }
  - { match: { path: /costly/* }, cost: 40 }
  - { match: { path: /free/* }, cost: 0 }
  - { match: { path: /order/* }, permissions: [p:short] }
  - { match: { path: /order/deep/* }, permissions: [p:long] }
  - { match: { path: /order/deep/exact }, permissions: [p:exact] }
  - { match: { path: /order/deep/exact, methods: [PUT] }, permissions: [p:method] }
  - { match: { path: /order/deep/exact, host: b.example.com }, permissions: [p:host] }
  - match: { path: /envoy/* }
    scheme: mira
    environment: live
    cost: 5
    permissions: ["read:things"]
  - { match: { path: /envoy-public/* }, public: true }
`;

/** What Envoy says of the routes of the last two rules. */
const routes = [
  { prefix: '/envoy/scheme/', context: { scheme: 'converra' } },
  { prefix: '/envoy/test/', context: { scheme: 'converra', environment: 'test' } },
  { prefix: '/envoy/cost/', context: { scheme: 'converra', cost: '2' } },
  { prefix: '/envoy/write/', context: { scheme: 'converra', permissions: 'write:things' } },
  { prefix: '/envoy-public/', context: { public: 'false' } },
];

/** Whatever the client writes reaches Postern as it was written. */
const asWritten = {
  normalize_path: false,
  merge_slashes: false,
  path_with_escaped_slashes_action: 'KEEP_UNCHANGED',
};

let stack: Stack;
beforeAll(async () => {
  stack = await startChangedStack(settings, {}, { routes, http: asWritten });
});
afterAll(() => stack?.stop());

describe('a public rule', () => {
  it('lets in without a key, with a bad one, and believes no x-postern-* that a client sent', async () => {
    const claims = [
      ['authorization', 'Bearer rubbish'],
      ['x-postern-key-id', 'key_forged'],
    ] as const;
    expect((await send(stack.envoy.url, '/open/a?b=c')).status).toBe(200);
    const { status, upstream } = await send(stack.envoy.url, '/open/a', claims);
    expect(status).toBe(200);
    expect(upstream?.headers).not.toHaveProperty('x-postern-key-id');
    expect((await send(stack.envoy.url, '/robots.txt')).status).toBe(200);
  });

  it('opens nothing besides', async () => {
    for (const path of [
      '/',
      '/open',
      '/opened/a',
      '/Open/a',
      '/open/closed/a',
      '/robots.txt/',
      '/a/open/b',
    ]) {
      expect([path, (await send(stack.envoy.url, path)).status]).toEqual([path, 401]);
    }
    expect((await send(stack.envoy.url, '/robots.txt', [], 'POST')).status).toBe(401);
    expect((await send(stack.envoy.url, '/?a=/open/')).status).toBe(401);
  });

  it.each([
    '/open/../secret',
    '/open/./a',
    '/open/a/..',
    '//open/a',
    '/open//a',
    '/open/%2e%2e/secret',
    '/open/%2E./secret',
    '/open/..%2Fsecret',
    '/open/%2e%2e%2fsecret',
    '/open%2Fa',
    '/open/..\\secret',
    '/open\\..\\secret',
    '/open/..%5Csecret',
    '/open/..;/secret',
    '/open/..;a=b/secret',
    '/open/..%3Bsecret',
    '/open/a;b=c',
    '/open/%61',
    '/open/%c3%a9',
    '/secret/../open/a',
  ])('does not open %s, which arrives as it is', async (path) => {
    const reached = stack.echo.requests();
    expect((await send(stack.envoy.url, path)).status).toBe(401);
    expect(stack.echo.requests()).toBe(reached);
    const { status, upstream } = await ask(await makeKey(stack.postern), path);
    expect([status, upstream?.url]).toEqual([200, path]);
  });
});

describe('a rule', () => {
  it('asks for permissions by method and path', async () => {
    const [reader, writer] = [
      await makeKey(stack.postern, { permissions: ['read:things'] }),
      await makeKey(stack.postern, { permissions: ['write:things'] }),
    ];
    const statuses = async (method: string) => [
      (await ask(reader, '/things/1', { method })).status,
      (await ask(writer, '/things/1', { method })).status,
    ];
    expect(await statuses('GET')).toEqual([200, 403]);
    expect(await statuses('HEAD')).toEqual([200, 403]);
    expect(await statuses('POST')).toEqual([403, 200]);
    expect(await statuses('DELETE')).toEqual([403, 200]);
  });

  it.each([
    '/x/../things/1',
    '//things/1',
    '/things%2f1',
    '/%74hings/1',
    '/things\\1',
    '/things;x=1/1',
    '/./things/1',
    '/x/%2e%2e/things/1',
    '/x/..;/things/1',
    '/things//1',
  ])('cannot be got around with %s', async (path) => {
    const { status, body } = await ask(await makeKey(stack.postern), path);
    expect(status).toBe(403);
    expect(JSON.parse(body)).toMatchObject({ error: { code: 'insufficient_permissions' } });
  });

  it("names the schemes of a host, written in any case and with any port, before any host's", async () => {
    const grid = await makeKey(stack.postern, { scheme: 'powerverse', permissions: ['grid:things'] });
    const other = await makeKey(stack.postern, { permissions: ['read:things', 'grid:things'] });
    for (const host of [
      'grid.example.com',
      'GRID.example.com',
      'grid.example.com:8443',
      'grid.example.com.',
    ]) {
      const sent = [['x-api-key', grid.key]] as const;
      expect((await send(stack.envoy.url, '/a', sent, 'GET', host)).status).toBe(200);
      expect((await send(stack.envoy.url, '/things/1', sent, 'GET', host)).status).toBe(200);
      const refused = await ask(other, '/things/1', { host });
      expect([refused.status, JSON.parse(refused.body).error.code]).toEqual([401, 'MISSING_API_KEY']);
    }
    expect((await ask(other, '/things/1', { host: 'other.example.com' })).status).toBe(200);
    expect((await ask(other, '/things/1', { host: 'grid.example.com.evil.com' })).status).toBe(200);
  });

  it('names the environment that is served', async () => {
    const [live, test] = [
      await makeKey(stack.postern),
      await makeKey(stack.postern, { environment: 'test' }),
    ];
    expect([(await ask(live, '/sandbox/')).status, (await ask(test, '/sandbox/')).status]).toEqual([
      401, 200,
    ]);
    expect([(await ask(live, '/')).status, (await ask(test, '/')).status]).toEqual([200, 401]);
  });

  it('names the cost', async () => {
    const key = await makeKey(stack.postern, { rate_limit: { limit: 100, window: '3650d' } });
    expect(remaining(await ask(key, '/costly/'))).toBe(60);
    expect(remaining(await ask(key, '/'))).toBe(59);
    expect(remaining(await ask(key, '/free/'))).toBe(59);
    expect(remaining(await ask(key, '/costly/'))).toBe(19);
    expect((await ask(key, '/costly/')).status).toBe(429);
  });

  it('holds where it is the most specific: alone', async () => {
    const asks = {
      'p:short': ['/order/a', {}],
      'p:long': ['/order/deep/a', {}],
      'p:exact': ['/order/deep/exact', {}],
      'p:method': ['/order/deep/exact', { method: 'PUT' }],
      'p:host': ['/order/deep/exact', { method: 'PUT', host: 'b.example.com' }],
    } as const;
    for (const permission of Object.keys(asks)) {
      const key = await makeKey(stack.postern, { permissions: [permission] });
      for (const [wanted, [path, how]] of Object.entries(asks)) {
        const { status } = await ask(key, path, how);
        expect([wanted, status]).toEqual([wanted, wanted === permission ? 200 : 403]);
      }
    }
  });
});

describe('what Envoy says in context_extensions', () => {
  const permissions = ['read:things'];

  it("replaces the rule's word by word", async () => {
    const mira = await makeKey(stack.postern, { scheme: 'mira', permissions });
    const live = await makeKey(stack.postern, { scheme: 'converra', permissions });
    const test = await makeKey(stack.postern, { scheme: 'converra', permissions, environment: 'test' });
    const statuses = async (path: string) => [
      (await ask(mira, path)).status,
      (await ask(live, path)).status,
      (await ask(test, path)).status,
    ];
    expect(await statuses('/envoy/')).toEqual([200, 401, 401]);
    expect(await statuses('/envoy/scheme/')).toEqual([401, 200, 401]);
    expect(await statuses('/envoy/test/')).toEqual([401, 401, 200]);
  });

  it("replaces the rule's cost", async () => {
    const rate_limit = { limit: 100, window: '3650d' };
    const key = await makeKey(stack.postern, { scheme: 'converra', permissions, rate_limit });
    expect(remaining(await ask(key, '/envoy/scheme/'))).toBe(95);
    expect(remaining(await ask(key, '/envoy/cost/'))).toBe(93);
  });

  it("adds its permissions to the rule's", async () => {
    const make = (given: string[]) => makeKey(stack.postern, { scheme: 'converra', permissions: given });
    const statusOf = async (key: MadeKey) => (await ask(key, '/envoy/write/')).status;
    expect(await statusOf(await make(['read:things']))).toBe(403);
    expect(await statusOf(await make(['write:things']))).toBe(403);
    expect(await statusOf(await make(['write:things', 'read:things']))).toBe(200);
  });

  it('closes what a rule opens', async () => {
    expect((await send(stack.envoy.url, '/envoy-public/')).status).toBe(401);
  });
});

describe('a rule that could not be meant', () => {
  it.each([
    ['{ match: { path: /a/../b } }', 'is not a normal path; expected /b'],
    ['{ match: { path: /a*, host: b } }', 'expected a path such as /a/b'],
    ['{ match: { path: /a }, scheme: converrra }', 'is not among the schemes'],
    ['{ match: { path: /a }, permission: a }', 'there is no setting "permission"'],
  ])('stops the start, with its line: %s', async (rule, why) => {
    const yaml = `rules:\n  - { match: { path: /good } }\n  - ${rule}\n`;
    const started = startConfigured(yaml);
    await expect(started).rejects.toThrow(why);
    await expect(started).rejects.toThrow(/postern\.yaml:3: rules\.1/);
  });
});

function ask(
  { key }: MadeKey,
  path: string,
  { method = 'GET', host = 'api.example.com' } = {},
): Promise<Answer> {
  return send(stack.envoy.url, path, [['authorization', `Bearer ${key}`]], method, host);
}

function remaining({ headers }: Answer): number {
  return Number(headers['x-ratelimit-remaining']);
}
