import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startChangedStack } from '../routes.ts';
import { admin, makeKey, type Stack, send } from '../stack.ts';
import { unknownKey } from '../unknown-key.ts';

const settings = `
mode: observe
schemes: [postern, { name: firm, places: [{ header: X-Firm }], prefixes: { firm_: live },
  accept: { alphabet: A-Za-z0-9, length: 32 }, mint: { alphabet: A-Za-z0-9, length: 32 }, mode: enforce }]
rules:
  - { match: { path: /ruled/* }, mode: enforce }
  - { match: { path: /ruled/not/* }, mode: observe, scheme: firm }
`;

const routes = [
  { prefix: '/enforced/', context: { mode: 'enforce', scheme: 'postern' } },
  { prefix: '/observed/', context: { mode: 'observe', scheme: 'firm' } },
  { prefix: '/firm/', context: { scheme: 'firm' } },
  { prefix: '/write/', context: { permissions: 'write:things', scheme: 'postern' } },
  { prefix: '/wrong/', context: { mode: 'observe', cost: 'three' } },
  { prefix: '/wrong-mode/', context: { mode: 'observed' } },
  { prefix: '/open/', context: { public: 'true' } },
];

let stack: Stack;
beforeAll(async () => {
  stack = await startChangedStack(settings, {}, { routes, http: { access_log: accessLog() } });
});
afterAll(() => stack?.stop());

describe('a request that is only observed', () => {
  it('reaches the upstream as it was sent, with identity for a key that would pass and none otherwise', async () => {
    const made = await makeKey(stack.postern, { owner: 'acme', permissions: ['read:things'] });
    const headers = bearer(made.key, ['x-postern-owner', 'forged'], ['x.postern.key-id', 'forged']);
    const passed = await ask('/a', headers);
    expect(passed.upstream?.headers).toMatchObject({
      authorization: [`Bearer ${made.key}`],
      'x-postern-key-id': [made.id],
      'x-postern-owner': ['acme'],
    });
    expect(passed.upstream?.headers).not.toHaveProperty('x.postern.key-id');
    const denied = await ask('/write/a', headers);
    expect(denied.upstream?.headers).toMatchObject({ authorization: [`Bearer ${made.key}`] });
    expect(Object.keys(denied.upstream?.headers ?? {}).join(' ')).not.toMatch(/postern/);
    for (const sent of [[], bearer('rubbish'), bearer(unknownKey()), [...headers, ...bearer('second')]])
      expect((await ask('/a', sent)).status).toBe(200);
  });

  it('is told of in the metadata: whether, why and with which status it would be denied', async () => {
    const made = await makeKey(stack.postern, { owner: 'acme' });
    await ask('/told/passed', bearer(made.key));
    await ask('/write/told', bearer(made.key));
    await ask('/told/missing');
    await ask('/wrong/told', bearer(made.key));
    const told = (path: string) => expect.poll(() => metadataOf(path));
    await told('/told/passed').toMatchObject({ observed: true, key_id: made.id, owner: 'acme', plan: null });
    const owned = { observed: true, key_id: made.id, owner: 'acme' };
    await told('/write/told').toEqual({ ...owned, reason: 'permission_denied', status: 403 });
    await told('/told/missing').toEqual({ observed: true, reason: 'missing', status: 401 });
    await told('/wrong/told').toMatchObject({ observed: true, reason: 'unavailable', status: 503 });
  });

  it('spends no limit, which holds as before where it is enforced', async () => {
    const made = await makeKey(stack.postern, { rate_limit: { limit: 2, window: '3650d' } });
    for (let times = 0; times < 5; times++) {
      const { status, headers } = await ask('/a', bearer(made.key));
      expect([status, headers['x-ratelimit-limit']]).toEqual([200, undefined]);
    }
    const enforced = async () => (await ask('/enforced/a', bearer(made.key))).status;
    expect([await enforced(), await enforced(), await enforced()]).toEqual([200, 200, 429]);
    expect((await ask('/a', bearer(made.key))).status).toBe(200);
  });

  it('is counted apart, by reason and scheme, and in the use of its key', async () => {
    const before = await counted('observed', 'permission_denied', 'postern');
    const allowedBefore = await counted('allow', '', 'postern');
    const made = await makeKey(stack.postern);
    for (let times = 0; times < 3; times++) await ask('/write/a', bearer(made.key));
    await ask('/a', bearer(made.key));
    await expect.poll(() => counted('observed', 'permission_denied', 'postern')).toBe(before + 3);
    expect(await counted('allow', '', 'postern')).toBe(allowedBefore + 1);
    expect(await counted('deny', 'permission_denied', 'postern')).toBe(0);
    await expect.poll(() => usedBy(made.id)).toEqual({ allowed: 1, denied: 0, observed: 3 });
  });

  it('is counted by owner and by path in the log of requests, beside what would pass', async () => {
    const made = await makeKey(stack.postern, { owner: 'counted' });
    for (const path of ['/write/orders', '/write/orders?page=2', '/write/assets', '/write/orders'])
      await ask(path, bearer(made.key));
    await ask('/a', bearer(made.key));
    await ask('/orders/without-key');
    await expect
      .poll(() => loggedBy('owner=counted&decision=observed'))
      .toEqual({ 'permission_denied 403 /write/orders': 3, 'permission_denied 403 /write/assets': 1 });
    await expect.poll(() => loggedBy('owner=counted&decision=allow')).toEqual({ 'null 200 /a': 1 });
    expect(await loggedBy('owner=counted&decision=deny')).toEqual({});
    await expect
      .poll(() => loggedBy('decision=observed&reason=missing'))
      .toMatchObject({ 'missing 401 /orders/without-key': 1 });
  });

  it('is dry-run so, too', async () => {
    const { key } = await makeKey(stack.postern);
    const verify = async (body: unknown) =>
      ((await admin(stack.postern, 'POST', '/admin/api-keys:verify', body)) as { data: unknown }).data;
    expect(await verify({ key, permissions: ['write:things'] })).toMatchObject({
      ...{ allowed: true, reason: 'permission_denied', status: 403, observed: true },
    });
    expect(await verify({ key, path: '/ruled/a', permissions: ['write:things'] })).toMatchObject({
      allowed: false,
    });
  });
});

