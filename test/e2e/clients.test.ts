import { connect } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startChangedStack } from './routes.ts';
import { makeKey, type Stack, send } from './stack.ts';

let stack: Stack;
let key: string;
beforeAll(async () => {
  stack = await startChangedStack('{}');
  ({ key } = await makeKey(stack.postern));
});
afterAll(() => stack?.stop());

it('a HEAD that is denied has the status and the headers of the denial, and no body', async () => {
  const denied = await send(stack.envoy.url, '/a', [], 'HEAD');
  expect([denied.status, denied.body]).toEqual([401, '']);
  expect(denied.headers).toHaveProperty('www-authenticate');
  expect((await send(stack.envoy.url, '/a', [['authorization', `Bearer ${key}`]], 'HEAD')).status).toBe(200);
});

it('a WebSocket that is denied reads the denial in place of the upgrade', async () => {
  const upgrade = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
  const answer = await raw('GET /a HTTP/1.1', [...upgrade, 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==']);
  expect(answer).toMatch(/^HTTP\/1\.1 401 /);
  expect(answer).toContain('missing_api_key');
});

it('HTTP/1.0 is told to upgrade by Envoy itself, and asks for no Check', async () => {
  const asked = stack.echo.requests();
  const answer = await raw('GET /a HTTP/1.0', [`Authorization: Bearer ${key}`]);
  expect(answer).toMatch(/^HTTP\/1\.[01] 426 /);
  expect(stack.echo.requests()).toBe(asked);
});

/** What Envoy answers to these lines, up to its end. */
function raw(line: string, headers: readonly string[]): Promise<string> {
  const { hostname, port } = new URL(stack.envoy.url);
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
