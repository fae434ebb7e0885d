import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createAuthority } from '../../real/certificates.ts';
import type { Postern } from '../../real/postern.ts';
import { startConfigured } from '../routes.ts';
import { admin, makeKey, send } from '../stack.ts';

const settings = `
http_check: { listen: "127.0.0.1:0", address_header: X-Real-Ip }
processes: 2
schemes: [postern, converra]
rules:
  - { match: { path: /rule/*, host: api.example.com, methods: [PUT] }, permissions: ["write:rule"] }
  - { match: { path: /secure/* }, cleartext: deny }
  - { match: { path: /watched/* }, mode: observe }
  - { match: { path: /open/* }, public: true }
`;

let postern: Postern;
let url: string;
let key: string;
beforeAll(async () => {
  postern = await startConfigured(settings);
  url = `http://${postern.httpCheck?.host}:${postern.httpCheck?.port}`;
  ({ key } = await makeKey(postern, { permissions: ['read:a'] }));
});
afterAll(() => postern?.stop());

describe('the original request', () => {
  it.each([
    ['by X-Forwarded-*', '/check', 'GET', ['PUT', 'api.example.com', '/rule/a']],
    ['by X-Original-*', '/check', 'GET', ['PUT', null, '/rule/a'], ['method', 'uri']],
    [
      'by X-Original-Url, a whole one too',
      '/check',
      'PUT',
      [null, null, 'https://other.example/rule/a?x=y'],
      ['method', 'url'],
    ],
    ['by itself: the path behind /check', '/check/rule/a?x=y', 'PUT', [null, null, null]],
    ['each by itself', '/check/rule/a', 'GET', ['PUT', null, null]],
  ] as const)('is told %s', async (_, path, method, [asked, host, uri], names = undefined) => {
    const original = names !== undefined;
    const headers: [string, string][] = [];
    if (asked !== null) headers.push([original ? 'x-original-method' : 'x-forwarded-method', asked]);
    if (host !== null) headers.push(['x-forwarded-host', host]);
    if (uri !== null) headers.push([original ? `x-original-${names[1]}` : 'x-forwarded-uri', uri]);
    expect(await answer(path, [...bearer(key), ...headers], method)).toBe('403 insufficient_permissions');
    const other = host === null ? [] : [['x-forwarded-host', 'other.example'] as const];
    const rest = headers.filter(([name]) => name !== 'x-forwarded-host');
    if (other.length > 0) expect(await answer(path, [...bearer(key), ...rest, ...other], method)).toBe('200');
  });

  it.each([
    'x-forwarded-method',
    'x-forwarded-host',
    'x-forwarded-uri',
    'x-forwarded-proto',
    'x-original-method',
    'x-original-uri',
    'x-original-url',
  ])('is malformed where %s came twice', async (name) => {
    const headers = [...bearer(key), [name, '/a'] as const, [name, '/a'] as const];
    expect(await answer('/check', headers)).toBe('401 invalid_api_key');
  });

  it('came in clear text where X-Forwarded-Proto says so, else where the subrequest did', async () => {
    const status = (proto: Headers) => answer('/check/secure/a', [...bearer(key), ...proto]);
    expect(await status([['x-forwarded-proto', 'https']])).toBe('200');
    expect(await status([['x-forwarded-proto', 'HTTP']])).toBe('403 https_required');
    expect(await status([])).toBe('403 https_required');
  });
});

describe('the query of /check says what the route asks for', () => {
  it.each([
    ['/check?permissions=read:a', '/a', '200'],
    ['/check?permissions=write:a', '/a', '403 insufficient_permissions'],
    ['/check?permissions=write%3Aa', '/a', '403 insufficient_permissions'],
    ['/check?public=true', '/a', '200'],
    ['/check?environment=test', '/a', '401 invalid_api_key'],
    ['/check?permision=read:a', '/a', '503 unavailable'],
    ['/check?cost=three', '/a', '503 unavailable'],
    ['/check?permissions=read:a&permissions=write:a', '/a', '503 unavailable'],
    ['/check?permissions=read:a', '/a?permissions=read:a', '503 unavailable'],
    ['/check?public=true', '/a?x=y&public=true', '503 unavailable'],
    ['/check?permissions=write:a', '/a?permissions=read:a', '403 insufficient_permissions'],
    ['/check/a?public=true', '/a', '200'],
    ['/check?', '/a?public=true', '200'],
  ])('%s, of %s: %s', async (path, uri, outcome) => {
    expect(await answer(path, [...bearer(key), ['x-forwarded-uri', uri]])).toBe(outcome);
  });

  it('and that of a path below it nothing', async () => {
    expect(await answer('/check/a?public=true', [])).toBe('401 missing_api_key');
    expect(await answer('/check/', [])).toBe('401 missing_api_key');
    expect((await send(url, '/checked', bearer(key))).status).toBe(404);
    expect((await send(url, '/', bearer(key))).status).toBe(404);
  });
});

