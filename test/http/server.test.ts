import { once } from 'node:events';
import { mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createHttpServer } from '../../src/http/server.ts';
import { sendRaw, startListener } from './listener.ts';

it('is healthy and ready without a key', async () => {
  const { base } = await startListener();

  const healthy = await fetch(`${base}/healthz`);
  const ready = await fetch(`${base}/readyz`);

  expect([healthy.status, await healthy.json()]).toEqual([200, { status: 'ok' }]);
  expect([ready.status, await ready.json()]).toEqual([200, { status: 'ready' }]);
  expect(healthy.headers.get('x-content-type-options')).toBe('nosniff');
});

it('says why it is not ready', async () => {
  const { base } = await startListener({ isReady: () => ({ ready: false, why: 'draining' }) });

  const ready = await fetch(`${base}/readyz`);

  expect([ready.status, await ready.json()]).toEqual([503, { status: 'not ready', reason: 'draining' }]);
});

it('serves the metrics in the type that they come in', async () => {
  const { base } = await startListener();

  const scraped = await fetch(`${base}/metrics`);

  expect(scraped.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(await scraped.text()).toBe('up 1\n');
});

it('answers HEAD where it answers GET', async () => {
  const { base } = await startListener();

  for (const path of ['/healthz', '/readyz', '/metrics']) {
    const answered = await fetch(base + path, { method: 'HEAD' });
    expect([path, answered.status, await answered.text()]).toEqual([path, 200, '']);
  }
});

it('answers 404 in the shape of every error for a path that it does not know', async () => {
  const { call } = await startListener();

  for (const path of ['/', '/admin', '/admin/', '/healthz/', '/ADMIN/api-keys', '/a?b']) {
    const missing = await call('GET', path);
    expect([path, missing.status]).toEqual([path, 404]);
    expect(missing.json.error).toMatchObject({ code: 'NOT_FOUND', details: { reason: 'PATH_NOT_FOUND' } });
  }
});

it.each([
  ['PUT', '/admin/api-keys', 'GET, HEAD, POST'],
  ['PUT', '/admin/api-keys/key_a', 'DELETE, GET, HEAD, PATCH'],
  ['GET', '/admin/api-keys:verify', 'POST'],
  ['PROPFIND', '/admin/api-keys/key_a/disable', 'POST'],
  ['OPTIONS', '/healthz', 'GET, HEAD'],
  ['OPTIONS', '/admin/api-keys/?page_size=1#top', 'DELETE, GET, HEAD, PATCH'],
  ['DELETE', '/admin/api-keys/key%5Fa:charge', 'POST'],
])('answers 405 with Allow to %s %s', async (method, path, allowed) => {
  const { call } = await startListener();

  const refused = await call(method, path);

  expect([refused.status, refused.headers.get('allow')]).toEqual([405, allowed]);
  expect(refused.json.error.details).toEqual({ reason: 'METHOD_NOT_ALLOWED' });
});

it('lets nothing under /admin be stored on the way', async () => {
  const { call, port } = await startListener();

  for (const path of ['/admin/api-keys', '/admin/nothing', '/admin/api-keys/x', '/admin/api-keys:verify']) {
    expect((await call('GET', path)).headers.get('cache-control')).toBe('no-store');
  }
  const bad = await sendRaw(port, 'GET /admin/api-keys/%zz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  expect(bad).toMatch(/^HTTP\/1.1 400 /);
  expect(bad).toMatch(/cache-control: no-store/i);
  expect(bad).toContain('"MALFORMED_REQUEST"');
});

it('answers 413 to a body past the limit, announced or not', async () => {
  const { call, base, service } = await startListener({}, { bodyBytesMax: 100 });

  const announced = await call('POST', '/admin/api-keys', 'x'.repeat(101));
  const chunked = await fetch(`${base}/admin/api-keys`, {
    method: 'POST',
    headers: { authorization: service.adminAuthorization },
    body: new Blob(['x'.repeat(101)]).stream(),
    duplex: 'half',
  });

  expect([announced.status, chunked.status]).toEqual([413, 413]);
  expect(announced.json.error).toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
    details: { reason: 'BODY_TOO_LARGE' },
  });
});

it.each([
  ['rubbish', 'rubbish\r\n\r\n', 400],
  ['a header without a colon', 'GET / HTTP/1.1\r\nHost: a\r\nrubbish\r\n\r\n', 400],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
  ['two lengths', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 400],
  ['huge headers', `GET / HTTP/1.1\r\nHost: a\r\nA: ${'b'.repeat(20_000)}\r\n\r\n`, 431],
])('answers what is no request and hangs up: %s', async (_, text, status) => {
  const { port } = await startListener();

  const raw = await sendRaw(port, text);

  expect(raw).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
});

