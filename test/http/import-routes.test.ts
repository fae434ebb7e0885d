import { expect, it } from 'vitest';
import { importBytesMax } from '../../src/http/routes/import-routes.ts';
import { mintSecret } from '../../src/schemes/scheme.ts';
import { version } from '../../src/version.ts';
import { startListener } from './listener.ts';

const path = '/admin/api-keys:import';

async function start() {
  const listener = await startListener();
  const [scheme] = listener.service.schemes;
  const secret = () => mintSecret(scheme, 'live')?.secret.reveal() ?? '';
  return { ...listener, secret };
}

it('takes in keys and says what became of each', async () => {
  const { call, secret } = await start();
  const [one, two] = [secret(), secret()];
  const keys = [
    { secret: one, name: 'a' },
    { secret: one, name: 'b' },
    { name: 'c' },
    { secret: two, name: 'd' },
  ];
  const { status, json } = await call('POST', path, { keys });
  expect(status).toBe(200);
  expect(json).toEqual({
    data: {
      imported: 2,
      duplicates: [1],
      failures: [{ index: 2, field: 'secret', description: 'is required, or sha256' }],
    },
  });
  const listed = (await call('GET', '/admin/api-keys')).json.data;
  expect(listed.map(({ name }: { name: string }) => name)).toEqual(['d', 'a']);
  const judged = await call('POST', '/admin/api-keys:verify', { key: two });
  expect(judged.json.data).toMatchObject({ allowed: true, key_id: listed[0].id });
});

it('takes in none in a dry run', async () => {
  const { call, secret } = await start();
  const keys = [{ secret: secret(), name: 'a' }];
  expect((await call('POST', path, { keys, dry_run: true })).json.data).toMatchObject({ imported: 1 });
  expect((await call('GET', '/admin/api-keys')).json.data).toEqual([]);
});

it('spoils one key alone by a member called __proto__', async () => {
  const { call, secret } = await start();
  const body = `{"keys":[{"secret":"${secret()}","name":"a","__proto__":{"owner":"x"}},{"secret":"${secret()}","name":"b"},
    {"secret":"${secret()}","name":"c","labels":{"__proto__":"x"}}]}`;
  const { json } = await call('POST', path, body);
  expect(json.data.imported).toBe(1);
  expect(json.data.failures.map(({ index, field }: Record<string, unknown>) => [index, field])).toEqual([
    [0, '__proto__'],
    [2, 'labels.__proto__'],
  ]);
  const whole = await call('POST', path, '{"keys":[],"__proto__":{}}');
  expect([whole.status, whole.json.error.details.fields[0].field]).toEqual([400, '__proto__']);
});

it('says what is wrong with a request as a whole', async () => {
  const { call } = await start();
  const faults: [unknown, string][] = [
    ['', '(body)'],
    ['[]', '(body)'],
    ['{"keys":', '(body)'],
    [{}, 'keys'],
    [{ keys: 'x' }, 'keys'],
    [{ keys: [], dryRun: true }, 'dryRun'],
    [{ keys: Array(1_001).fill(0) }, 'keys'],
  ];
  for (const [body, field] of faults) {
    const { status, json } = await call('POST', path, body);
    expect([status, json.error.code, json.error.details.fields[0].field]).toEqual([
      400,
      'INVALID_ARGUMENT',
      field,
    ]);
  }
});

it('refuses who may not import before it looks at what was sent', async () => {
  const { call, create } = await start();
  const { key } = await create({ name: 'reader', scheme: 'postern', permissions: ['admin:read'] });
  for (const body of [{ keys: [] }, 'rubbish']) {
    expect((await call('POST', path, body, { authorization: 'Bearer x' })).status).toBe(401);
    expect((await call('POST', path, body, { authorization: `Bearer ${key}` })).status).toBe(403);
  }
});

it('takes a larger body than other calls do, within its own bound', async () => {
  const { call, secret } = await start();
  const labels = Object.fromEntries(Array.from({ length: 10 }, (_, place) => [`l${place}`, 'x'.repeat(256)]));
  const keys = Array.from({ length: 700 }, () => ({ secret: secret(), name: 'a', labels }));
  const body = JSON.stringify({ keys });
  expect(body.length).toBeGreaterThan(1_048_576);
  expect((await call('POST', path, body)).json.data).toMatchObject({ imported: 700 });
  expect((await call('POST', path, ' '.repeat(importBytesMax + 1))).status).toBe(413);
});

it('answers other methods by naming the one that there is', async () => {
  const { call } = await start();
  const { status, headers } = await call('PUT', path, {});
  expect([status, headers.get('allow')]).toEqual([405, 'POST']);
});

it('says how the service stands to who may read everything, and to nobody else', async () => {
  const { call, create } = await start();
  const reader = await create({ name: 'reader', scheme: 'postern', permissions: ['admin:read'] });
  const bound = await create({
    name: 'bound',
    scheme: 'postern',
    permissions: ['admin:read'],
    owner: 'acme',
  });
  const diagnostics = (key: string) =>
    call('GET', '/admin/diagnostics', undefined, { authorization: `Bearer ${key}` });
  expect((await diagnostics(reader.key)).json).toEqual({
    data: {
      ...{ version, store: 'sqlite' },
      peppers: [{ id: '', keys: 2, configured: true, signing: true }],
      findings: expect.arrayContaining([expect.objectContaining({ code: 'store.memory', level: 'info' })]),
      now: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      store_reachable: true,
      keys: { active: 2, disabled: 0, revoked: 0, expired: 0 },
      replicas: [{ id: 'test-replica', lag_ms: 0 }],
      uptime_s: expect.any(Number),
    },
  });
  expect((await diagnostics(bound.key)).status).toBe(403);
  expect((await diagnostics('x')).status).toBe(401);
});
