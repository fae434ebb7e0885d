import type { Config } from '../config.ts';
import { formatListen, ListenError } from '../listen.ts';
import { createLogger, type Logger } from '../telemetry.ts';
import { type Banner, renderBanner } from './banner.ts';
import { openStore, StoreUnusable } from './open-store.ts';
import { createService, type Service } from './service.ts';
import { type Environment, readSettings, type SettingFlags, SettingsError } from './settings.ts';
import { storeName } from './store.ts';

/** What a running service needs of the process around it. */
export interface ServeProcess {
  readonly environment: Environment;
  readonly stdout: { write(text: string): void };
  readonly stderr: { write(text: string): void };
  /** Calls back at each request to end: the first drains, a second one ends at once. */
  onStop(stop: () => void): void;
  /** Calls back at each request to read again what can change while the service runs. */
  onReload(reload: () => void): void;
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
  process.onReload(service.reload);
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
