import { once } from 'node:events';
import { connect } from 'node:net';
import { onTestFinished } from 'vitest';
import { createHttpServer, type HttpDependencies, type HttpOptions } from '../../src/http/server.ts';
import { createTestService, type TestService, type TestServiceOptions } from '../service.ts';

/** A real HTTP listener on a port of its own, over a whole core, until the test ends. */
export interface TestListener {
  readonly service: TestService;
  readonly base: string;
  readonly port: number;
  /** Every line that was logged, as JSON. */
  readonly logged: { level: string; message: string; [field: string]: unknown }[];
  close(): Promise<void>;
  /** A call with all rights; a body that is no string goes as JSON. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply>;
  /** Makes a key and returns what the service answers. */
  create(wanted?: Record<string, unknown>): Promise<{ id: string; key: string; [field: string]: unknown }>;
}

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into JSON of every shape.
  readonly json: any;
}

export async function startListener(
  given: Partial<HttpDependencies> | ((service: TestService) => Partial<HttpDependencies>) = {},
  options: Partial<HttpOptions> = {},
  ofService: TestServiceOptions = {},
): Promise<TestListener> {
  const service = await createTestService(ofService);
  const logged: TestListener['logged'] = [];
  const log = (level: string) => (fields: object, message: string) => {
    logged.push({ level, message, ...fields });
  };
  const server = createHttpServer(
    {
      admin: service.admin,
      holder: { holder: service.holder, settings: { read: true, revoke: true, rotate: true } },
      now: () => service.clock.now,
      isReady: () => ({ ready: true, why: '' }),
      metrics: async () => ({ contentType: 'text/plain; version=0.0.4; charset=utf-8', text: 'up 1\n' }),
      jwks: () => ({ keys: [] }),
      log: { debug: log('debug'), warn: log('warn'), error: log('error') },
      ...(typeof given === 'function' ? given(service) : given),
    },
    { listen: { kind: 'tcp', host: '127.0.0.1', port: 0 }, ...options },
  );
  const address = await server.listen();
  let closing: Promise<void> | null = null;
  const close = () => {
    service.tail.close();
    closing ??= server.close(5_000);
    return closing;
  };
  onTestFinished(async () => {
    await close();
    await service.store.close();
  });
  const port = address.kind === 'tcp' ? address.port : 0;
  const base = `http://127.0.0.1:${port}`;

  async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    const response = await fetch(base + path, {
      method,
      headers: { authorization: service.adminAuthorization, ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      text,
      json: text.startsWith('{') ? JSON.parse(text) : null,
    };
  }

  return {
    service,
    base,
    port,
    logged,
    close,
    call,
    create: async (wanted = { name: 'a key' }) => (await call('POST', '/admin/api-keys', wanted)).json.data,
  };
}

/** Sends bytes as they are and returns everything that comes back until the other side closes. */
export async function sendRaw(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => socket.destroy());
  let received = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    received += chunk;
  });
  socket.write(text);
  await once(socket, 'close');
  return received;
}
