import { expect, it } from 'vitest';
import type { Allowed, Decision, Denied } from '../../src/check/authorize.ts';
import { createCheckReader } from '../../src/grpc/check/check-request.ts';
import { CheckRequest } from '../../src/grpc/gen/envoy/service/auth/v3/external_auth.ts';
import type { CheckedKey } from '../../src/keys/key.ts';
import { readPresets } from '../../src/presets/read.ts';
import type { Reason } from '../../src/schemes/answer.ts';
import { mintSecret, type Scheme } from '../../src/schemes/scheme.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import type { RequestRow, StoredRequest } from '../../src/store/usage/request-log.ts';
import { createRequestLog } from '../../src/usage/requests/request-log.ts';
import { createRequestSink } from '../../src/usage/requests/request-sink.ts';
import { checkBytes } from '../check-bytes.ts';
import { createHold, keyRecord } from '../records.ts';
import { accessRequest } from '../requests.ts';

const noon = Date.UTC(2031, 0, 1, 12);
const schemes = [...readPresets().values()];
const scheme = schemes[0] as Scheme;

function setUp(options: { readonly rowsMax?: number; readonly fails?: () => boolean } = {}) {
  const sent: RequestRow[] = [];
  const dropped: number[] = [];
  const log = createRequestLog(
    {
      async send(rows) {
        if (options.fails?.()) throw new StoreUnavailable('away');
        sent.push(...rows);
      },
      schemes: () => schemes,
      onError() {},
      onLeftOut: (requests) => dropped.push(requests),
    },
    { flushMs: 1_000, ...(options.rowsMax !== undefined && { rowsMax: options.rowsMax }) },
  );
  return { log, sent, dropped };
}

/** Keeps rows by their ids, whatever their minute. */
const storing = (stored: Map<string, StoredRequest>) => ({
  async recordRequests(rows: readonly StoredRequest[]) {
    for (const row of rows)
      stored.set(row.id, { ...row, count: row.count + (stored.get(row.id)?.count ?? 0) });
  },
});

const allowed = (key: CheckedKey) => ({ verdict: 'allow', key, scheme }) as unknown as Allowed;
const denied = (reason: Reason, key: CheckedKey | null = null) =>
  ({ verdict: 'deny', reason, key, scheme, terms: { environment: 'live' } }) as unknown as Denied;
const get = (path: string, more: Parameters<typeof accessRequest>[0] = {}) =>
  accessRequest({ path, ...more });

it('counts the same request within a minute as one row, from its first', async () => {
  const { log, sent } = setUp();
  const key = keyRecord({ owner: 'acme' });
  for (const at of [9_000, 12_000, 59_999, 60_000])
    log.record(allowed(key), get(`/v1/assets?page=${at}`), noon + at);
  await log.flush();
  const row = {
    ...{ key: key.id, owner: 'acme', method: 'GET', host: 'api.example.com', path: '/v1/assets' },
    ...{ address: '192.0.2.1', decision: 'allow', reason: null, status: 200 },
    ...{ scheme: scheme.name, environment: key.environment },
  };
  expect(sent).toEqual([
    { ...row, at: noon + 9_000, count: 3 },
    { ...row, at: noon + 60_000, count: 1 },
  ]);
});

it('keeps apart what differs in method, host, path, address, decision or reason', async () => {
  const { log, sent } = setUp();
  const [one, other] = [keyRecord(), keyRecord()];
  const records: [Decision, Parameters<typeof accessRequest>[0]][] = [
    [allowed(one), { path: '/a' }],
    [allowed(other), { path: '/a' }],
    [allowed(one), { path: '/b' }],
    [allowed(one), { path: '/a', method: 'POST' }],
    [allowed(one), { path: '/a', host: 'other.example.com' }],
    [allowed(one), { path: '/a', address: '192.0.2.2' }],
    [denied('expired', one), { path: '/a' }],
    [denied('revoked', one), { path: '/a' }],
    [{ verdict: 'observe', would: denied('revoked', one) }, { path: '/a' }],
    [denied('missing'), { path: '/a' }],
  ];
  for (let times = 0; times < 3; times++)
    for (const [decision, request] of records) log.record(decision, accessRequest(request), noon);
  await log.flush();
  expect(sent.map(({ count }) => count)).toEqual(records.map(() => 3));
  expect(sent.slice(-4).map(({ decision, reason, status }) => [decision, reason, status])).toEqual([
    ...[
      ['deny', 'expired', 401],
      ['deny', 'revoked', 401],
    ],
    ...[
      ['observed', 'revoked', 401],
      ['deny', 'missing', 401],
    ],
  ]);
  expect(sent.at(-1)).toMatchObject({ key: null, owner: null, environment: 'live' });
});

