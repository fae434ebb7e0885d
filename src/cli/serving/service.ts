import { randomBytes } from 'node:crypto';
import { availableParallelism, hostname } from 'node:os';
import type { Registry } from '../../changes/registry.ts';
import { createForwardServer, type ForwardServer } from '../../forward/forward.ts';
import { createAdminService } from '../../grpc/admin/admin-server.ts';
import { createHolderService } from '../../grpc/holder/holder-server.ts';
import { createGrpcListener } from '../../grpc/server.ts';
import { createIdentityKeys, type IdentityKeys } from '../../identity/identity.ts';
import { type Listen, ListenError } from '../../net/listen.ts';
import type { TlsSource } from '../../net/tls.ts';
import { sentConfigOf } from '../../settings/check-config.ts';
import type { Config } from '../../settings/config.ts';
import { configWarnings } from '../../settings/config-warnings.ts';
import type { Store } from '../../store/store.ts';
import { troubleWords } from '../../store/trouble.ts';
import type { Logger } from '../../telemetry/log.ts';
import type { Metrics } from '../../telemetry/telemetry.ts';
import { createClockWatch } from '../../time/clock-watch.ts';
import { untilAborted } from '../../time/until-aborted.ts';
import { createCore, monotonic } from './core.ts';
import { createHttpListener } from './http-listener.ts';
import { warnAboutRemoved } from './policy-changes.ts';
import { createSharers } from './sharers.ts';
import type { CreateStore } from './store.ts';
import { createTlsSources, type TlsSources } from './tls.ts';
import type { OpenTracing, TellLost } from './tracing.ts';
import { type CheckWorkers, createCheckWorkers } from './workers/check-workers.ts';
import { createLeasing, type Leasing } from './workers/leasing.ts';
import { serviceAnswers } from './workers/service-answers.ts';

/** All that runs. */
export interface Service {
  readonly store: Store;
  readonly registry: Registry;
  /** Opens all listeners but that of Checks. */
  listen(): Promise<{ readonly admin: Listen; readonly http: Listen }>;
  /** To be called when Checks can be answered: until then Envoy finds the port closed, and asks another replica. */
  listenForChecks(): Promise<{ readonly check: Listen; readonly http_check?: Listen }>;
  setReady(): void;
  /**
   * Puts in place, at once and whole, what of the settings can change while it runs; resolves when Checks are judged by
   * them. Rejects, and changes nothing, where that cannot be.
   */
  apply(config: Config): Promise<void>;
  /** Counts a reading of the settings while it runs. */
  countReload(isSuccess: boolean): void;
  /** Reads the files of TLS again. */
  reloadTls(): void;
  close(drainMs: number): Promise<void>;
}

const nobodyAnswers = { ready: false, why: 'nobody answers Checks' };
const storeIsLost = { ready: false, why: troubleWords.lost };

/** How long the store may take for what is left to write at the end: it is closed after it, whatever is left. */
const lastWritesMsMax = 4_000;

export interface ServiceDependencies {
  readonly createStore: CreateStore;
  readonly log: Logger;
  /** Writes lines of the log of those who answer Checks. */
  readonly writeLines: (lines: string) => void;
  readonly open: OpenTracing | null;
  /** Told of spans that were lost, by those who answer Checks. */
  readonly tellLost: TellLost;
}