it('logs one line for a request, without what the client sent', async () => {
  const { call, logged, close } = await startListener();

  await call('GET', '/admin/api-keys/key_secret?owner=hush', undefined, { 'x-hush': 'hush' });
  await call('GET', '/hush');
  await close();

  expect(logged.filter(({ level }) => level === 'debug')).toEqual([
    {
      level: 'debug',
      message: 'HTTP request',
      method: 'GET',
      route: '/admin/api-keys/:id',
      status: 404,
      ms: expect.any(Number),
    },
    {
      level: 'debug',
      message: 'HTTP request',
      method: 'GET',
      route: null,
      status: 404,
      ms: expect.any(Number),
    },
  ]);
});

it('does not call a caller who hangs up in the middle of a body broken', async () => {
  const { port, logged, close } = await startListener();
  const caller = connect(port, '127.0.0.1');
  // The service answers "continue" when it has begun to read the body.
  caller.write(
    'POST /admin/api-keys HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n{',
  );
  await once(caller, 'data');

  caller.destroy();
  await close();

  expect(logged.filter(({ level }) => level !== 'debug')).toEqual([]);
});

it('finishes what is in flight when it closes, and then keeps no connection', async () => {
  let answer = () => {};
  let asked = () => {};
  const isAsked = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const metrics = () =>
    new Promise<{ contentType: string; text: string }>((resolve) => {
      answer = () => resolve({ contentType: 'text/plain', text: 'late' });
      asked();
    });
  const { port, close } = await startListener({ metrics });
  const idle = connect(port, '127.0.0.1');
  await once(idle, 'connect');
  const agent = new Agent({ keepAlive: true });
  const sent = request({ port, path: '/metrics', agent }).end();
  await isAsked;

  const closed = close();
  answer();
  const [response] = await once(sent, 'response');
  const chunks = await response.toArray();
  await closed;
  agent.destroy();

  expect([response.statusCode, Buffer.concat(chunks).toString()]).toEqual([200, 'late']);
  await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow();
});

it('cuts off what is still in flight when the time to drain is over', async () => {
  let asked = () => {};
  const isAsked = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const server = createHttpServer(
    {
      ...(await silentDependencies()),
      metrics: () => {
        asked();
        return new Promise(() => {});
      },
    },
    { listen: { kind: 'tcp', host: '127.0.0.1', port: 0 } },
  );
  const address = await server.listen();
  const sent = fetch(`http://127.0.0.1:${address.kind === 'tcp' ? address.port : 0}/metrics`);
  const cut = expect(sent).rejects.toThrow();
  await isAsked;

  await server.close(1);

  await cut;
});

it('listens on a Unix socket that a crash left behind, open to every user', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'postern-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'http.sock');
  await leaveSocket(path);
  const server = createHttpServer(await silentDependencies(), { listen: { kind: 'unix', path } });
  const other = createHttpServer(await silentDependencies(), { listen: { kind: 'unix', path } });

  expect(await server.listen()).toEqual({ kind: 'unix', path });
  expect((await stat(path)).mode & 0o777).toBe(0o666);
  await expect(other.listen()).rejects.toThrow(`unix:${path} is taken`);
  const [response] = await once(request({ socketPath: path, path: '/healthz' }).end(), 'response');
  response.resume();
  await server.close(1_000);

  expect(response.statusCode).toBe(200);
});

it('says which address is taken', async () => {
  const { port } = await startListener();
  const listen = { kind: 'tcp', host: '127.0.0.1', port } as const;

  const second = createHttpServer(await silentDependencies(), { listen });

  await expect(second.listen()).rejects.toThrow(`127.0.0.1:${port} is taken: another process listens there`);
});

async function silentDependencies() {
  const { service } = await startListener();
  const log = { debug() {}, warn() {}, error() {} };
  return {
    admin: service.admin,
    now: () => service.clock.now,
    isReady: () => ({ ready: true, why: '' }),
    metrics: async () => ({ contentType: 'text/plain', text: '' }),
    log,
  };
}

/** Node unlinks a socket that it closes, but not one that goes by another name by then. */
async function leaveSocket(path: string): Promise<void> {
  const server = createServer().listen(`${path}.old`);
  await once(server, 'listening');
  await rename(`${path}.old`, path);
  server.close();
  await once(server, 'close');
}