it('logs what would pass in observe mode as an allow, and nothing of public routes', async () => {
  const { log, sent } = setUp();
  log.record({ verdict: 'observe', would: allowed(keyRecord()) }, get('/'), noon);
  log.record({ verdict: 'public' }, get('/'), noon);
  await log.flush();
  expect(sent.map(({ decision }) => decision)).toEqual(['allow']);
});

it('keeps 200 paths of a key in a minute, and counts the rest in one row without a path', async () => {
  const { log, sent } = setUp();
  const key = keyRecord();
  for (let times = 0; times < 2; times++)
    for (let path = 0; path < 250; path++) log.record(allowed(key), get(`/things/${path}`), noon + times);
  log.record(allowed(keyRecord()), get('/things/249'), noon);
  await log.flush();
  const rows = sent.filter((row) => row.key === key.id);
  expect(rows.filter(({ path }) => path !== null).map(({ count }) => count)).toEqual(new Array(200).fill(2));
  expect(rows.filter(({ path }) => path === null)).toMatchObject([
    { count: 100, method: null, host: null, address: null, decision: 'allow' },
  ]);
  expect(sent).toHaveLength(202);
});

it('holds no more rows than it may, and says how many requests it left out', async () => {
  const { log, sent, dropped } = setUp({ rowsMax: 3 });
  for (let second = 0; second < 10; second++)
    log.record(allowed(keyRecord()), get('/'), noon + second * 5_900);
  await log.flush();
  expect([sent.length, dropped]).toEqual([2, [8]]);
  // In minutes to come they have room, but for what waits.
  for (let minute = 1; minute <= 5; minute++)
    log.record(allowed(keyRecord()), get('/'), noon + minute * 60_000);
  await log.flush();
  expect([sent.length, dropped]).toEqual([5, [8, 2]]);
});

it('takes a tenth of a minute of new rows at once and the others evenly, and one more of a row at any time', async () => {
  const { log, sent, dropped } = setUp({ rowsMax: 1_000 });
  const keys = Array.from({ length: 1_000 }, () => keyRecord());
  const storm = (at: number) => {
    for (const key of keys) log.record(denied('permission_denied', key), get('/'), noon + at);
  };
  const rows = async () => {
    await log.flush();
    return sent.splice(0).map(({ count }) => count);
  };
  storm(0);
  expect(await rows()).toEqual(new Array(100).fill(1));
  storm(2_000);
  storm(2_000);
  expect(await rows()).toEqual(new Array(130).fill(2));
  // A clock that was set back takes nothing away, and gives nothing.
  storm(1_000);
  storm(1_000);
  expect(await rows()).toEqual(new Array(130).fill(2));
  expect(dropped).toEqual([900, 1_740, 1_740]);
});

it('hands on what could not be handed on before, and loses no count', async () => {
  let isAway = true;
  const { log, sent } = setUp({ fails: () => isAway });
  const key = keyRecord();
  log.record(allowed(key), get('/'), noon);
  await log.flush();
  log.record(allowed(key), get('/'), noon);
  isAway = false;
  await log.flush();
  await log.flush();
  expect(sent.map(({ count }) => count)).toEqual([2]);
});

it('gathers nothing while it is off', async () => {
  const { log, sent } = setUp();
  log.setOn(false);
  log.record(allowed(keyRecord()), get('/'), noon);
  log.setOn(true);
  log.record(allowed(keyRecord()), get('/on'), noon);
  await log.flush();
  expect(sent.map(({ path }) => path)).toEqual(['/on']);
});

