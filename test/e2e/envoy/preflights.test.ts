import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Envoy } from '../../real/envoy.ts';
import { startChangedEnvoy, startChangedStack } from '../routes.ts';
import { makeKey, type Stack, send } from '../stack.ts';

const settings = `
rules:
  - { match: { preflight: true }, public: true }
  - { match: { path: /things/* }, permissions: ["read:things"] }
  - { match: { host: "*.example.org" }, permissions: ["read:org"] }
  - { match: { host: open.example.org }, permissions: [] }
`;

const origin = 'https://app.example.com';
const preflight = [
  ['origin', origin],
  ['access-control-request-method', 'PUT'],
  ['access-control-request-headers', 'authorization'],
] as const;

/** As docs/cors.md has them. */
const corsFilter = {
  name: 'envoy.filters.http.cors',
  typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors' },
};
const corsPolicy = {
  'envoy.filters.http.cors': {
    '@type': 'type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy',
    allow_origin_string_match: [{ exact: origin }],
    allow_methods: 'GET, PUT',
    allow_headers: 'authorization',
    expose_headers: 'retry-after, x-ratelimit-remaining',
  },
};

let stack: Stack;
let cors: Envoy;
beforeAll(async () => {
  stack = await startChangedStack(settings);
  cors = await startChangedEnvoy({
    ...{ checkAddress: stack.postern.check, upstreamAddress: stack.echo.address },
    ...{ filters: [corsFilter], perFilter: corsPolicy },
  });
});
afterAll(() => Promise.all([stack?.stop(), cors?.stop()]));

describe('a preflight rule', () => {
  it('lets preflights reach the upstream without a key, before a rule with a longer path', async () => {
    for (const path of ['/', '/things/1']) {
      const { status, upstream } = await send(stack.envoy.url, path, preflight, 'OPTIONS');
      expect([path, status, upstream?.method]).toEqual([path, 200, 'OPTIONS']);
    }
  });

  it('lets nothing else pass without a key', async () => {
    const [sentOrigin, sentMethod] = preflight;
    for (const [method, headers] of [
      ['OPTIONS', []],
      ['OPTIONS', [sentOrigin]],
      ['OPTIONS', [sentMethod]],
      ['GET', preflight],
      ['PUT', preflight],
    ] as const)
      expect([method, headers, (await send(stack.envoy.url, '/things/1', headers, method)).status]).toEqual([
        ...[method, headers, 401],
      ]);
  });
});

describe("Envoy's CORS filter before Postern", () => {
  it('answers preflights itself, and only those of the origins that it names', async () => {
    const reached = stack.echo.requests();
    const { status, headers } = await send(cors.url, '/things/1', preflight, 'OPTIONS');
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-methods': 'GET, PUT',
      'access-control-allow-headers': 'authorization',
    });
    expect(stack.echo.requests()).toBe(reached);
  });

  it('lets the page read why a request was denied', async () => {
    const { status, headers, body } = await send(cors.url, '/things/1', [['origin', origin]], 'PUT');
    expect([status, JSON.parse(body).error.code]).toEqual([401, 'missing_api_key']);
    expect(headers).toMatchObject({ 'access-control-allow-origin': origin });
    expect(headers['access-control-expose-headers']).toContain('retry-after');
  });
});

describe('a rule for all hosts below a name', () => {
  it.each([
    ['a.example.org', 403],
    ['A.b.Example.org:8443', 403],
    ['example.org', 200],
    ['open.example.org', 200],
    ['notexample.org', 200],
  ])('holds for %s: %i', async (host, status) => {
    const { key } = await makeKey(stack.postern);
    const bearer = [['authorization', `Bearer ${key}`]] as const;
    expect((await send(stack.envoy.url, '/', bearer, 'GET', host)).status).toBe(status);
  });
});

describe('a client that waits with its body for 100 Continue', () => {
  it('is denied before it has sent it', async () => {
    expect(await post()).toEqual({ status: 401, continued: false });
  });

  it('is told to send it once its key is good', async () => {
    const { key } = await makeKey(stack.postern);
    expect(await post(key)).toEqual({ status: 200, continued: true });
  });
});

/** Sends its body only when it is told to. */
function post(key?: string): Promise<{ status: number | undefined; continued: boolean }> {
  const { promise, resolve, reject } = Promise.withResolvers<{
    status: number | undefined;
    continued: boolean;
  }>();
  const headers = {
    ...{ expect: '100-continue', 'content-length': '5' },
    ...(key !== undefined && { authorization: `Bearer ${key}` }),
  };
  const sent = request(stack.envoy.url, { method: 'POST', path: '/', headers, agent: false });
  let continued = false;
  sent.on('continue', () => {
    continued = true;
    sent.end('hello');
  });
  sent.on('response', (response) => {
    response.resume();
    response.on('end', () => {
      resolve({ status: response.statusCode, continued });
      sent.destroy();
    });
  });
  sent.on('error', reject);
  sent.flushHeaders();
  return promise;
}
