import { createAdmin } from '../admin.ts';
import { createAuthorize } from '../authorize.ts';
import { type CheckStore, withBreakers } from '../breaker.ts';
import type { Config } from '../config.ts';
import { createAdminService } from '../grpc/admin-server.ts';
import { CHECK_BYTES_MAX, createCheckService } from '../grpc/check-server.ts';
import { createGrpcListener } from '../grpc/server.ts';
import { createHttpServer } from '../http/server.ts';
import { createIdentify } from '../identity.ts';
import { createKeyring } from '../keyring.ts';
import { createLimiter } from '../limiter.ts';
import { formatListen, isLoopback, type Listen, ListenError } from '../listen.ts';
import { createMissBudget } from '../miss-budget.ts';
import { createPlans } from '../plan.ts';
import { createRegistry, type Registry } from '../registry.ts';
import { createRules } from '../rules.ts';
import { createDigester } from '../secret.ts';
import type { Store } from '../store.ts';
import { createLogger, createMetrics, type Logger, logDenial } from '../telemetry.ts';
import { createUsage } from '../usage.ts';
import { version } from '../version.ts';
import { type Banner, renderBanner } from './banner.ts';
import { openStore, StoreUnusable } from './open-store.ts';
import { type Environment, readSettings, type SettingFlags, SettingsError } from './settings.ts';
import { createStore, storeName } from './store.ts';

/** What a running service needs of the process around it. */
export interface ServeProcess {
  readonly environment: Environment;
  readonly stdout: { write(text: string): void };
  readonly stderr: { write(text: string): void };
  /** Calls back at each request to end: the first drains, a second one ends at once. */
  onStop(stop: () => void): void;
}

/** Runs the service until it is told to stop; resolves to the exit code: 0 drained, 1 could not run, 2 wrong settings. */
export async function serve(flags: SettingFlags, process: ServeProcess): Promise<number> {
  let config: Config;
  let log: Logger;
  let service: Service;
  try {
    config = readSettings(flags, process.environment);
    log = createLogger(config.logLevel, process.stderr);
    service = createService(config, log);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    for (const line of error.lines) process.stderr.write(`postern: ${line}\n`);
    return 2;
  }
  const stopped = new Promise<void>((resolve) => process.onStop(resolve));
  try {
    const addresses = await service.listen();
    const { check, admin, http } = addresses;
    log.info(
      { check: formatListen(check), admin: formatListen(admin), http: formatListen(http) },
      'listening',
    );
    const firstKey = await openStore({ ...service, config, log, stopped });
    if (firstKey !== 'stopped') {
      service.setReady();
      const banner: Banner = { ...addresses, store: storeName(config), firstKey: firstKey?.reveal() ?? null };
      process.stdout.write(renderBanner(banner));
      log.info({ store: service.store.kind }, 'ready');
      await stopped;
    }
    log.info('draining');
    return 0;
  } catch (error) {
    log.fatal(
      error instanceof ListenError || error instanceof StoreUnusable
        ? { why: error.message }
        : { err: error },
      'Postern can not start',
    );
    if (error instanceof Error) process.stderr.write(`postern: ${error.message}\n`);
    return 1;
  } finally {
    await service.close(config.drainMs);
    log.info('stopped');
  }
}

/** Distinct keys an hour whose use is held until it can be written. */
const talliesMax = 200_000;
const breakerBounds = { failuresMax: 5, openMs: 1_000 };

interface Service {
  readonly store: Store;
  readonly registry: Registry;
  listen(): Promise<{ readonly check: Listen; readonly admin: Listen; readonly http: Listen }>;
  setReady(): void;
  close(drainMs: number): Promise<void>;
}

