import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { configureEnvoy } from '../../../deploy/envoy/configure.ts';
import { type Echo, startEcho } from '../../real/echo.ts';
import { startEnvoy } from '../../real/envoy.ts';
import { freePort } from '../../real/port.ts';
import type { Address, Postern } from '../../real/postern.ts';
import { proxyNames, type RunningProxy, startProxy } from '../../real/proxies.ts';
import { startConfigured } from '../routes.ts';
import { admin, makeKey, send } from '../stack.ts';
import { unknownKey } from '../unknown-key.ts';

const settings = `
http_check: { listen: "127.0.0.1:0", address_header: x-real-ip }
schemes: [postern, powerverse]
rules:
  - { match: { path: /closed/*, methods: [POST] }, permissions: ["write:closed"] }
  - { match: { path: /open/* }, public: true }
  - { match: { host: internal.example.com }, permissions: ["internal"] }
`;

let echo: Echo;
let postern: Postern;
beforeAll(async () => {
  [echo, postern] = await Promise.all([startEcho(), startConfigured(settings)]);
});
afterAll(() => Promise.all([postern?.stop(), echo?.stop()]));

describe.each(proxyNames)('%s, by its example', (name) => {
  let proxy: RunningProxy;
  beforeAll(async () => {
    proxy = await startProxy(name, { check: checkOf(postern), upstream: echo.address });
  });
  afterAll(() => proxy?.stop());

  it('passes what a key may, tells the upstream whose it is, and takes the key away', async () => {
    const made = await makeKey(postern, { owner: 'acme', permissions: ['read:a', 'write:b'] });
    const { status, upstream } = await send(proxy.url, '/a?b=c&d', bearer(made.key));
    expect([status, upstream?.url]).toEqual([200, '/a?b=c&d']);
    expect(upstream?.headers).toMatchObject({
      'x-postern-key-id': [made.id],
      'x-postern-owner': ['acme'],
      'x-postern-scheme': ['postern'],
      'x-postern-environment': ['live'],
      'x-postern-permissions': ['read:a,write:b'],
    });
    expect(upstream?.headers).not.toHaveProperty('authorization');
    const other = await makeKey(postern, { scheme: 'powerverse' });
    const second = await send(proxy.url, '/a', [['x-api-key', other.key]]);
    expect(second.upstream?.headers).not.toHaveProperty('x-api-key');
    expect(second.upstream?.headers['x-postern-key-id']).toEqual([other.id]);
  });

  it('denies, and asks by the method, host and path of the original request', async () => {
    const { key } = await makeKey(postern);
    const status = async (path: string, sent: Headers, method = 'GET', host = 'api.example.com') =>
      (await send(proxy.url, path, sent, method, host)).status;
    const asked = echo.requests();
    expect(await status('/a', [])).toBe(401);
    expect(await status('/a', bearer('rubbish'))).toBe(401);
    expect(await status('/a', bearer(unknownKey()))).toBe(401);
    expect(await status('/write/a', bearer(key))).toBe(403);
    expect(await status('/closed/a', bearer(key), 'POST')).toBe(403);
    expect(await status('/a', bearer(key), 'GET', 'internal.example.com')).toBe(403);
    expect(await status('/open/../closed/a', bearer(key), 'POST')).toBe(403);
    expect(echo.requests()).toBe(asked);
    expect(await status('/closed/a', bearer(key))).toBe(200);
    expect(await status('/open/a', [])).toBe(200);
    const writer = await makeKey(postern, { permissions: ['write:things', 'write:closed'] });
    expect(await status('/write/a', bearer(writer.key))).toBe(200);
    expect(await status('/closed/a', bearer(writer.key), 'POST')).toBe(200);
  });

  it('lets no client say what it asked for, nor who it is', async () => {
    const made = await makeKey(postern);
    const forged: Headers = [
      ...(['x-forwarded-method', 'x-original-method'] as const).map((one) => [one, 'GET'] as const),
      ...['x-forwarded-uri', 'x-original-uri', 'x-original-url'].map((one) => [one, '/open/a'] as const),
      ...[['x-forwarded-host', 'api.example.com'] as const, ['x-forwarded-proto', 'https'] as const],
      ...['key-id', 'owner', 'scheme', 'environment', 'permissions'].map(
        (one) => [`x-postern-${one}`, 'forged'] as const,
      ),
    ];
    expect((await send(proxy.url, '/a', forged)).status).toBe(401);
    expect((await send(proxy.url, '/closed/a', [...bearer(made.key), ...forged], 'POST')).status).toBe(403);
    expect((await send(proxy.url, '/a?public=true', forged)).status).toBe(401);
    expect((await send(proxy.url, '/write/a?permissions=', bearer(made.key))).status).toBe(403);
    const { upstream } = await send(proxy.url, '/a', [...bearer(made.key), ...forged]);
    expect(upstream?.headers).toMatchObject({
      'x-postern-key-id': [made.id],
      'x-postern-scheme': ['postern'],
    });
    expect(JSON.stringify(upstream?.headers)).not.toContain('forged');
    const open = await send(proxy.url, '/open/a', forged);
    for (const told of [upstream, open.upstream]) {
      expect(JSON.stringify(told?.headers)).not.toMatch(/forged|\{http/);
      expect(told?.headers).not.toHaveProperty('x-postern-owner');
    }
  });

  it("judges the caller's address, which no client can choose", async () => {
    const here = await makeKey(postern, { ip_allowlist: ['127.0.0.1'] });
    const elsewhere = await makeKey(postern, { ip_allowlist: ['192.0.2.1'] });
    expect((await send(proxy.url, '/a', bearer(here.key))).status).toBe(200);
    const forged = [['x-real-ip', '192.0.2.1'] as const, ['x-forwarded-for', '192.0.2.1'] as const];
    expect((await send(proxy.url, '/a', [...bearer(elsewhere.key), ...forged])).status).toBe(403);
  });

  it('tells of a used-up limit with 429, of a lapsed owner with 402, and of an outage with 503', async () => {
    const limited = await makeKey(postern, { rate_limit: { limit: 1, window: '3650d' } });
    await send(proxy.url, '/a', bearer(limited.key));
    const answer = await send(proxy.url, '/a', bearer(limited.key));
    expect(answer.status).toBe(429);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    expect(JSON.parse(answer.body).error.code).toBe('rate_limited');
    await admin(postern, 'PUT', `/admin/owners/lapsed-${name}`, { suspended: true });
    const lapsed = await makeKey(postern, { owner: `active-${name}` });
    await admin(postern, 'PUT', `/admin/owners/active-${name}`, { suspended: true });
    expect((await send(proxy.url, '/a', bearer(lapsed.key))).status).toBe(402);
    const nobody = { host: '127.0.0.1', port: await freePort() };
    const alone = await startProxy(name, { check: nobody, upstream: echo.address });
    onTestFinished(() => alone.stop());
    const { key } = await makeKey(postern);
    expect((await send(alone.url, '/a', bearer(key))).status).toBe(name === 'caddy' ? 502 : 503);
  });

  it("denies in the scheme's own words, but for nginx, which has a page of its own", async () => {
    const { status, body, headers } = await send(proxy.url, '/a', [['x-api-key', 'rubbish']]);
    expect(status).toBe(401);
    expect(headers['www-authenticate']).toBeDefined();
    expect(body.includes('"error"')).toBe(name !== 'nginx');
  });
});

describe("Envoy's HTTP ext_authz, by its example", () => {
  it('is answered as over gRPC: allow, deny, headers, and nothing of the credential', async () => {
    const example = await readFile(new URL('../../../deploy/envoy/envoy-http.yaml', import.meta.url), 'utf8');
    const addresses = { checkAddress: checkOf(postern), upstreamAddress: echo.address };
    const configYaml = configureEnvoy(example, { listenPort: 0, adminPort: 0, ...addresses });
    const envoy = await startEnvoy({ configYaml });
    onTestFinished(() => envoy.stop());
    const made = await makeKey(postern, { owner: 'acme', rate_limit: { limit: 1, window: '3650d' } });
    const forged = ['key-id', 'owner', 'permissions', 'other'].map(
      (one) => [`x-postern-${one}`, 'forged'] as const,
    );
    const told = ['uri', 'method', 'host', 'proto'].map((one) => [`x-forwarded-${one}`, '/open/a'] as const);
    const sent = [...bearer(made.key), ...forged, ...told];
    const { status, upstream, headers } = await send(envoy.url, '/a?b=c', sent);
    expect([status, upstream?.url, headers['x-ratelimit-remaining']]).toEqual([200, '/a?b=c', '0']);
    expect(upstream?.headers).toMatchObject({ 'x-postern-key-id': [made.id], 'x-postern-owner': ['acme'] });
    expect(upstream?.headers).not.toHaveProperty('authorization');
    expect(JSON.stringify(upstream?.headers)).not.toContain('forged');
    const again = await send(envoy.url, '/a', sent);
    expect([again.status, JSON.parse(again.body).error.code]).toEqual([429, 'rate_limited']);
    expect(again.headers).toHaveProperty('retry-after');
    const missing = await send(envoy.url, '/a', told);
    expect([missing.status, missing.headers['www-authenticate']]).toEqual([401, 'Bearer realm="postern"']);
    const { key } = await makeKey(postern);
    expect((await send(envoy.url, '/closed/a', bearer(key), 'POST')).status).toBe(403);
    expect((await send(envoy.url, '/a', bearer(key), 'GET', 'internal.example.com')).status).toBe(403);
    expect((await send(envoy.url, '/open/a', forged)).status).toBe(200);
  });
});

type Headers = readonly (readonly [name: string, value: string])[];

function bearer(key: string): Headers {
  return [['authorization', `Bearer ${key}`]];
}

function checkOf({ httpCheck }: Postern): Address {
  if (httpCheck === null) throw new Error('nobody answers over HTTP');
  return httpCheck;
}
