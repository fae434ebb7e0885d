import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { createAdmin } from '../admin.ts';
import { createAuthorize } from '../authorize.ts';
import type { Config } from '../config.ts';
import { createAdminService } from '../grpc/admin-server.ts';
import { createCheckService } from '../grpc/check-server.ts';
import { createGrpcListener } from '../grpc/server.ts';
import { createHttpServer } from '../http/server.ts';
import { adminRead, adminWrite, createIdentify } from '../identity.ts';
import { createKeyring } from '../keyring.ts';
import { createLimiter } from '../limiter.ts';
import { formatListen, isLoopback, type Listen, ListenError } from '../listen.ts';
import { createMongoStore } from '../mongo/store.ts';
import { createPlans } from '../plan.ts';
import { createRegistry, type Registry } from '../registry.ts';
import { createRules } from '../rules.ts';
import { createDigester, type Secret } from '../secret.ts';
import { createSqliteStore } from '../sqlite/store.ts';
import { type Store, StoreUnavailable } from '../store.ts';
import { createLogger, createMetrics, type Logger, logDenial } from '../telemetry.ts';
import { version } from '../version.ts';
import { type Banner, renderBanner } from './banner.ts';
import { type Environment, readSettings, type SettingFlags, SettingsError } from './settings.ts';

/** What a running service needs of the process around it. */
export interface ServeProcess {
  readonly environment: Environment;
  readonly stdout: { write(text: string): void };
  readonly stderr: { write(text: string): void };
  /** Calls back at each request to end: the first drains, a second one ends at once. */
  onStop(stop: () => void): void;
}

const storeRetryMs = { first: 250, most: 5_000 };

/** Runs the service until it is told to stop; resolves to the exit code: 0 drained, 1 could not run, 2 wrong settings. */
export async function serve(flags: SettingFlags, process: ServeProcess): Promise<number> {
  let config: Config;
  try {
    config = readSettings(flags, process.environment);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    for (const line of error.lines) process.stderr.write(`postern: ${line}\n`);
    return 2;
  }
  const log = createLogger(config.logLevel, process.stderr);
  const stopped = new Promise<void>((resolve) => process.onStop(resolve));
  const service = createService(config, log);
  try {
    const addresses = await service.listen();
    const { check, admin, http } = addresses;
    log.info(
      { check: formatListen(check), admin: formatListen(admin), http: formatListen(http) },
      'listening',
    );
    const firstKey = await openStore(service, config, log, stopped);
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
      error instanceof ListenError ? { why: error.message } : { err: error },
      'Postern can not start',
    );
    if (error instanceof Error) process.stderr.write(`postern: ${error.message}\n`);
    return 1;
  } finally {
    await service.close(config.drainMs);
    log.info('stopped');
  }
}

interface Service {
  readonly store: Store;
  readonly registry: Registry;
  listen(): Promise<{ readonly check: Listen; readonly admin: Listen; readonly http: Listen }>;
  setReady(): void;
  close(drainMs: number): Promise<void>;
}

/** Wires everything; nothing is open yet. */
function createService(config: Config, log: Logger): Service {
  const now = () => Date.now();
  const metrics = createMetrics(version);
  const store = metrics.timeStore(createStore(config, log));
  const digester = createDigester(config.peppers);
  const keyring = metrics.countLookups(createKeyring({ store, feed: store.feed }, config.memory));
  const { schemes, adminScheme, environment } = config;
  const plans = createPlans(config.plans);
  const limiter = createLimiter(config.memory);
  const judging = {
    keyring,
    digester,
    schemes,
    environment,
    plans,
    findRule: createRules(config.rules),
    now,
  };
  const authorize = createAuthorize({ ...judging, spend: limiter.take });
  const dryRun = createAuthorize({ ...judging, spend: limiter.look });
  const registry = createRegistry({ store, digester, now }, { retentionMs: config.retentionMs });
  const identify = createIdentify({ keyring, digester, scheme: adminScheme, fixedKey: config.adminKey, now });
  const known = schemes.some(({ name }) => name === adminScheme.name)
    ? schemes
    : ([...schemes, adminScheme] as const);
  const admin = createAdmin({
    identify,
    registry,
    store,
    authorize: dryRun,
    plans,
    schemes: known,
    environment,
    now,
  });
  const onBroken = (error: unknown) => log.error({ err: error }, 'broken');

  let readiness = { ready: false, why: 'the store has not been reached yet' };
  const check = createGrpcListener(
    createCheckService({
      authorize,
      fallbackScheme: schemes[0],
      onDecision(decision, request, durationMs) {
        metrics.observeDecision(decision, durationMs);
        logDenial(log, decision, request);
      },
      onBroken,
      unavailableAs: config.check.unavailableAs,
    }),
    config.check,
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
      readiness = { ready: true, why: '' };
      setServing(true);
    },
    async close(drainMs) {
      readiness = { ready: false, why: 'the service is stopping' };
      setServing(false);
      await Promise.all([check.close(drainMs), keyAdmin.close(drainMs), http.close(drainMs)]);
      await store.close();
    },
  };
}

/** Tries until the store is there; makes the first admin key of a new one, where none is set. */
async function openStore(
  { store, registry }: Service,
  config: Config,
  log: Logger,
  stopped: Promise<void>,
): Promise<Secret | null | 'stopped'> {
  let waitMs = storeRetryMs.first;
  for (;;) {
    try {
      await store.open();
      if (config.adminKey !== null) return null;
      const first = await registry.createFirst({
        name: 'First admin key',
        scheme: config.adminScheme,
        environment: 'live',
        owner: null,
        permissions: [adminRead, adminWrite],
        ipAllowlist: [],
        plan: null,
        rateLimit: null,
        labels: {},
        expiresAt: null,
        requestKey: null,
      });
      return first?.secret ?? null;
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      log.warn({ why: error.message, retry_in_ms: waitMs }, `${storeName(config)} can not be reached yet`);
    }
    const { promise: waited, resolve } = Promise.withResolvers<'waited'>();
    const timer = setTimeout(() => resolve('waited'), waitMs);
    if ((await Promise.race([waited, stopped.then(() => 'stopped' as const)])) === 'stopped') {
      clearTimeout(timer);
      return 'stopped';
    }
    waitMs = Math.min(waitMs * 2, storeRetryMs.most);
  }
}

function createStore(config: Config, log: Logger): Store {
  const now = () => Date.now();
  const onBadRecord = (id: string, error: unknown) =>
    log.error({ key_id: id, err: error }, 'a stored record can not be read');
  const onBackgroundError = (error: unknown) =>
    log.error({ err: error }, 'the store failed in the background');
  if (config.store.kind === 'sqlite')
    return createSqliteStore({ path: config.store.path, now, onBadRecord, onBackgroundError });
  return createMongoStore({
    uri: config.store.uri,
    replicaId: config.replicaId ?? `${hostname()}-${randomBytes(4).toString('hex')}`,
    stalenessMaxMs: config.stalenessMaxMs,
    now,
    monotonic: () => performance.now(),
    onBadRecord,
    onBackgroundError,
    onDegraded: (message) => log.error(message),
  });
}

/** Where the keys are, without a password. */
function storeName(config: Config): string {
  if (config.store.kind === 'sqlite') return `sqlite:${config.store.path}`;
  return config.store.uri.replace(/\/\/[^@/]*@/, '//');
}

function nameSetting(setting: string): (error: unknown) => never {
  return (error) => {
    throw error instanceof ListenError ? new ListenError(`${setting}: ${error.message}`) : error;
  };
}
