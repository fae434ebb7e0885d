import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Envoy } from '../../real/envoy.ts';
import { startChangedEnvoy, startChangedStack } from '../routes.ts';
import { admin, makeKey, type Stack, send } from '../stack.ts';

/** The rows of docs/clients.md that no other test is about. */

const routes = [{ prefix: '/wrong/', context: { cost: 'three' } }];
const grpcWeb = {
  name: 'envoy.filters.http.grpc_web',
  typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.grpc_web.v3.GrpcWeb' },
};

let stack: Stack;
let talker: Talker;
/** Takes HTTP/1.0, has the filter for gRPC-Web, and an upstream that speaks WebSocket. */
let wide: Envoy;
let key: string;
beforeAll(async () => {
  [stack, talker] = await Promise.all([startChangedStack('{}', {}, { routes }), startTalker()]);
  wide = await startChangedEnvoy({
    ...{ checkAddress: stack.postern.check, upstreamAddress: talker.address },
    ...{ filters: [grpcWeb], http: { http_protocol_options: { accept_http_10: true } } },
  });
  ({ key } = await makeKey(stack.postern));
});
afterAll(() => Promise.all([wide?.stop(), stack?.stop(), talker?.stop()]));

it('over HTTP/1.1 and HTTP/2 a denial has its status, its body, and the headers that say what to do', async () => {
  const limited = await makeKey(stack.postern, { rate_limit: { limit: 1, window: '3650d' } });
  expect((await send(stack.envoy.url, '/a', bearer(limited.key))).status).toBe(200);
  const cases = [
    { path: '/a', headers: [], status: 401, code: 'missing_api_key', has: 'www-authenticate' },
    { path: '/a', headers: bearer(limited.key), status: 429, code: 'rate_limited', has: 'retry-after' },
    { path: '/wrong/a', headers: bearer(key), status: 503, code: 'unavailable', has: 'retry-after' },
  ] as const;
  for (const { path, headers, status, code, has } of cases)
    for (const answer of [await send(stack.envoy.url, path, headers), await sendHttp2(path, headers)]) {
      expect([answer.status, JSON.parse(answer.body).error.code]).toEqual([status, code]);
      expect(answer.headers).toHaveProperty(has);
    }
});

it('a HEAD that is denied has the status and the headers of the denial, and no body', async () => {
  const denied = await send(stack.envoy.url, '/a', [], 'HEAD');
  expect([denied.status, denied.body]).toEqual([401, '']);
  expect(denied.headers).toHaveProperty('www-authenticate');
  expect((await send(stack.envoy.url, '/a', bearer(key), 'HEAD')).status).toBe(200);
});

