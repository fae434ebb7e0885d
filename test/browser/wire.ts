import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A line between a browser and a server, which keeps all that goes over it, both ways, as it went. */
export interface Wire {
  /** Where the browser is to go. */
  readonly url: string;
  /** All since the last {@link forget}, a byte in each character. */
  text(): string;
  forget(): void;
  stop(): Promise<void>;
}

/** Listens on 127.0.0.1 and passes everything on to the server at this URL. */
export async function startWire(target: string): Promise<Wire> {
  const { hostname, port } = new URL(target);
  let kept: Buffer[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('data', (chunk: Buffer) => {
        kept.push(chunk);
        to.write(chunk);
      });
      from.on('end', () => to.end());
      from.on('error', () => to.destroy());
      from.on('close', () => sockets.delete(from));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    text: () => Buffer.concat(kept).toString('latin1'),
    forget() {
      kept = [];
    },
    async stop() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