/** Wires what decides and what changes, apart from every wire. */
function createCore(config: Config, log: Logger) {
  const now = () => Date.now();
  const metrics = createMetrics(version);
  const store = metrics.timeStore(createStore(config, log));
  const digester = createDigester(config.peppers);
  const checkStore = breakable(store, log);
  const missBudget = createMissBudget(monotonic, { readsPerSecond: config.memory.missReadsPerSecond });
  const keyring = metrics.countLookups(
    createKeyring({ store: checkStore, feed: store.feed, missBudget }, config.memory),
  );
  const { schemes, adminScheme, environment } = config;
  const plans = createPlans(config.plans);
  const limiter = createLimiter(checkStore, {
    spendersMax: config.memory.spendersMax,
    allowWhenUnavailable: config.limitsWhenUnavailable === 'allow',
  });
  const findRule = createRules(config.rules);
  const judging = { keyring, digester, schemes, environment, plans, findRule, now };
  const authorize = createAuthorize({ ...judging, spend: limiter.spend });
  const dryRun = createAuthorize({ ...judging, spend: limiter.look });
  const registry = metrics.timeRevocations(
    createRegistry({ store, digester, now }, { retentionMs: config.retentionMs }),
  );
  const identify = createIdentify({ keyring, digester, scheme: adminScheme, fixedKey: config.adminKey, now });
  const hasAdminScheme = schemes.some(({ name }) => name === adminScheme.name);
  const admin = createAdmin({
    ...{ identify, registry, store, authorize: dryRun, plans, environment, now },
    schemes: hasAdminScheme ? schemes : [...schemes, adminScheme],
  });
  const usage = createUsage(
    { store, onError: (error) => log.warn({ err: error }, 'use could not be recorded yet') },
    { flushMs: config.usageFlushMs, talliesMax },
  );
  return { metrics, store, authorize, registry, admin, usage, now };
}

/** What a Check asks of the store, told at once while the store is away. */
function breakable(store: Store, log: Logger): CheckStore {
  return withBreakers(
    store,
    {
      monotonic,
      random: Math.random,
      onOpened: (circuit, error) =>
        log.warn({ circuit, err: error }, 'the store does not answer; Checks are told so without asking it'),
      onClosed: (circuit) => log.info({ circuit }, 'the store answers again'),
    },
    breakerBounds,
  );
}

const monotonic = () => performance.now();

/** Wires everything; nothing is open yet. */
function createService(config: Config, log: Logger): Service {
  const { metrics, store, authorize, registry, admin, usage, now } = createCore(config, log);
  const onBroken = (error: unknown) => log.error({ err: error }, 'broken');

  let readiness = { ready: false, why: 'the store has not been reached yet' };
  const check = createGrpcListener(
    createCheckService({
      authorize,
      fallbackScheme: config.schemes[0],
      onDecision(decision, request, durationMs) {
        metrics.observeDecision(decision, durationMs);
        usage.record(decision, request?.address ?? '', now());
        logDenial(log, decision, request);
      },
      onBroken,
      unavailableAs: config.check.unavailableAs,
      requestBytesMax: config.check.requestBytesMax,
    }),
    { requestBytesMax: Math.max(config.check.requestBytesMax, CHECK_BYTES_MAX) },
  );
  const keyAdmin = createGrpcListener(createAdminService({ admin, now, onBroken }), config.admin);
  const http = createHttpServer(
    { admin, now, isReady: () => readiness, metrics: () => metrics.scrape(), log },
    { listen: config.http.listen, bodyBytesMax: config.http.bodyBytesMax },
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
      for (const [name, listen] of Object.entries(addresses)) {
        if (!isLoopback(listen))
          log.warn({ listen: formatListen(listen) }, `${name} is open to the network without TLS`);
      }
      return addresses;
    },
    setReady() {
      usage.start();
      readiness = { ready: true, why: '' };
      setServing(true);
    },
    async close(drainMs) {
      readiness = { ready: false, why: 'the service is stopping' };
      setServing(false);
      const drained = performance.now() + drainMs;
      await Promise.all([check.close(drainMs), keyAdmin.close(drainMs)]);
      // Last, so that /readyz says meanwhile that this replica drains.
      await http.close(Math.max(0, drained - performance.now()));
      await usage.stop();
      await store.close();
    },
  };
}

function nameSetting(setting: string): (error: unknown) => never {
  return (error) => {
    throw error instanceof ListenError ? new ListenError(`${setting}: ${error.message}`) : error;
  };
}