/** Wires everything; nothing is open yet, and those who answer Checks begin to start. */
export function createService(
  config: Config,
  { createStore, log, open, tellLost, writeLines }: ServiceDependencies,
): Service {
  const tracing = open?.tracing ?? null;
  const replicaId = config.replicaId ?? `${hostname()}-${randomBytes(4).toString('hex')}`;
  const limiters = {
    held: (...asked: Parameters<Leasing['held']>) => leasing.held(...asked),
    charged: (...told: Parameters<Leasing['charged']>) => leasing.charged(...told),
  };
  let openAt: Listen | null = null;
  const httpAt = () => openAt;
  const core = createCore(config, { createStore, log, tracing, replicaId, limiters, httpAt });
  const { metrics, store, registry, admin, usage, upgrade, refusals, events, told, tail, now } = core;
  const onBroken = (error: unknown) => log.error({ err: error }, 'broken');
  const tls = createTlsSources(config, {
    log,
    now,
    count: (isSuccess) => metrics.countReload('tls', isSuccess),
  });
  const count = config.processes === 'auto' ? availableParallelism() : config.processes;
  const sharers = createSharers(store, count);
  const workers = createCheckWorkers({
    ...{ log, told, tellLost, replicaId, tls: tls.check },
    settings: sentConfigOf(config),
    count,
    reusePort: config.check.reusePort,
    answersFor: (worker) => serviceAnswers({ ...core, leasing, sharers: sharers.count, writeLines }, worker),
  });
  const leasing = createLeasing(
    { store, workers, replicas: sharers.replicas, now },
    { count, windowsMax: config.memory.spendersMax },
  );

  const isReady = () => {
    if (readiness.ready && core.isStoreLost()) return storeIsLost;
    return readiness.ready && !workers.isThere() ? nobodyAnswers : readiness;
  };
  let readiness = { ready: false, why: 'the store has not been reached yet' };
  showProcess(metrics, workers, tls);
  const stopping = new AbortController();
  const clockWatch = createClockWatch({
    ...{ now, monotonic },
    onStep: (byMs) => log.warn({ by_ms: byMs }, 'the system clock was set: expiry and rate limits follow it'),
  });
  const keyHolder = createHolderService({ holder: core.holder, now, onBroken }, config.holder);
  const keyAdmin = createAdminService({ admin, now, onBroken, stopping: stopping.signal });
  const adminListener = createGrpcListener(keyHolder === null ? [keyAdmin] : [keyAdmin, keyHolder], {
    ...{ requestBytesMax: config.admin.requestBytesMax, tls: tls.admin },
  });
  const forward = createForwarding(config, { workers, tls: tls.httpCheck, onBroken });
  const identityKeys = createIdentity(config, { store, signBy: workers.signBy, log, now });
  const jwks = () => identityKeys?.jwks() ?? null;
  const http = createHttpListener(config, { jwks, core, log, isReady, tls: tls.http });
  const setServing = (serving: boolean) => {
    workers.setServing(serving);
    adminListener.setServing(serving);
  };
  const started = workers.start();
  // Told to whoever waits for it.
  started.catch(() => {});

  return {
    store,
    registry,
    async listen() {
      const addresses = {
        admin: await adminListener.listen(config.admin.listen).catch(nameSetting('admin.listen')),
        http: await http.listen().catch(nameSetting('http.listen')),
      };
      openAt = addresses.http;
      for (const { path, message } of configWarnings(config)) log.warn({ setting: path.join('.') }, message);
      tls.start();
      return addresses;
    },
    async listenForChecks() {
      await started;
      // Where the store is away, the next look has them: until then upstreams are told no token.
      await identityKeys?.start().catch(noKeys(log));
      const check = await workers.listen(config.check.listen).catch(nameSetting('check.listen'));
      if (forward === null) return { check };
      return { check, http_check: await forward.listen().catch(nameSetting('http_check.listen')) };
    },
    setReady() {
      clockWatch.start();
      sharers.start();
      leasing.start();
      usage.start();
      upgrade.start();
      events.start();
      readiness = { ready: true, why: '' };
      setServing(true);
    },
    async apply(next) {
      const before = core.judges.policy();
      core.judges.replace(next);
      core.requestLog.isOn = next.requestLog.isEnabled;
      log.level = next.logLevel;
      events.apply(next);
      await workers.apply(sentConfigOf(next));
      void warnAboutRemoved({ store, log, now }, before, core.judges.policy());
    },
    countReload: (isSuccess) => metrics.countReload('settings', isSuccess),
    reloadTls: tls.reload,
    async close(drainMs) {
      readiness = { ready: false, why: 'the service is stopping' };
      tls.stop();
      setServing(false);
      const eventsStopped = events.stop();
      stopping.abort();
      clockWatch.stop();
      sharers.stop();
      identityKeys?.stop();
      // Watches last as long as the service otherwise.
      tail.close();
      const drained = performance.now() + drainMs;
      // Before those whom it asks.
      const forwarded = forward?.close(drainMs) ?? Promise.resolve();
      const checked = forwarded.then(() => workers.close(Math.max(0, drained - performance.now())));
      await Promise.all([checked, adminListener.close(drainMs)]);
      // Last, so that /readyz says meanwhile that this replica drains.
      await http.close(Math.max(0, drained - performance.now()));
      const late = AbortSignal.timeout(lastWritesMsMax);
      const others = Promise.all([upgrade.stop(), refusals.stop(), eventsStopped, leasing.stop()]);
      await usage.stop(late);
      await Promise.all([events.end(late), untilAborted(late, others)]);
      await store.close();
      await open?.close();
    },
  };
}

const noKeys = (log: Logger) => (error: unknown) =>
  log.warn({ err: error }, 'the keys of identity tokens could not be read yet');

/** Null where upstreams are told no signed identity. */
function createIdentity(
  { identityToken, identityKeys: given }: Config,
  { log, signBy, ...others }: Pick<CheckWorkers, 'signBy'> & { store: Store; log: Logger; now: () => number },
): IdentityKeys | null {
  if (identityToken === null) return null;
  return createIdentityKeys({ ...others, given, onSigning: signBy, onError: noKeys(log) }, identityToken);
}

/** Null where no proxy may ask over HTTP. */
function createForwarding(
  { httpCheck, check }: Config,
  {
    workers,
    ...others
  }: { workers: CheckWorkers; tls: TlsSource | null; onBroken: (error: unknown) => void },
): ForwardServer | null {
  if (httpCheck === null) return null;
  const { onBroken, tls } = others;
  const { connectionsMax } = check;
  return createForwardServer({ judge: workers.forward, onBroken }, { ...httpCheck, tls, connectionsMax });
}

function showProcess(metrics: Metrics, workers: CheckWorkers, tls: TlsSources): void {
  metrics.showChecks(workers.snapshot);
  const { check, admin, http, httpCheck } = tls;
  metrics.showCertificates(() =>
    Object.entries({ check, admin, http, http_check: httpCheck }).flatMap(([listener, source]) =>
      source === null ? [] : [{ listener, validTo: source.material.validTo }],
    ),
  );
  metrics.showProcess();
}

function nameSetting(setting: string): (error: unknown) => never {
  return (error) => {
    throw error instanceof ListenError ? new ListenError(`${setting}: ${error.message}`) : error;
  };
}
