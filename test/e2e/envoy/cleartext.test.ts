import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Envoy } from '../../real/envoy.ts';
import { startChangedEnvoy, startChangedStack } from '../routes.ts';
import { admin, makeKey, type Stack, send } from '../stack.ts';

const settings = `
cleartext: deny
schemes:
  - postern
  - problem
  - name: firm
    places: [{ header: X-Firm }]
    prefixes: { firm_: live }
    accept: { alphabet: A-Za-z0-9, length: 32 }
    mint: { alphabet: A-Za-z0-9, length: 32 }
    cleartext: revoke
  - name: loose
    places: [{ header: X-Loose }]
    prefixes: { loose_: live }
    accept: { alphabet: A-Za-z0-9, length: 32 }
    mint: { alphabet: A-Za-z0-9, length: 32 }
    cleartext: allow
rules:
  - { match: { path: /plain/* }, cleartext: allow }
  - { match: { path: /strict/* }, cleartext: revoke }
  - { match: { path: /open/* }, public: true }
`;
const routes = [
  { prefix: '/firm/', context: { scheme: 'firm' } },
  { prefix: '/observed/', context: { mode: 'observe' } },
];

let stack: Stack;
let tls: Envoy;
beforeAll(async () => {
  stack = await startChangedStack(settings, {}, { routes });
  tls = await startChangedEnvoy({
    ...{ checkAddress: stack.postern.check, upstreamAddress: stack.echo.address },
    http: { scheme_header_transformation: { scheme_to_overwrite: 'https' } },
  });
});
afterAll(async () => {
  await tls?.stop();
  await stack?.stop();
});

describe('a request that came in clear text', () => {
  it('is denied before all else, with or without a key, where the settings say so', async () => {
    const { key } = await makeKey(stack.postern);
    for (const headers of [bearer(key), bearer('rubbish'), [...bearer(key), ...bearer(key)], []]) {
      const { status, body } = await send(stack.envoy.url, '/a', headers);
      expect(`${status} ${JSON.parse(body).error.code}`).toBe('403 https_required');
    }
    expect((await send(tls.url, '/a', bearer(key))).status).toBe(200);
    expect((await send(tls.url, '/a')).status).toBe(401);
    expect(await stateOf(key)).toBe('active');
  });

  it('is allowed where a rule or the scheme of its key says so, and on public routes', async () => {
    const { key } = await makeKey(stack.postern);
    const loose = await makeKey(stack.postern, { scheme: 'loose' });
    expect((await send(stack.envoy.url, '/plain/a', bearer(key))).status).toBe(200);
    expect((await send(stack.envoy.url, '/a', [['x-loose', loose.key]])).status).toBe(200);
    expect((await send(stack.envoy.url, '/open/a')).status).toBe(200);
  });

  it('has its key revoked as leaked where the scheme or a rule says so', async () => {
    const [firm, own] = [await makeKey(stack.postern, { scheme: 'firm' }), await makeKey(stack.postern)];
    expect((await send(stack.envoy.url, '/a', [['x-firm', firm.key]])).status).toBe(403);
    await expect.poll(() => stateOf(firm.key)).toBe('revoked');
    expect((await send(stack.envoy.url, '/strict/a', bearer(own.key))).status).toBe(403);
    await expect.poll(() => stateOf(own.key)).toBe('revoked');
    await expect.poll(async () => (await send(tls.url, '/a', bearer(own.key))).status).toBe(401);
    const { data } = (await admin(stack.postern, 'GET', `/admin/audit-events?target=${own.id}`)) as {
      data: readonly Record<string, unknown>[];
    };
    expect(data[0]).toMatchObject({ action: 'ReportLeakedKeys', actor: 'postern', outcome: 'ok' });
  });

  it('is denied for a route of one scheme as that scheme says, though no key came', async () => {
    expect((await send(stack.envoy.url, '/firm/a')).status).toBe(403);
    expect((await send(tls.url, '/firm/a')).status).toBe(401);
  });

  it('revokes nothing where it is only observed', async () => {
    const firm = await makeKey(stack.postern, { scheme: 'firm' });
    expect((await send(stack.envoy.url, '/observed/a', [['x-firm', firm.key]])).status).toBe(200);
    const other = await makeKey(stack.postern, { scheme: 'firm' });
    await send(stack.envoy.url, '/a', [['x-firm', other.key]]);
    await expect.poll(() => stateOf(other.key)).toBe('revoked');
    expect(await stateOf(firm.key)).toBe('active');
  });

  it('is told of as RFC 9457 has it, in the words of the preset problem', async () => {
    const { key } = await makeKey(stack.postern, { scheme: 'problem' });
    const { status, headers, body } = await send(stack.envoy.url, '/a', bearer(key));
    expect([status, headers['content-type']]).toEqual([403, 'application/problem+json']);
    expect(JSON.parse(body)).toMatchObject({ type: 'about:blank', title: 'Forbidden', status: 403 });
    expect((await send(tls.url, '/a', bearer(key))).status).toBe(200);
  });
});

function bearer(key: string) {
  return [['authorization', `Bearer ${key}`]] as const;
}

async function stateOf(key: string): Promise<unknown> {
  const found = (await admin(stack.postern, 'POST', '/admin/api-keys:find', { key })) as {
    data: { state: unknown };
  };
  return found.data.state;
}
