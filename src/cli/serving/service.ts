import type { Registry } from '../../changes/registry.ts';
import { createAdminService } from '../../grpc/admin/admin-server.ts';
import { CHECK_BYTES_MAX } from '../../grpc/check/check-server.ts';
import { createGrpcListener } from '../../grpc/server.ts';
import { type Listen, ListenError } from '../../net/listen.ts';
import type { Config } from '../../settings/config.ts';
import { configWarnings } from '../../settings/config-warnings.ts';
import type { Store } from '../../store/store.ts';
import { troubleWords } from '../../store/trouble.ts';
import { type ConnectionCounts, createConnectionCounts } from '../../telemetry/connection-counts.ts';
import { createDecisionLog } from '../../telemetry/decision-log.ts';
import type { Logger, Metrics } from '../../telemetry/telemetry.ts';
import { createClockWatch } from '../../time/clock-watch.ts';
import { untilAborted } from '../../time/until-aborted.ts';
import { createCheckListener } from './check-listener.ts';
import { createCore, monotonic } from './core.ts';
import { createHttpListener } from './http-listener.ts';
import { tellOfVanished } from './policy-changes.ts';
import { createTlsSources, type TlsSources } from './tls.ts';
import type { OpenTracing } from './tracing.ts';

/** All that runs. */
export interface Service {
  readonly store: Store;
  readonly registry: Registry;
  /** Opens all listeners but that of Checks. */
  listen(): Promise<{ readonly admin: Listen; readonly http: Listen }>;
  /** To be called when Checks can be answered: until then Envoy finds the port closed, and asks another replica. */
  listenForChecks(): Promise<Listen>;
  setReady(): void;
  /** Puts in place, at once and whole, what of the settings can change while it runs. Throws, and changes nothing. */
  apply(config: Config): void;
  /** Counts a reading of the settings while it runs. */
  countReload(isSuccess: boolean): void;
  /** Reads the files of TLS again. */
  reloadTls(): void;
  close(drainMs: number): Promise<void>;
}

const storeIsLost = { ready: false, why: troubleWords.lost };

/** How long the store may take for what is left to write at the end: it is closed after it, whatever is left. */
const lastWritesMsMax = 4_000;

/** Wires everything; nothing is open yet. */
export function createService(config: Config, log: Logger, open: OpenTracing | null): Service {
  const tracing = open?.tracing ?? null;
  const core = createCore(config, log, tracing);
  const { metrics, store, authorize, registry, admin, usage, upgrade, refusals, events, tail, now } = core;
  const onBroken = (error: unknown) => log.error({ err: error }, 'broken');
  const tls = createTlsSources(config, {
    log,
    now,
    count: (isSuccess) => metrics.countReload('tls', isSuccess),
  });

  const logDecision = createDecisionLog({ log, random: Math.random, monotonic }, config.allowsSampleRatio);
  const counts = createConnectionCounts();

  const isReady = () => (readiness.ready && core.isStoreLost() ? storeIsLost : readiness);
  let readiness = { ready: false, why: 'the store has not been reached yet' };
  const check = createCheckListener(
    {
      authorize,
      fallbackScheme: () => core.judges.policy().schemes[0],
      onDecision(decision, request, durationMs, span) {
        metrics.observeDecision(decision, durationMs);
        usage.record(decision, request?.address ?? '', now());
        if (decision.verdict === 'deny') events.countFailure(decision.reason, request?.address ?? '');
        logDecision(decision, request, span);
      },
      onBroken,
      tracing,
      unavailableAs: config.check.unavailableAs,
      requestBytesMax: config.check.requestBytesMax,
    },
    { ...checkOptions(config, log), tls: tls.check, counts },
  );
  showProcess(metrics, counts, tls);
  const stopping = new AbortController();
  const clockWatch = createClockWatch({
    ...{ now, monotonic },
    onStep: (byMs) => log.warn({ by_ms: byMs }, 'the system clock was set: expiry and rate limits follow it'),
  });
  const keyAdmin = createGrpcListener(
    createAdminService({ admin, now, onBroken, stopping: stopping.signal }),
    {
      ...{ requestBytesMax: config.admin.requestBytesMax, tls: tls.admin },
    },
  );
  const http = createHttpListener(config, { core, log, isReady, tls: tls.http });
  const setServing = (serving: boolean) => {
    check.setServing(serving);
    keyAdmin.setServing(serving);
  };

  return {
    store,
    registry,
    async listen() {
      const addresses = {
        admin: await keyAdmin.listen(config.admin.listen).catch(nameSetting('admin.listen')),
        http: await http.listen().catch(nameSetting('http.listen')),
      };
      for (const { path, message } of configWarnings(config)) log.warn({ setting: path.join('.') }, message);
      tls.start();
      return addresses;
    },
    listenForChecks: () => check.listen(config.check.listen).catch(nameSetting('check.listen')),
    setReady() {
      clockWatch.start();
      usage.start();
      upgrade.start();
      events.start();
      readiness = { ready: true, why: '' };
      setServing(true);
    },
    apply(next) {
      const before = core.judges.policy();
      core.judges.replace(next);
      log.level = next.logLevel;
      void tellOfVanished({ store, log, now }, before, core.judges.policy());
    },
    countReload: (isSuccess) => metrics.countReload('settings', isSuccess),
    reloadTls: tls.reload,
    async close(drainMs) {
      readiness = { ready: false, why: 'the service is stopping' };
      tls.stop();
      setServing(false);
      const eventsStopped = events.stop();
      // Most of it is written while calls are still under way.
      void usage.flush();
      stopping.abort();
      clockWatch.stop();
      // Watches last as long as the service otherwise.
      tail.close();
      const drained = performance.now() + drainMs;
      await Promise.all([check.close(drainMs), keyAdmin.close(drainMs)]);
      // Last, so that /readyz says meanwhile that this replica drains.
      await http.close(Math.max(0, drained - performance.now()));
      const late = AbortSignal.timeout(lastWritesMsMax);
      const others = Promise.all([upgrade.stop(), refusals.stop(), eventsStopped]);
      await Promise.all([usage.stop(late).then(() => events.end(late)), untilAborted(late, others)]);
      await store.close();
      await open?.close();
    },
  };
}

function showProcess(metrics: Metrics, counts: ConnectionCounts, tls: TlsSources): void {
  metrics.showConnections(counts);
  metrics.showCertificates(() =>
    (['check', 'admin', 'http'] as const).flatMap((listener) => {
      const source = tls[listener];
      return source === null ? [] : [{ listener, validTo: source.material.validTo }];
    }),
  );
  metrics.showProcess();
}

function checkOptions({ check }: Config, log: Logger) {
  const { requestBytesMax, connectionsMax, connectionAgeMaxMs, reusePort } = check;
  return {
    bounds: {
      requestBytesMax: Math.max(requestBytesMax, CHECK_BYTES_MAX),
      ...{ connectionsMax, connectionAgeMaxMs },
    },
    onFull() {
      const fields = { connections_max: connectionsMax };
      log.warn(fields, 'check.connections_max is reached: a new connection for Checks was closed');
    },
    reusePort,
  };
}

function nameSetting(setting: string): (error: unknown) => never {
  return (error) => {
    throw error instanceof ListenError ? new ListenError(`${setting}: ${error.message}`) : error;
  };
}
