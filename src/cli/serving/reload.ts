import type { Config } from '../../settings/config.ts';
import type { Logger } from '../../telemetry/log.ts';
import type { Environment } from '../config/config-environment.ts';
import { changedSettings, type HeldSettings, settingValues } from '../config/setting-changes.ts';
import type { Reread } from '../config/setting-examination.ts';
import type { SettingFiles } from '../config/setting-files.ts';

/** Settings that are read again while the service runs. */
export interface Reload {
  /** Looks at the files at intervals from now on. */
  start(): void;
  /** Takes nothing over any more. */
  stop(): void;
  /** Reads them now, whether or not they changed; resolves when they hold or were refused. */
  now(): Promise<void>;
  /**
   * What is done at each interval: files that are as the last look found them, and were not read so yet, are read. A
   * file that is still being written is not the same at two looks.
   */
  look(): Promise<void>;
}

export interface ReloadDependencies {
  readonly environment: Environment;
  readonly look: () => SettingFiles;
  readonly examine: (files: SettingFiles) => Promise<Reread>;
  /**
   * Puts settings in place, at once and whole, and resolves when all are judged by them; where it fails the old ones
   * hold on.
   */
  readonly apply: (config: Config) => unknown;
  readonly count: (isSuccess: boolean) => void;
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>;
}

/** How often the files are looked at, so that a change is taken over after two to four seconds. */
const everyMs = 2_000;

/** @param started what the service runs on */
export function createReload(
  dependencies: ReloadDependencies,
  started: HeldSettings & Pick<Reread, 'warnings'>,
): Reload {
  const { environment, look, examine, apply, count, log } = dependencies;
  const startedValues = settingValues(started, environment);
  let held = { ...started, values: startedValues };
  /** The files that were read last, right or wrong, and those that were looked at last. */
  let read = started.files.fingerprint;
  let seen = read;
  let working: Promise<void> | null = null;
  let waiting: Promise<void> | null = null;
  let isStopped = false;
  let timer: NodeJS.Timeout | null = null;

  return {
    start() {
      timer ??= setInterval(lookAgain, everyMs).unref();
    },
    stop() {
      isStopped = true;
      if (timer !== null) clearInterval(timer);
    },
    now() {
      if (working === null) return begin(look());
      // However many ask meanwhile, they are answered by one more reading.
      waiting ??= working.then(() => {
        waiting = null;
        return begin(look());
      });
      return waiting;
    },
    look: lookAgain,
  };

  async function lookAgain(): Promise<void> {
    if (working !== null) return;
    const files = look();
    const isStill = files.fingerprint === seen;
    seen = files.fingerprint;
    if (isStill && files.fingerprint !== read) await begin(files);
  }

  function begin(files: SettingFiles): Promise<void> {
    if (isStopped) return Promise.resolve();
    read = files.fingerprint;
    working = takeOver(files)
      .then(count, (error: unknown) => {
        log.error({ err: error }, 'the settings stay as they were: the new ones could not be read');
        count(false);
      })
      .finally(() => {
        working = null;
      });
    return working;
  }

  async function takeOver(files: SettingFiles): Promise<boolean> {
    const { config, tree, problems, warnings } = await examine(files);
    const wrong = [...emptied(held.files, files), ...problems];
    if (config === null || wrong.length > 0) {
      log.error({ problems: wrong }, 'the settings stay as they were: the new ones are wrong');
      return false;
    }
    if (isStopped) return true;
    const next = { tree, files, warnings, values: settingValues({ tree, files }, environment) };
    const { taken } = changedSettings(held.values, next.values);
    const { left } = changedSettings(startedValues, next.values);
    await apply(config);
    for (const warning of warnings) if (!held.warnings.includes(warning)) log.warn(warning);
    held = next;
    log.info({ changed: taken }, 'the settings were read again');
    if (left.length > 0) log.warn({ settings: left }, `holds only after a restart: ${left.join(', ')}`);
    return true;
  }
}

/** A file that was emptied would take every rule away: that is more likely a slip than meant. */
function emptied(before: SettingFiles, after: SettingFiles): string[] {
  return [...after.found].flatMap(([path, text]) => {
    const known = before.found.get(path);
    const isEmptied = isBlank(text) && known !== undefined && !isBlank(known);
    return isEmptied ? [`${path} has become empty; expected settings, or {} for none`] : [];
  });
}

function isBlank(text: string | { readonly code: string }): boolean {
  return typeof text === 'string' && /^(?:\s|#.*|---)*$/.test(text);
}
