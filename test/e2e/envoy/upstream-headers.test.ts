import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { freePort } from '../../real/port.ts';
import { startChangedEnvoy, startChangedStack, startConfigured } from '../routes.ts';
import { admin, makeKey, type Stack, send } from '../stack.ts';

const upstreamHeaders = `
upstream_headers:
  X-Consumer-Id: key_id
  x-consumer-name: key_name
  x-tenant: owner
  x-kind: scheme
  x-stage: environment
  x-scopes: permissions
  x-plan: plan
  x-team: labels.team
  x-account: owner_labels.account
plans: { gold: { limit: 100, window: 3650d } }
identity_headers: false
`;

const routes = [
  { prefix: '/open/', context: { public: 'true' } },
  { prefix: '/observed/', context: { mode: 'observe' } },
  { prefix: '/observed-write/', context: { mode: 'observe', permissions: 'write:things' } },
];

/** Every name that is ours, in the spellings that some upstream reads as it. */
const spoofed = [
  ...['x-consumer-id', 'x.consumer.id', 'x-consumer_id', 'x-consumer-name', 'x-tenant', 'X_Tenant', 'x-kind'],
  ...[
    'x-stage',
    'x-scopes',
    'x-plan',
    'x!plan',
    'x-team',
    'x+team',
    'x-account',
    'x-postern-key-id',
    'x-postern-owner',
  ],
  ...['x.postern-scheme', 'x-postern-permissions', 'x-postern-environment', 'x-postern-more'],
].map((name) => [name, 'forged'] as const);
const removesEarly = {
  '@type':
    'type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation',
  mutations: [
    'postern[^a-z0-9].*',
    'consumer[^a-z0-9](id|name)',
    'tenant',
    'kind',
    'stage',
    'scopes',
    'plan',
    'team',
    'account',
  ].map((rest) => ({ remove_on_match: { key_matcher: { safe_regex: { regex: `x[^a-z0-9]${rest}` } } } })),
};
const underscores = { headers_with_underscores_action: 'ALLOW' };

const root = fileURLToPath(new URL('../../..', import.meta.url));

let stack: Stack;
beforeAll(async () => {
  const http = { common_http_protocol_options: underscores };
  stack = await startChangedStack(upstreamHeaders, {}, { routes, http });
});
afterAll(() => stack?.stop());

describe('upstream_headers', () => {
  it('tell what they name of a key that is allowed, and nothing where it has none of it', async () => {
    await admin(stack.postern, 'PUT', '/admin/owners/acme', { labels: { account: 'a-1' } });
    const full = await makeKey(stack.postern, {
      ...{ name: 'Käse\u{1F9C0}', owner: 'acme', plan: 'gold', permissions: ['read:a', 'write:b'] },
      labels: { team: 'blue', other: 'red' },
    });
    const told = await upstreamOf('/a', full.key);
    expect(told).toEqual({
      'x-consumer-id': [full.id],
      'x-consumer-name': [Buffer.from('Käse\u{1F9C0}').toString('latin1')],
      'x-tenant': ['acme'],
      'x-kind': ['postern'],
      'x-stage': ['live'],
      'x-scopes': ['read:a,write:b'],
      'x-plan': ['gold'],
      'x-team': ['blue'],
      'x-account': ['a-1'],
    });
    const bare = await makeKey(stack.postern, { name: 'bare' });
    expect(await upstreamOf('/a', bare.key)).toEqual({
      ...{ 'x-consumer-id': [bare.id], 'x-consumer-name': ['bare'], 'x-kind': ['postern'] },
      'x-stage': ['live'],
    });
  });

  it('are of nobody but Postern, whatever a client sends and whatever becomes of the request', async () => {
    const { key, id } = await makeKey(stack.postern, { name: 'bare' });
    const own = {
      ...{ 'x-consumer-id': [id], 'x-consumer-name': ['bare'], 'x-kind': ['postern'], 'x-stage': ['live'] },
    };
    expect(await upstreamOf('/a', key, spoofed)).toEqual(own);
    expect(await upstreamOf('/observed/a', key, spoofed)).toEqual(own);
    expect(await upstreamOf('/observed-write/a', key, spoofed)).toEqual({});
    expect(await upstreamOf('/observed/a', null, spoofed)).toEqual({});
    expect(await upstreamOf('/open/a', key, spoofed)).toEqual({});
    expect((await send(stack.envoy.url, '/a', spoofed)).status).toBe(401);
  });

  it('are removed by Envoy itself where failure_mode_allow allows what nobody could be asked of', async () => {
    const nobody = `mongodb://127.0.0.1:${await freePort()}/postern`;
    const cutOff = await startConfigured(upstreamHeaders, { POSTERN_STORE: nobody }, { ready: false });
    onTestFinished(() => cutOff.stop());
    for (const checkAddress of [cutOff.check, { host: '127.0.0.1', port: await freePort() }]) {
      const envoy = await startChangedEnvoy({
        ...{ checkAddress, upstreamAddress: stack.echo.address, failureModeAllow: true, removesEarly: true },
        http: {
          common_http_protocol_options: underscores,
          early_header_mutation_extensions: [
            { name: 'envoy.http.early_header_mutation.header_mutation', typed_config: removesEarly },
          ],
        },
      });
      onTestFinished(() => envoy.stop());
      const { key } = await makeKey(stack.postern);
      const { status, upstream } = await send(envoy.url, '/a', [
        ['authorization', `Bearer ${key}`],
        ...spoofed,
      ]);
      expect(status).toBe(200);
      expect(told(upstream?.headers)).toEqual({});
    }
  });
});

