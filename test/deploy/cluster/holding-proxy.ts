import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What stands between a caller and an HTTP service, and can keep a call or its answer. */
export interface HoldingProxy {
  readonly url: string;
  /**
   * Keeps the next call that fits, for good: before the service has it, or when the service has answered. Resolves
   * once it is kept.
   */
  hold(moment: 'call' | 'answer', fits: (method: string, path: string) => boolean): Promise<void>;
  stop(): Promise<void>;
}

interface Held {
  readonly moment: 'call' | 'answer';
  readonly fits: (method: string, path: string) => boolean;
  readonly onHeld: () => void;
}

export async function startHoldingProxy(target: string): Promise<HoldingProxy> {
  let wanted: Held | null = null;

  const server = createServer((incoming, outgoing) => {
    const { method = 'GET', url: path = '/' } = incoming;
    const held = wanted?.fits(method, path) ? wanted : null;
    if (held !== null) wanted = null;
    if (held?.moment === 'call') {
      held.onHeld();
      return;
    }
    const onward = request(
      target + path,
      { method, headers: incoming.headers },
      (answer: IncomingMessage) => {
        if (held !== null) {
          answer.resume();
          answer.on('end', held.onHeld);
          return;
        }
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.on('error', () => outgoing.destroy());
        answer.pipe(outgoing);
      },
    );
    onward.on('error', () => outgoing.destroy());
    outgoing.on('close', () => onward.destroy());
    incoming.pipe(onward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hold: (moment, fits) =>
      new Promise((resolve) => {
        wanted = { moment, fits, onHeld: resolve };
      }),
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