it('shows a key in a path as its prefix, whatever scheme it is of, and nothing that holds one', async () => {
  const { log, sent } = setUp();
  const shownOf = async (path: string, more: Parameters<typeof accessRequest>[0] = {}) => {
    log.record(denied('unknown'), get(path, more), noon);
    await log.flush();
    return sent.at(-1);
  };
  for (const each of schemes) {
    const secret = mintSecret(each, 'live')?.secret.reveal() ?? '';
    const prefix = each.prefixes.find(({ text }) => secret.startsWith(text))?.text ?? '';
    for (const written of [secret, encodeURIComponent(secret).replace('_', '%5F')]) {
      const row = await shownOf(`/v1/${written}/x?key=${secret}`);
      expect(row?.path).toMatch(new RegExp(`^/v1/${prefix}[^/]{0,4}…/x$`));
    }
    for (const path of [`/v1/a:${secret}/x`, `/v1/${secret}.json/x`])
      expect((await shownOf(path))?.path).not.toContain(secret.slice(prefix.length + 8, -4));
    const host = await shownOf('/', { host: `${secret}.example.com`, method: secret });
    expect(JSON.stringify(host)).not.toContain(secret.slice(prefix.length + 8, -4));
  }
});

it('writes a method, a host and an address down only where they are one, and a path as text that can be shown', async () => {
  const { log, sent } = setUp();
  const shownOf = async (given: Parameters<typeof accessRequest>[0]) => {
    log.record(denied('missing'), accessRequest(given), noon);
    await log.flush();
    return sent.at(-1);
  };
  expect(await shownOf({ method: 'G\nET', host: 'a b', address: '<script>' })).toMatchObject({
    ...{ method: null, host: null, address: null, path: '/' },
  });
  expect(await shownOf({ host: 'API.Example.com:8443' })).toMatchObject({ host: 'api.example.com:8443' });
  expect(await shownOf({ path: '/a\n\u202e/b#c' })).toMatchObject({ path: '/a%0A%E2%80%AE/b' });
  const long = (await shownOf({ path: `/${'abc/'.repeat(1_000)}` }))?.path ?? '';
  expect(long.length).toBeLessThan(1_100);
  expect(long.endsWith('/…')).toBe(true);
});

it('tells requests of Envoy apart by their bytes as it does by their texts', async () => {
  const { log, sent } = setUp();
  const read = createCheckReader();
  const key = keyRecord();
  const paths = ['/a', '/ab', '/a?b', '/a?c', '/ab?', '/é', '/é?x', '/A'];
  for (let times = 0; times < 3; times++)
    for (const path of paths) {
      const message = CheckRequest.decode(checkBytes({}));
      const http = { ...(message.attributes?.request?.http as object), path };
      const attributes = { ...message.attributes, request: { time: undefined, http } };
      const bytes = Buffer.from(CheckRequest.encode({ attributes } as CheckRequest).finish());
      log.record(allowed(key), read(bytes), noon);
    }
  await log.flush();
  expect(sent.map(({ path, count }) => [path, count])).toEqual([
    ...[
      ['/a', 9],
      ['/ab', 6],
      ['/é', 6],
      ['/A', 3],
    ],
  ]);
});

const hold = createHold();

/** As Envoy asks it, of a reader as Checks have it. */
function createAsk() {
  const read = createCheckReader();
  return (path: string, more: { readonly method?: string; readonly host?: string } = {}) => {
    const message = CheckRequest.decode(checkBytes({}));
    const http = { ...(message.attributes?.request?.http as object), path, ...more };
    const attributes = { ...message.attributes, request: { time: undefined, http } };
    return read(Buffer.from(CheckRequest.encode({ attributes } as CheckRequest).finish()));
  };
}

it('finds the rows of a key in memory whatever it had before, and of one that was changed meanwhile', async () => {
  const { log, sent } = setUp();
  const ask = createAsk();
  const records = [keyRecord(), keyRecord({ version: 2 })];
  const held = records.map(hold);
  const paths = Array.from({ length: 12 }, (_, at) => `/v1/${at}`);
  for (const [minute, perPath] of [3, 2].entries())
    for (let times = 0; times < perPath; times++)
      for (const key of times === 1 ? records.map(hold) : held)
        for (const path of paths) {
          log.record(allowed(key), ask(`${path}?${times}`), noon + minute * 60_000);
          log.record(denied('expired', key), ask(path), noon + minute * 60_000);
        }
  await log.flush();
  const counts = (at: number) => sent.filter((row) => row.at === at).map(({ count }) => count);
  expect(counts(noon)).toEqual(new Array(48).fill(3));
  expect(counts(noon + 60_000)).toEqual(new Array(48).fill(2));
  expect(new Set(sent.map(({ key, decision, path }) => `${key} ${decision} ${path}`)).size).toBe(48);
});