it("the caller's address is what the header names, once, else the peer's", async () => {
  const made = await makeKey(postern, { ip_allowlist: ['192.0.2.0/24', '2001:db8::/32'] });
  const here = await makeKey(postern, { ip_allowlist: ['127.0.0.1'] });
  const from = (...values: string[]) =>
    answer('/check', [...bearer(made.key), ...values.map((value) => ['x-real-ip', value] as const)]);
  expect(await from('192.0.2.7')).toBe('200');
  expect(await from('2001:db8::7')).toBe('200');
  expect(await from('::ffff:192.0.2.7')).toBe('200');
  for (const wrong of [
    ['198.51.100.1'],
    ['192.0.2.7', '192.0.2.7'],
    ['192.0.2.7, 192.0.2.8'],
    ['here'],
    [''],
  ])
    expect(await from(...wrong)).toBe('403 ip_not_allowed');
  expect(await answer('/check', bearer(here.key))).toBe('200');
  expect(await answer('/check', [...bearer(here.key), ['x-real-ip', 'unknown']])).toBe('403 ip_not_allowed');
});

it('answers 200 with what the upstream is to be told, and counts as any Check', async () => {
  const made = await makeKey(postern, { owner: 'acme', rate_limit: { limit: 2, window: '3650d' } });
  const { status, headers, body } = await send(url, '/check', bearer(made.key));
  expect([status, body]).toEqual([200, '']);
  expect(headers).toMatchObject({
    'x-postern-key-id': made.id,
    'x-postern-owner': 'acme',
    'x-ratelimit-remaining': '1',
    'cache-control': 'no-store',
  });
  await expect
    .poll(() => admin(postern, 'GET', `/admin/api-keys/${made.id}/usage`))
    .toMatchObject({ data: { buckets: [{ allowed: 1 }] } });
  const watched = await send(url, '/check/watched/a', bearer('rubbish'));
  expect([watched.status, watched.headers['x-postern-key-id']]).toEqual([200, undefined]);
});

it('is asked as Traefik does: the original request in X-Forwarded-*, the headers of the client as they came', async () => {
  const forwarded = (method: string, uri: string, more: Headers = []): Headers => [
    ...more,
    ['x-forwarded-method', method],
    ['x-forwarded-proto', 'https'],
    ['x-forwarded-host', 'api.example.com'],
    ['x-forwarded-uri', uri],
    ['x-forwarded-for', '127.0.0.1'],
    ['accept-encoding', 'gzip'],
    ['user-agent', 'curl/8.5.0'],
  ];
  const asked = (path: string, headers: Headers) => answer(path, headers);
  expect(await asked('/check?permissions=read:a', forwarded('GET', '/v1?a=b', bearer(key)))).toBe('200');
  expect(await asked('/check?permissions=read:b', forwarded('GET', '/v1', bearer(key)))).toBe(
    '403 insufficient_permissions',
  );
  expect(await asked('/check', forwarded('PUT', '/rule/a', bearer(key)))).toBe(
    '403 insufficient_permissions',
  );
  expect(await asked('/check', forwarded('GET', '/secure/a', bearer(key)))).toBe('200');
  expect(await asked('/check', forwarded('GET', '/open/a'))).toBe('200');
  expect(await asked('/check', forwarded('GET', '/v1'))).toBe('401 missing_api_key');
});

it('denies keys with principals, since no proxy says over HTTP whom a certificate names', async () => {
  const made = await makeKey(postern, { principals: ['*.example.com'] });
  expect(await answer('/check', bearer(made.key))).toBe('403 caller_not_allowed');
});

it('listens where POSTERN_HTTP_CHECK_LISTEN says, over TLS for clients with a certificate, and tells of its own', async () => {
  const authority = await createAuthority();
  const server = await authority.issue([{ type: 'dns', value: 'localhost' }]);
  const client = await authority.issue([{ type: 'dns', value: 'proxy.example' }]);
  const tls = JSON.stringify({ ...server, client_ca: authority.cert });
  const own = await startConfigured(`http_check: { tls: ${tls} }`, {
    POSTERN_HTTP_CHECK_LISTEN: '127.0.0.1:0',
  });
  onTestFinished(() => own.stop());
  const made = await makeKey(own);
  const ca = await readFile(authority.cert);
  const shown = { cert: await readFile(client.cert), key: await readFile(client.key) };
  const asked = (certificate: object): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const { host, port } = own.httpCheck ?? { host: '', port: 0 };
      const headers = { authorization: `Bearer ${made.key}` };
      const place = { host, port, servername: 'localhost', path: '/check', headers, agent: false };
      const sent = request({ ...place, ca, ...certificate }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      sent.on('error', reject).end();
    });
  expect(await asked(shown)).toBe(200);
  await expect(asked({})).rejects.toThrow();
  const metrics = await (await fetch(`${own.url}/metrics`)).text();
  expect(metrics).toMatch(/^postern_tls_certificate_expiry_seconds\{listener="http_check"\} \d/m);
  expect(metrics).toMatch(/^postern_checks_total\{decision="allow",reason="",scheme="postern"\} 1$/m);
});

type Headers = readonly (readonly [name: string, value: string])[];

function bearer(secret: string): Headers {
  return [['authorization', `Bearer ${secret}`]];
}

async function answer(path: string, headers: Headers, method = 'GET'): Promise<string> {
  const { status, body } = await send(url, path, headers, method);
  return body === '' ? String(status) : `${status} ${JSON.parse(body).error.code}`;
}
