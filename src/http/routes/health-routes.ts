import type { FastifyInstance } from 'fastify';

export interface HealthDependencies {
  /** Whether requests may be sent here; `why` says what is missing, and is shown to anyone. */
  readonly isReady: () => { readonly ready: boolean; readonly why: string };
  /** The metrics in Prometheus' text format. */
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
}

/** What Kubernetes and Prometheus ask for. None of it needs a key. */
export function addHealthRoutes(app: FastifyInstance, { isReady, metrics }: HealthDependencies): void {
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/readyz', async (_, reply) => {
    const { ready, why } = isReady();
    if (ready) return { status: 'ready' };
    reply.code(503);
    return { status: 'not ready', reason: why };
  });
  app.get('/metrics', async (_, reply) => {
    const { contentType, text } = await metrics();
    reply.type(contentType);
    return text;
  });
}