/** What the EnvoyFilter of an example for Istio puts into the connection manager. */
async function istioManager(file: string): Promise<Record<string, unknown>> {
  const text = (await readFile(join(root, file), 'utf8')).replace(/<[a-z.]+>/g, 'x');
  const objects = parseAllDocuments(text).map((document) => document.toJS()) as {
    kind: string;
    spec: {
      configPatches: { applyTo: string; patch: { value: { typed_config: Record<string, unknown> } } }[];
    };
  }[];
  const patches = objects.find(({ kind }) => kind === 'EnvoyFilter')?.spec.configPatches ?? [];
  const patch = patches.find(({ applyTo }) => applyTo === 'NETWORK_FILTER')?.patch.value.typed_config;
  const { '@type': _, ...members } = patch ?? {};
  return members;
}

it.each([
  'deploy/envoy/envoy.yaml',
  'deploy/meshes/istio/envoy-filter.yaml',
  'src/cli/init/templates/istio.yaml',
])('an Envoy by %s takes x-postern-* of clients out before it asks, in every spelling', async (file) => {
  const http = file.includes('istio') ? await istioManager(file) : {};
  const checkAddress = { host: '127.0.0.1', port: await freePort() };
  const envoy = await startChangedEnvoy({
    ...{ checkAddress, upstreamAddress: stack.echo.address, failureModeAllow: true },
    ...(file.includes('istio') ? { http } : { removesEarly: true }),
  });
  onTestFinished(() => envoy.stop());
  const sent = spoofed.filter(([name]) => !name.includes('_') && name.includes('postern'));
  const { status, upstream } = await send(envoy.url, '/a', sent);
  expect(status).toBe(200);
  expect(Object.keys(upstream?.headers ?? {}).filter((name) => name.includes('postern'))).toEqual([]);
});

const names = /^x[^a-z0-9](postern|consumer|tenant|kind|stage|scopes|plan|team|account)/i;

function told(headers: Readonly<Record<string, readonly string[]>> | undefined) {
  return Object.fromEntries(Object.entries(headers ?? {}).filter(([name]) => names.test(name)));
}

async function upstreamOf(
  path: string,
  key: string | null,
  others: readonly (readonly [string, string])[] = [],
): Promise<unknown> {
  const authorization = key === null ? [] : [['authorization', `Bearer ${key}`] as const];
  const { status, upstream } = await send(stack.envoy.url, path, [...authorization, ...others]);
  expect(status).toBe(200);
  return told(upstream?.headers);
}
