import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Route, startChangedStack } from '../routes.ts';
import { makeKey, type Stack, send } from '../stack.ts';

/** A path of its own for each, with what the route says in its metadata and in `context_extensions`. */
const routes: readonly Route[] = [
  { prefix: '/asks/', context: {}, metadata: { postern: { permissions: 'read:a' } } },
  { prefix: '/lists/', context: {}, metadata: { postern: { permissions: ['read:a', 'write:a'] } } },
  { prefix: '/costs/', context: {}, metadata: { postern: { cost: 3 } } },
  { prefix: '/open/', context: {}, metadata: { postern: { public: true } } },
  {
    prefix: '/replaced/',
    context: { permissions: 'write:a' },
    metadata: { postern: { permissions: 'read:a' } },
  },
  {
    prefix: '/beside/',
    context: { cost: '2' },
    metadata: { postern: { permissions: 'write:a', 'x-of': {} } },
  },
  { prefix: '/half/', context: {}, metadata: { postern: { cost: 0.5 } } },
  { prefix: '/null/', context: {}, metadata: { postern: { public: null } } },
  { prefix: '/deep/', context: {}, metadata: { postern: { permissions: [['read:a']] } } },
  { prefix: '/misspelt/', context: {}, metadata: { postern: { permission: 'read:a' } } },
  { prefix: '/foreign/', context: {}, metadata: { other: { permissions: 'write:a' } } },
  { prefix: '/gateway/', context: {}, metadata: gateway([{ 'postern-permissions': 'write:a', other: 'x' }]) },
  { prefix: '/gateway-open/', context: {}, metadata: gateway([{ 'postern-public': 'true' }]) },
  { prefix: '/gateway-wrong/', context: {}, metadata: gateway([{ 'postern-permision': 'write:a' }]) },
  {
    prefix: '/gateway-two/',
    context: {},
    metadata: gateway([{ 'postern-public': 'true' }, { 'postern-public': 'false' }]),
  },
  {
    prefix: '/gateway-own/',
    context: {},
    metadata: { ...gateway([{ 'postern-permissions': 'write:a' }]), postern: { permissions: 'read:a' } },
  },
];

let stack: Stack;
beforeAll(async () => {
  const filter = { route_metadata_context_namespaces: ['postern', 'envoy-gateway'] };
  stack = await startChangedStack('{}', {}, { routes, filter });
});
afterAll(() => stack?.stop());

describe('the metadata of a route says what it asks for', () => {
  it.each([
    ['/asks/', 200, 403, 401],
    ['/lists/', 403, 403, 401],
    ['/open/', 200, 200, 200],
    ['/replaced/', 403, 403, 401],
    ['/beside/', 403, 403, 401],
    ['/half/', 503, 503, 503],
    ['/null/', 503, 503, 503],
    ['/deep/', 503, 503, 503],
    ['/misspelt/', 503, 503, 503],
    ['/foreign/', 200, 200, 401],
    ['/gateway/', 403, 403, 401],
    ['/gateway-open/', 200, 200, 200],
    ['/gateway-wrong/', 503, 503, 503],
    ['/gateway-two/', 503, 503, 503],
    ['/gateway-own/', 200, 403, 401],
  ] as const)(
    '%s is %s for a key that may read, %s for one that may nothing, %s without one',
    async (path, ...outcomes) => {
      const reader = await makeKey(stack.postern, { permissions: ['read:a'] });
      const nobody = await makeKey(stack.postern);
      const keys = [reader.key, nobody.key, null];
      const statuses = keys.map(async (key) => {
        const headers = key === null ? [] : [['authorization', `Bearer ${key}`] as const];
        return (await send(stack.envoy.url, path, headers)).status;
      });
      expect(await Promise.all(statuses)).toEqual(outcomes);
    },
  );

  it('as a number, too: units of rate limit', async () => {
    const { key } = await makeKey(stack.postern, { rate_limit: { limit: 4, window: '3650d' } });
    const { headers } = await send(stack.envoy.url, '/costs/', [['authorization', `Bearer ${key}`]]);
    expect(headers).toMatchObject({ 'x-ratelimit-remaining': '1' });
  });
});

function gateway(annotations: readonly Readonly<Record<string, string>>[]): Record<string, unknown> {
  const resources = annotations.map((one) => ({ kind: 'HTTPRoute', name: 'orders', annotations: one }));
  return { 'envoy-gateway': { resources } };
}
