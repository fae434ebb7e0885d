import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../real/until.ts';
import { checkRequest, sendCheck } from '../check-client.ts';
import { startChangedStack } from '../routes.ts';
import { makeKey, type Stack, send } from '../stack.ts';

const wrong = {
  name: { permisions: 'write:things' },
  case: { Permissions: 'write:things' },
  cost: { cost: 'three' },
  open: { public: 'yes' },
  scheme: { scheme: 'powervers' },
  environment: { environment: 'prod' },
  permission: { permissions: 'write:things,' },
};

const routes = [
  ...Object.entries(wrong).map(([name, context]) => ({ prefix: `/wrong/${name}/`, context })),
  { prefix: '/foreign/', context: { 'x-team': 'a', public: 'false' } },
  { prefix: '/closed/', context: { permissions: 'write:things' } },
];

let stack: Stack;
beforeAll(async () => {
  // An operator who lets requests pass while nobody answers means that, and no typo.
  const virtualHost = { public: 'true' };
  stack = await startChangedStack('', {}, { routes, virtualHost, failureModeAllow: true });
});
afterAll(() => stack?.stop());

describe('a route whose context_extensions cannot be read', () => {
  it.each(Object.keys(wrong))('allows no one, with a key or without one: %s', async (name) => {
    const { key } = await makeKey(stack.postern, { permissions: ['write:things'] });
    const reached = stack.echo.requests();
    for (const headers of [[], [['authorization', `Bearer ${key}`]]] as const) {
      const { status, body, headers: answered } = await send(stack.envoy.url, `/wrong/${name}/`, headers);
      expect([status, JSON.parse(body).error.code, answered['retry-after']]).toEqual([
        503,
        'unavailable',
        '1',
      ]);
    }
    expect(stack.echo.requests()).toBe(reached);
  });

  it.each(Object.values(wrong))('is told to Envoy in metadata, with what is wrong: %o', async (context) => {
    const bytes = checkRequest({}, '192.0.2.1', context);
    const answer = await sendCheck(`${stack.postern.check.host}:${stack.postern.check.port}`, bytes);
    expect(answer).toMatchObject({ httpStatus: 503, reason: 'unavailable' });
    expect(answer.misconfigured).toMatch(
      /permisions|Permissions|cost: |public: |scheme: |environment: |permissions: /,
    );
  });

  it("is told in Envoy's access log, with what is wrong", async () => {
    await send(stack.envoy.url, '/wrong/cost/logged');
    const line = await until('Envoy has logged it', () =>
      stack.envoy
        .log()
        .split('\n')
        .find((text) => text.includes('/wrong/cost/logged')),
    );
    expect(JSON.parse(line)).toMatchObject({
      reason: 'unavailable',
      misconfigured: 'cost: expected a whole number from 0 to 1000000000, got "three"',
    });
  });

  it('is counted by member, and told in the log', async () => {
    const metrics = await (await fetch(`${stack.postern.url}/metrics`)).text();
    for (const member of ['unknown', 'cost', 'public', 'scheme', 'environment', 'permissions'])
      expect(metrics).toMatch(new RegExp(`postern_misconfigured_checks_total\\{member="${member}"\\} [1-9]`));
    const told = () => stack.postern.logLines().filter((line) => 'misconfigured' in line);
    await until('the log says so', () => told().length > 0);
    expect(told()).toHaveLength(1);
  });
});

describe('what a virtual host says', () => {
  it('is public for its routes, but not for one that asks for permissions', async () => {
    expect((await send(stack.envoy.url, '/')).status).toBe(200);
    expect((await send(stack.envoy.url, '/closed/')).status).toBe(401);
    const [weak, strong] = [
      await makeKey(stack.postern),
      await makeKey(stack.postern, { permissions: ['write:things'] }),
    ];
    const statusOf = async ({ key }: { key: string }) =>
      (await send(stack.envoy.url, '/closed/', [['authorization', `Bearer ${key}`]])).status;
    expect([await statusOf(weak), await statusOf(strong)]).toEqual([403, 200]);
  });

  it('gives way to a route that says otherwise, and names that begin with x- are for others', async () => {
    expect((await send(stack.envoy.url, '/foreign/')).status).toBe(401);
  });
});
