import { formatListen, ListenError } from '../../net/listen.ts';
import type { Config } from '../../settings/config.ts';
import { createLogger, type Logger } from '../../telemetry/log.ts';
import { createJudge } from '../config/pattern/verdicts.ts';
import { createExamination } from '../config/setting-examination.ts';
import { lookAtSettings } from '../config/setting-files.ts';
import { type Environment, readSettings, type SettingFlags, SettingsError } from '../config/settings.ts';
import { type Banner, renderBanner } from './banner.ts';
import { giveBackMemorySoon } from './heap.ts';
import { openStore, StoreUnusable } from './open-store.ts';
import { createReload, type Reload } from './reload.ts';
import { createService, type Service } from './service.ts';
import { loadStore, storeName } from './store.ts';
import { createLostTeller, openTracing } from './tracing.ts';

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
  let made: Made;
  try {
    made = await make(flags, process);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    for (const line of error.lines) process.stderr.write(`postern: ${line}\n`);
    return 2;
  }
  const { config, log, service, reload } = made;
  const stopped = new Promise<void>((resolve) => process.onStop(resolve));
  process.onReload(() => {
    service.reloadTls();
    void reload.now();
  });
  try {
    const others = await service.listen();
    reload.start();
    const { promise: listening, resolve: listens } =
      Promise.withResolvers<Pick<Banner, 'check' | 'admin' | 'http'>>();
    const onTried = async () => {
      const addresses = { ...(await service.listenForChecks()), ...others };
      const told = Object.entries(addresses).map(([name, listen]) => [name, formatListen(listen)]);
      log.info(Object.fromEntries(told), 'listening');
      listens(addresses);
    };
    const firstKey = await openStore({ ...service, config, log, stopped, onTried });
    if (firstKey !== 'stopped') {
      service.setReady();
      giveBackMemorySoon();
      const banner: Banner = {
        ...(await listening),
        store: storeName(config),
        isSecure: config.http.tls !== null,
        hasConsole: config.console !== null,
        firstKey: firstKey?.reveal() ?? null,
      };
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
      'Postern cannot start',
    );
    if (error instanceof Error) process.stderr.write(`postern: ${error.message}\n`);
    return 1;
  } finally {
    reload.stop();
    await service.close(config.drainMs);
    log.info('stopped');
  }
}

interface Made {
  readonly config: Config;
  readonly log: Logger;
  readonly service: Service;
  readonly reload: Reload;
}

/** Rejects with {@link SettingsError}. */
async function make(flags: SettingFlags, { environment, stderr }: ServeProcess): Promise<Made> {
  const look = () => lookAtSettings(flags, environment);
  // Before they are read for the start: what changes in between is read again.
  const files = look();
  const { judge, verdicts } = createJudge();
  const { config, tree, warnings } = readSettings(flags, environment, judge);
  const log = createLogger(config.logLevel, stderr);
  const tellLost = createLostTeller(log);
  const service = createService(config, {
    createStore: await loadStore(config.store),
    ...{ log, tellLost, open: await openTracing(config, tellLost) },
    writeLines: (lines) => stderr.write(lines),
  });
  const examine = createExamination(flags, environment, verdicts);
  const { apply, countReload: count } = service;
  const reload = createReload({ environment, look, examine, apply, count, log }, { files, tree, warnings });
  return { config, log, service, reload };
}
