import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the upstream was sent. */
export interface Echoed {
  readonly method: string;
  readonly url: string;
  /** By lower-case name, every value that arrived, in order. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
}

export interface Echo {
  readonly url: string;
  readonly address: { readonly host: string; readonly port: number };
  /** How many requests have reached it. */
  requests(): number;
  /** The last request that reached it. */
  last(): Echoed | undefined;
  stop(): Promise<void>;
}

/** Starts an upstream on 127.0.0.1 that answers every request with 200 and an `Echoed` in JSON. */
export async function startEcho({ port = 0 }: { port?: number } = {}): Promise<Echo> {
  let requests = 0;
  let last: Echoed | undefined;
  const server = createServer((request, response) => {
    requests += 1;
    last = { method: request.method ?? '', url: request.url ?? '', headers: gather(request.rawHeaders) };
    request.resume();
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify(last)}\n`);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');

  const address = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  return {
    url: `http://${address.host}:${address.port}`,
    address,
    requests: () => requests,
    last: () => last,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function gather(rawHeaders: readonly string[]): Record<string, string[]> {
  const headers: Record<string, string[]> = Object.create(null);
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase();
    headers[name] = [...(headers[name] ?? []), rawHeaders[index + 1] ?? ''];
  }
  return headers;
}