it('the narrowest that names a mode holds: the route, the rule, the scheme, the settings', async () => {
  const firm = await makeKey(stack.postern, { scheme: 'firm' });
  await admin(stack.postern, 'DELETE', `/admin/api-keys/${firm.id}`);
  const status = async (path: string, headers: Headers = []) => (await ask(path, headers)).status;
  const ended = [['x-firm', firm.key]] as const;
  expect(await status('/a')).toBe(200);
  expect(await status('/a', ended)).toBe(401);
  expect(await status('/a', [['x-firm', 'rubbish']])).toBe(200);
  expect(await status('/firm/a')).toBe(401);
  expect(await status('/firm/a', [['x-firm', 'rubbish']])).toBe(401);
  expect(await status('/observed/a', ended)).toBe(200);
  expect(await status('/observed/a')).toBe(200);
  expect(await status('/ruled/a')).toBe(401);
  expect(await status('/ruled/not/a', ended)).toBe(200);
  expect(await status('/enforced/a')).toBe(401);
  expect(await status('/wrong-mode/a')).toBe(503);
  expect(await status('/open/a')).toBe(200);
});

it('doctor names what is in observe mode', async () => {
  const { data } = (await admin(stack.postern, 'GET', '/admin/diagnostics')) as {
    data: { findings: { code: string; level: string; what: string }[] };
  };
  const found = data.findings.find(({ code }) => code === 'mode.observe');
  expect(found).toMatchObject({ level: 'info' });
  expect(found?.what).toContain('/ruled/not/*');
});

type Headers = readonly (readonly [name: string, value: string])[];

function ask(path: string, headers: Headers = []) {
  return send(stack.envoy.url, path, headers);
}

function bearer(key: string, ...others: Headers): Headers {
  return [['authorization', `Bearer ${key}`], ...others];
}

async function counted(decision: string, reason: string, scheme: string): Promise<number> {
  const text = await (await fetch(`${stack.postern.url}/metrics`)).text();
  const series = `postern_checks_total{decision="${decision}",reason="${reason}",scheme="${scheme}"} `;
  const line = text.split('\n').find((one) => one.startsWith(series));
  return line === undefined ? 0 : Number(line.slice(series.length));
}

/** How many requests the log has of each reason, status and path. */
async function loggedBy(query: string): Promise<Record<string, number>> {
  const { data } = (await admin(stack.postern, 'GET', `/admin/requests?page_size=1000&${query}`)) as {
    data: { count: number; reason: string | null; status: number; path: string }[];
  };
  const counts: Record<string, number> = {};
  for (const { count, reason, status, path } of data) {
    const name = `${reason} ${status} ${path}`;
    counts[name] = (counts[name] ?? 0) + count;
  }
  return counts;
}

/** In all hours, since one may end under way. */
async function usedBy(id: string) {
  const { data } = (await admin(stack.postern, 'GET', `/admin/api-keys/${id}/usage`)) as {
    data: { buckets: { allowed: number; denied: object; observed: Record<string, number> }[] };
  };
  const sum = (of: (bucket: (typeof data.buckets)[number]) => number) =>
    data.buckets.reduce((all, bucket) => all + of(bucket), 0);
  return {
    allowed: sum(({ allowed }) => allowed),
    denied: sum(({ denied }) => Object.keys(denied).length),
    observed: sum(({ observed }) => observed.permission_denied ?? 0),
  };
}

function metadataOf(path: string): unknown {
  const lines = stack.envoy.log().split('\n');
  const line = lines.find((one) => one.startsWith('{') && JSON.parse(one).path === path);
  if (line === undefined) return undefined;
  // Envoy's own beside what it was told.
  const { ext_authz_duration: _, ...told } = JSON.parse(line).metadata;
  return told;
}

function accessLog() {
  return [
    {
      name: 'stdout',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog',
        log_format: {
          json_format: { path: '%PATH(NQ)%', metadata: '%DYNAMIC_METADATA(envoy.filters.http.ext_authz)%' },
        },
      },
    },
  ];
}
