import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Counter, Gauge, Registry } from 'prom-client';

/** What a controller tells of itself. */
export interface ControllerMetrics {
  /** What came of a look at one thing. */
  looked(kind: string, result: 'ok' | 'failed'): void;
  /** In the OpenMetrics text format. */
  text(): Promise<string>;
  readonly contentType: string;
}

export function createControllerMetrics(isLeading: () => boolean): ControllerMetrics {
  const registry = new Registry();
  const looks = new Counter({
    name: 'postern_controller_reconciles_total',
    help: 'Looks at ApiKeys, ApiKeyOwners and ApiKeyRoles, by what came of them.',
    labelNames: ['kind', 'result'],
    registers: [registry],
  });
  new Gauge({
    name: 'postern_controller_leading',
    help: 'Whether this controller is the one that works.',
    registers: [registry],
    collect() {
      this.set(isLeading() ? 1 : 0);
    },
  });
  return {
    looked: (kind, result) => looks.inc({ kind, result }),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

export interface Health {
  readonly port: number;
  close(): void;
}

/** Answers `/healthz`, `/readyz` and `/metrics`; rejects where it cannot listen. */
export async function serveHealth(
  listen: { readonly host: string; readonly port: number },
  metrics: ControllerMetrics,
  isStopping: () => boolean,
): Promise<Health> {
  const server: Server = createServer(async (request, response) => {
    const path = request.url?.split('?')[0];
    if (path === '/metrics') {
      response.setHeader('content-type', metrics.contentType).end(await metrics.text());
    } else if (path === '/healthz' || path === '/readyz') {
      const isUp = path === '/healthz' || !isStopping();
      response.statusCode = isUp ? 200 : 503;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ status: isUp ? 'ok' : 'stopping' }));
    } else {
      response.statusCode = 404;
      response.end();
    }
  });
  server.listen(listen.port, listen.host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
