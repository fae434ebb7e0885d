import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postern as command } from '../../cli/console.ts';
import { type Echo, startEcho } from '../../real/echo.ts';
import type { Postern } from '../../real/postern.ts';
import { proxyNames, type RunningProxy, startProxy } from '../../real/proxies.ts';
import { startConfigured } from '../routes.ts';
import { makeKey, send } from '../stack.ts';

const settings = `
http_check: { listen: "127.0.0.1:0", address_header: x-real-ip }
rules:
  - { match: { path: /healthz }, public: true }
`;

let echo: Echo;
let postern: Postern;
beforeAll(async () => {
  [echo, postern] = await Promise.all([startEcho(), startConfigured(settings)]);
});
afterAll(() => Promise.all([postern?.stop(), echo?.stop()]));

describe.each(proxyNames)('what postern init %s prints', (name) => {
  let proxy: RunningProxy;
  beforeAll(async () => {
    if (postern.httpCheck === null) throw new Error('nobody answers over HTTP');
    const { stdout } = await command(['init', name]);
    // The addresses are the standard ones, which are replaced here as in the examples.
    proxy = await startProxy(name, { check: postern.httpCheck, upstream: echo.address }, () =>
      // It says by itself where nginx may write: what the examples are given beside that would be said twice.
      stdout.replace(/^http \{$/m, 'http  {'),
    );
  });
  afterAll(() => proxy?.stop());

  it('allows a key, and tells the upstream whose it is and not what it is', async () => {
    const { key, id } = await makeKey(postern, { owner: 'acme', permissions: ['read:orders'] });

    const { status, upstream } = await send(proxy.url, '/v1/orders?page=2', bearer(key));

    expect([status, upstream?.url]).toEqual([200, '/v1/orders?page=2']);
    expect(upstream?.headers).toMatchObject({
      'x-postern-key-id': [id],
      'x-postern-owner': ['acme'],
      'x-postern-permissions': ['read:orders'],
    });
    expect(JSON.stringify(upstream)).not.toContain(key);
  });

  it('sends the upstream nothing in place of what a key has not', async () => {
    const { key, id } = await makeKey(postern);
    const forged = ['owner', 'permissions', 'key-id'].map((one) => [`x-postern-${one}`, 'forged'] as const);

    const { upstream } = await send(proxy.url, '/v1/orders', [...bearer(key), ...forged]);
    const open = await send(proxy.url, '/healthz', forged);

    expect(upstream?.headers['x-postern-key-id']).toEqual([id]);
    for (const header of ['x-postern-owner', 'x-postern-permissions']) {
      expect(upstream?.headers).not.toHaveProperty(header);
    }
    expect(open.status).toBe(200);
    const named = Object.keys(open.upstream?.headers ?? {}).filter((header) =>
      header.startsWith('x-postern'),
    );
    expect(named).toEqual([]);
  });

  it('denies without a key, whatever else a client says, and asks no upstream', async () => {
    const asked = echo.requests();
    const told = ['x-forwarded-uri', 'x-original-uri', 'x-original-url'].map(
      (one) => [one, '/healthz'] as const,
    );

    for (const path of ['/v1/orders', '/v1/orders?public=true', '/healthz/../v1/orders', '/check']) {
      expect([path, (await send(proxy.url, path, told)).status]).toEqual([path, 401]);
    }
    expect(echo.requests()).toBe(asked);
  });
});

function bearer(key: string): (readonly [name: string, value: string])[] {
  return [['authorization', `Bearer ${key}`]];
}
