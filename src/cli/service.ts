import type { Config } from '../config.ts';
import { configWarnings } from '../config-warnings.ts';
import { createAdminService } from '../grpc/admin-server.ts';
import { CHECK_BYTES_MAX } from '../grpc/check-server.ts';
import { createGrpcListener } from '../grpc/server.ts';
import { createHttpServer } from '../http/server.ts';
import { type Listen, ListenError } from '../listen.ts';
import type { Registry } from '../registry.ts';
import type { Store } from '../store.ts';
import { type Logger, logDenial } from '../telemetry.ts';
import { createCheckListener } from './check-listener.ts';
import { createCore } from './core.ts';
import { createTlsSources } from './tls.ts';

/** All that runs. */
export interface Service {
  readonly store: Store;
  readonly registry: Registry;
  listen(): Promise<{ readonly check: Listen; readonly admin: Listen; readonly http: Listen }>;
  setReady(): void;
  /** Reads again what can change while it runs: the files of TLS. */
  reload(): void;
  close(drainMs: number): Promise<void>;
}

/** Wires everything; nothing is open yet. */
export function createService(config: Config, log: Logger): Service {
  const core = createCore(config, log);
  const { metrics, store, authorize, registry, admin, usage, upgrade, refusals, events, tail, now } = core;
  const onBroken = (error: unknown) => log.error({ err: error }, 'broken');
  const tls = createTlsSources(config, log, now);

  let readiness = { ready: false, why: 'the store has not been reached yet' };
  const check = createCheckListener(
    {
      authorize,
      fallbackScheme: config.schemes[0],
      onDecision(decision, request, durationMs) {
        metrics.observeDecision(decision, durationMs);
        usage.record(decision, request?.address ?? '', now());
        if (decision.verdict === 'deny') events.countFailure(decision.reason, request?.address ?? '');
        logDenial(log, decision, request);
      },
      onBroken,
      unavailableAs: config.check.unavailableAs,
      requestBytesMax: config.check.requestBytesMax,
    },
    {
      tls: tls.check,
      bounds: {
        requestBytesMax: Math.max(config.check.requestBytesMax, CHECK_BYTES_MAX),
        connectionsMax: config.check.connectionsMax,
        connectionAgeMaxMs: config.check.connectionAgeMaxMs,
      },
      reusePort: config.check.reusePort,
    },
  );
  const keyAdmin = createGrpcListener(createAdminService({ admin, now, onBroken }), {
    ...{ requestBytesMax: config.admin.requestBytesMax, tls: tls.admin },
  });
  const http = createHttpServer(
    { admin, githubLeaks: core.githubLeaks, now, isReady: () => readiness, metrics: metrics.scrape, log },
    { listen: config.http.listen, bodyBytesMax: config.http.bodyBytesMax, tls: tls.http },
  );
  const setServing = (serving: boolean) => {
    check.setServing(serving);
    keyAdmin.setServing(serving);
  };

  return {
    store,
    registry,
    async listen() {
      const addresses = {
        check: await check.listen(config.check.listen).catch(nameSetting('check.listen')),
        admin: await keyAdmin.listen(config.admin.listen).catch(nameSetting('admin.listen')),
        http: await http.listen().catch(nameSetting('http.listen')),
      };
      for (const { path, message } of configWarnings(config)) log.warn({ setting: path.join('.') }, message);
      tls.start();
      return addresses;
    },
    setReady() {
      usage.start();
      upgrade.start();
      events.start();
      readiness = { ready: true, why: '' };
      setServing(true);
    },
    reload: tls.reload,
    async close(drainMs) {
      readiness = { ready: false, why: 'the service is stopping' };
      tls.stop();
      setServing(false);
      const eventsStopped = events.stop();
      // Watches last as long as the service otherwise.
      tail.close();
      const drained = performance.now() + drainMs;
      await Promise.all([check.close(drainMs), keyAdmin.close(drainMs)]);
      // Last, so that /readyz says meanwhile that this replica drains.
      await http.close(Math.max(0, drained - performance.now()));
      await Promise.all([usage.stop(), upgrade.stop(), refusals.stop(), eventsStopped]);
      await store.close();
    },
  };
}

function nameSetting(setting: string): (error: unknown) => never {
  return (error) => {
    throw error instanceof ListenError ? new ListenError(`${setting}: ${error.message}`) : error;
  };
}