it('a WebSocket that is denied reads the denial in place of the upgrade', async () => {
  const upgrade = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
  const answer = await raw('GET /a HTTP/1.1', [...upgrade, 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==']);
  expect(answer).toMatch(/^HTTP\/1\.1 401 /);
  expect(answer).toContain('missing_api_key');
});

it("a WebSocket's client sees that the handshake failed; one with a key talks on, also when its key is revoked", async () => {
  const refused = openWebSocket();
  expect(await refused.opened).toBe(false);
  const made = await makeKey(stack.postern);
  const { socket, opened } = openWebSocket(made.key);
  expect(await opened).toBe(true);
  const say = async (text: string) => {
    const heard = once(socket, 'message');
    socket.send(text);
    const [{ data }] = await heard;
    return data;
  };
  expect(await say('before')).toBe('before');
  await admin(stack.postern, 'DELETE', `/admin/api-keys/${made.id}`);
  expect(await say('after')).toBe('after');
  socket.close();
  expect(await openWebSocket(made.key).opened).toBe(false);
});

it('HTTP/1.0 is told to upgrade by Envoy itself, and asks for no Check', async () => {
  const asked = stack.echo.requests();
  const answer = await raw('GET /a HTTP/1.0', [`Authorization: Bearer ${key}`]);
  expect(answer).toMatch(/^HTTP\/1\.[01] 426 /);
  expect(stack.echo.requests()).toBe(asked);
});

it('HTTP/1.0 is checked as any other where Envoy takes it', async () => {
  const denied = await raw('GET /a HTTP/1.0', [], wide.url);
  expect(denied).toMatch(/^HTTP\/1\.[01] 401 /);
  expect(denied).toContain('missing_api_key');
  const allowed = await raw('GET /a HTTP/1.0', [`Authorization: Bearer ${key}`], wide.url);
  expect(allowed).toMatch(/^HTTP\/1\.[01] 200 /);
});

it("gRPC-Web behind Envoy's filter for it reads status and message as gRPC has them, in headers beside HTTP's status", async () => {
  const body = Buffer.alloc(5);
  const call = (authorization: string, path = '/any.S/M') =>
    fetch(wide.url + path, {
      ...{ method: 'POST', body },
      headers: { 'content-type': 'application/grpc-web+proto', 'x-grpc-web': '1', authorization },
    });
  const denied = await call('Bearer rubbish');
  expect(await denied.text()).toBe('');
  expect(denied.status).toBe(401);
  expect(Object.fromEntries(denied.headers)).toMatchObject({
    ...{ 'content-type': 'application/grpc-web+proto', 'grpc-status': '16' },
    'grpc-message': 'The API key is not valid.',
  });
  const reached = talker.requests();
  await (await call(`Bearer ${key}`)).arrayBuffer();
  expect(talker.requests()).toBe(reached + 1);
});

function bearer(secret: string) {
  return [['authorization', `Bearer ${secret}`]] as const;
}

/** What Envoy answers to these lines, up to its end. */
function raw(line: string, headers: readonly string[], url = stack.envoy.url): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    let text = '';
    socket.setEncoding('utf8');
    socket.on('error', reject);
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (/\r\n\r\n/.test(text) && (text.includes('}}') || text.includes('content-length: 0'))) socket.end();
    });
    socket.on('close', () => resolve(text));
    socket.write(`${[line, 'Host: api.example.com', ...headers].join('\r\n')}\r\n\r\n`);
  });
}

/** As `send` does, over HTTP/2. */
async function sendHttp2(path: string, headers: readonly (readonly [string, string])[]) {
  const session = connectHttp2(stack.envoy.url);
  const failed = once(session, 'error').then(([error]) => Promise.reject(error));
  failed.catch(() => {});
  const stream = session.request({ ':path': path, ...Object.fromEntries(headers) });
  const [answered] = await Promise.race([once(stream, 'response'), failed]);
  stream.setEncoding('utf8');
  let body = '';
  for await (const chunk of stream) body += chunk;
  session.close();
  return { status: Number(answered[':status']), headers: answered as Record<string, unknown>, body };
}

/** The client that Node ships, which browsers have too; `opened` is false where the handshake failed. */
function openWebSocket(secret?: string) {
  const headers = secret === undefined ? {} : { authorization: `Bearer ${secret}` };
  const socket = new WebSocket(wide.url.replace('http', 'ws'), { headers } as never);
  const { promise: opened, resolve } = Promise.withResolvers<boolean>();
  socket.addEventListener('open', () => resolve(true));
  socket.addEventListener('error', () => resolve(false));
  return { socket, opened };
}

interface Talker {
  readonly address: { readonly host: string; readonly port: number };
  requests(): number;
  stop(): Promise<void>;
}

/** An upstream that answers each request with 200, and says what it hears over a WebSocket. */
async function startTalker(): Promise<Talker> {
  let requests = 0;
  const sockets = new Set<Duplex>();
  const server = createServer((request, response) => {
    requests += 1;
    request.resume();
    response.end('{"error":{}}');
  });
  server.on('upgrade', (request, socket) => {
    sockets.add(socket);
    const words = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash('sha1').update(words).digest('base64');
    const head = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket'];
    socket.write(`${[...head, `Sec-WebSocket-Accept: ${accept}`].join('\r\n')}\r\n\r\n`);
    socket.on('error', () => socket.destroy());
    socket.on('data', (frame: Buffer) => socket.write(unmasked(frame)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    requests: () => requests,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** A short frame of a client as a server sends it (RFC 6455, section 5.3): each comes alone, and whole. */
function unmasked(frame: Buffer): Buffer {
  const [mask, text] = [frame.subarray(2, 6), frame.subarray(6)];
  return Buffer.from([frame[0] ?? 0, text.length, ...text.map((byte, at) => byte ^ (mask[at % 4] ?? 0))]);
}