it('tells the bytes of method, host and path of a key in memory apart', async () => {
  const { log, sent } = setUp();
  const ask = createAsk();
  const key = hold(keyRecord());
  const asked = [
    ...[ask.bind(null, '/ab', { host: 'c.example' }), ask.bind(null, '/a', { host: 'bc.example' })],
    ...[ask.bind(null, '/ab', { method: 'PUT' }), ask.bind(null, '/ab', { method: 'GET' })],
  ];
  for (let times = 0; times < 3; times++) for (const one of asked) log.record(allowed(key), one(), noon);
  await log.flush();
  expect(sent.map(({ count }) => count)).toEqual([3, 3, 3, 3]);
});

it('counts each request of hundreds of keys in memory with several paths each where it belongs', async () => {
  const { log, sent } = setUp();
  const ask = createAsk();
  const keys = Array.from({ length: 600 }, () => hold(keyRecord()));
  const paths = ['/v1/a', '/v1/b', `/${'v'.repeat(200)}`];
  for (const [minute, times] of [2, 1].entries())
    for (let time = 0; time < times; time++)
      for (const path of paths) {
        const request = ask(`${path}?${time}`);
        for (const key of keys) log.record(allowed(key), request, noon + minute * 60_000);
      }
  await log.flush();
  const counted = sent.map(({ at, key, path, count }) => `${(at - noon) / 60_000} ${key} ${path} ${count}`);
  const expected = [2, 1].flatMap((count, minute) =>
    paths.flatMap((path) => keys.map(({ id }) => `${minute} ${id} ${path} ${count}`)),
  );
  expect(counted.sort()).toEqual(expected.sort());
});

it('keeps 200 paths of a key in memory, and all that come after as one, each counted once', async () => {
  const { log, sent } = setUp();
  const ask = createAsk();
  const key = hold(keyRecord());
  for (let times = 0; times < 3; times++)
    for (let path = 0; path < 230; path++) log.record(allowed(key), ask(`/${path}`), noon);
  await log.flush();
  expect(sent.filter(({ path }) => path !== null).map(({ count }) => count)).toEqual(new Array(200).fill(3));
  expect(sent.filter(({ path }) => path === null).map(({ count }) => count)).toEqual([90]);
});

it('writes no more rows of a minute than a replica may, and says how many requests it left out', async () => {
  const stored = new Map<string, StoredRequest>();
  const dropped: number[] = [];
  const sink = createRequestSink({ store: storing(stored), onLeftOut: (left) => dropped.push(left) }, 3);
  const keys = Array.from({ length: 5 }, () => keyRecord());
  for (let minute = 0; minute < 4; minute++) {
    const { log, sent } = setUp();
    for (const key of [...keys, ...keys]) log.record(allowed(key), get('/'), noon + minute * 60_000);
    await log.flush();
    for (let worker = 0; worker < 2; worker++) await sink.record(sent);
  }
  expect([...stored.values()].map(({ count }) => count)).toEqual(new Array(3).fill(16));
  expect(dropped).toEqual([8]);
  // And what its workers say of themselves.
  sink.leaveOut(5);
  expect(dropped).toEqual([8, 5]);
});

it('counts the paths of a key over all workers of a replica', async () => {
  const stored = new Map<string, StoredRequest>();
  const sink = createRequestSink({ store: storing(stored), onLeftOut() {} });
  const key = keyRecord();
  for (const from of [0, 150]) {
    const { log, sent } = setUp();
    for (let path = from; path < from + 150; path++) log.record(allowed(key), get(`/${path}`), noon);
    await log.flush();
    await sink.record(sent);
  }
  const rows = [...stored.values()];
  expect(rows).toHaveLength(201);
  expect(rows.filter(({ path }) => path === null)).toMatchObject([{ count: 100 }]);
});
