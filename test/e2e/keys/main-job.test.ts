import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { freshDatabase } from '../../real/mongod.ts';
import { admin, makeKey, type Stack, send, startStack } from '../stack.ts';

const stores = {
  SQLite: () => 'sqlite::memory:',
  MongoDB: () => freshDatabase(inject('mongoUri')).uri,
};

describe.each(Object.keys(stores) as (keyof typeof stores)[])('through a real Envoy, on %s', (name) => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack({ POSTERN_STORE: stores[name]() });
  });
  afterAll(() => stack?.stop());

  const bearer = (key: string) => [['authorization', `Bearer ${key}`]] as const;

  it('a key opens the route, and revoking it closes it at once', async () => {
    const { id, key } = await makeKey(stack.postern);
    expect((await send(stack.envoy.url, '/', bearer(key))).status).toBe(200);
    const { data } = (await admin(stack.postern, 'DELETE', `/admin/api-keys/${id}`)) as {
      data: Record<string, unknown>;
    };
    expect(data).toMatchObject({ id, state: 'revoked', unconfirmed_replicas: [] });
    expect(Date.parse(String(data.effective_at))).toBeLessThanOrEqual(Date.now());
    const after = await send(stack.envoy.url, '/', bearer(key));
    expect(after.status).toBe(401);
    expect(after.body).toBe('{"error":{"code":"revoked_api_key","message":"The API key has been revoked."}}');
  });

  it('the upstream learns who calls, and not with what', async () => {
    const { id, key } = await makeKey(stack.postern, {
      owner: 'acme',
      permissions: ['read:things', 'write:things'],
    });
    const { upstream } = await send(stack.envoy.url, '/', bearer(key));
    expect(upstream?.headers).toMatchObject({
      'x-postern-key-id': [id],
      'x-postern-owner': ['acme'],
      'x-postern-scheme': ['postern'],
      'x-postern-environment': ['live'],
      'x-postern-permissions': ['read:things,write:things'],
    });
    expect(upstream?.headers).not.toHaveProperty('authorization');
  });

  it('what a client claims in x-postern-* never reaches the upstream, on public routes neither', async () => {
    const { id, key } = await makeKey(stack.postern);
    const claims = [
      ['x-postern-key-id', 'key_forged'],
      ['X-Postern-Key-Id', 'key_forged_too'],
      ['x-postern-owner', 'somebody'],
      ['x-postern-anything', 'else'],
    ] as const;
    const { upstream } = await send(stack.envoy.url, '/', [...bearer(key), ...claims]);
    expect(upstream?.headers['x-postern-key-id']).toEqual([id]);
    expect(upstream?.headers).not.toHaveProperty('x-postern-owner');
    expect(upstream?.headers).not.toHaveProperty('x-postern-anything');
    const open = await send(stack.envoy.url, '/public/', claims);
    expect(
      Object.keys(open.upstream?.headers ?? {}).filter((header) => header.startsWith('x-postern')),
    ).toEqual([]);
  });

  it('a header that reads the same with underscores is refused', async () => {
    const { key } = await makeKey(stack.postern);
    expect((await send(stack.envoy.url, '/', [...bearer(key), ['x_postern_owner', 'somebody']])).status).toBe(
      400,
    );
  });

  it("a key in a header of its own opens its vendor's route, and is taken out", async () => {
    const { key } = await makeKey(stack.postern, { scheme: 'powerverse' });
    const { status, upstream } = await send(stack.envoy.url, '/powerverse/', [['x-api-key', key]]);
    expect(status).toBe(200);
    expect(upstream?.headers).not.toHaveProperty('x-api-key');
  });

  it('each denial speaks as its vendor does', async () => {
    const at = (path: string, headers: readonly (readonly [string, string])[] = []) =>
      send(stack.envoy.url, path, headers);
    const missing = await at('/powerverse/');
    expect(missing.status).toBe(401);
    expect(JSON.parse(missing.body)).toMatchObject({ error: { code: 'MISSING_API_KEY' } });
    expect(missing.headers['www-authenticate']).toBe('ApiKey realm="powerverse"');
    const invalid = await at('/powerverse/', [['x-api-key', 'ak_live_nope']]);
    expect(invalid.body).toBe(
      '{"error":{"code":"INVALID_API_KEY","message":"The provided API key is invalid"}}',
    );
    const converra = await at('/converra/', bearer('rubbish'));
    expect(converra.body).toBe('{"error":{"code":"UNAUTHORIZED","message":"Invalid API key"}}');
    expect(converra.headers['www-authenticate']).toBe('Bearer realm="converra", error="invalid_token"');
    const product = await at('/');
    expect(product.body).toBe('{"error":{"code":"missing_api_key","message":"No API key was sent."}}');
    expect(product.headers).toMatchObject({
      'content-type': 'application/json',
      'www-authenticate': 'Bearer realm="postern"',
    });
  });

  it('two credentials are refused, however they come', async () => {
    const [one, two] = [await makeKey(stack.postern), await makeKey(stack.postern)];
    const twice = [...bearer(one.key), ...bearer(two.key)];
    for (const headers of [twice, [['authorization', `Bearer ${one.key}, Bearer ${two.key}`] as const]]) {
      const { status, body } = await send(stack.envoy.url, '/', headers);
      expect(status).toBe(401);
      expect(JSON.parse(body)).toMatchObject({ error: { code: 'invalid_api_key' } });
    }
  });

  it('a disabled key is refused until it is enabled again', async () => {
    const { id, key } = await makeKey(stack.postern);
    await admin(stack.postern, 'POST', `/admin/api-keys/${id}/disable`);
    expect((await send(stack.envoy.url, '/', bearer(key))).status).toBe(401);
    await admin(stack.postern, 'POST', `/admin/api-keys/${id}/enable`);
    expect((await send(stack.envoy.url, '/', bearer(key))).status).toBe(200);
  });

  it('test keys open test routes alone, live keys live routes alone', async () => {
    const live = await makeKey(stack.postern);
    const test = await makeKey(stack.postern, { environment: 'test' });
    const statuses = async (key: string) => [
      (await send(stack.envoy.url, '/', bearer(key))).status,
      (await send(stack.envoy.url, '/test-env/', bearer(key))).status,
    ];
    expect(await statuses(live.key)).toEqual([200, 401]);
    expect(await statuses(test.key)).toEqual([401, 200]);
  });

  it('a route that asks for a permission lets in the keys that have it', async () => {
    const without = await makeKey(stack.postern, { permissions: ['read:things'] });
    const having = await makeKey(stack.postern, { permissions: ['write:things'] });
    const refused = await send(stack.envoy.url, '/write/', bearer(without.key));
    expect(refused.status).toBe(403);
    expect(JSON.parse(refused.body)).toMatchObject({ error: { code: 'insufficient_permissions' } });
    expect((await send(stack.envoy.url, '/write/', bearer(having.key))).status).toBe(200);
  });

  it('a path that climbs out of a public route is checked as where it leads', async () => {
    expect((await send(stack.envoy.url, '/public/../secret')).status).toBe(401);
    expect((await send(stack.envoy.url, '/public/%2e%2e/secret')).status).toBe(401);
    expect((await send(stack.envoy.url, '//public/../secret')).status).toBe(401);
    expect((await send(stack.envoy.url, '/public/..%2fsecret')).status).toBe(400);
  });

  it('HEAD, OPTIONS and websocket openings are checked like any request', async () => {
    const upgrade = [
      ['connection', 'upgrade'],
      ['upgrade', 'websocket'],
    ] as const;
    expect((await send(stack.envoy.url, '/', [], 'HEAD')).status).toBe(401);
    expect((await send(stack.envoy.url, '/', [], 'OPTIONS')).status).toBe(401);
    expect((await send(stack.envoy.url, '/', upgrade)).status).toBe(401);
  });

  it('a header that is no text is a key that nobody has', async () => {
    const { status, body } = await send(stack.envoy.url, '/', bearer('\u00ff\u00fe\u0080'));
    expect(status).toBe(401);
    expect(JSON.parse(body)).toMatchObject({ error: { code: 'invalid_api_key' } });
  });

  it('the access log says which key was allowed and why another was not, and shows neither', async () => {
    const { id, key } = await makeKey(stack.postern);
    await send(stack.envoy.url, '/logged/', bearer(key));
    await admin(stack.postern, 'DELETE', `/admin/api-keys/${id}`);
    await send(stack.envoy.url, '/logged/', bearer(key));
    await expect
      .poll(() => accessLog(stack))
      .toEqual([
        expect.objectContaining({ status: 200, key_id: id }),
        expect.objectContaining({ status: 401, key_id: id, reason: 'revoked' }),
      ]);
    expect(stack.envoy.log()).not.toContain(key);
    expect(stack.postern.log()).not.toContain(key);
  });
});

function accessLog(stack: Stack): Record<string, unknown>[] {
  return stack.envoy
    .log()
    .split('\n')
    .filter((line) => line.startsWith('{') && line.includes('"/logged/"'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
