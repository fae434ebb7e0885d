import { createTlsSource, TlsError, type TlsMaterial, type TlsSource } from '../../net/tls.ts';
import type { Config } from '../../settings/config.ts';
import type { Logger } from '../../telemetry/log.ts';
import { SettingsError } from '../config/settings.ts';

const listeners = ['check', 'admin', 'http', 'httpCheck'] as const;
type Listener = (typeof listeners)[number];

/** The TLS of each listener, null for cleartext. */
export interface TlsSources extends Readonly<Record<Listener, TlsSource | null>> {
  /** Sees from now on when the files change. */
  start(): void;
  stop(): void;
  /** Looks at the files now. */
  reload(): void;
}

export interface TlsSourcesDependencies {
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Told of each change of a listener's files: whether it was taken over. */
  readonly count: (isSuccess: boolean) => void;
}

/** Reads the files of every listener. Throws {@link SettingsError} with a line for each that is wrong. */
export function createTlsSources(config: Config, { log, now, count }: TlsSourcesDependencies): TlsSources {
  const problems: string[] = [];
  const [check, admin, http, httpCheck] = listeners.map((listener) => {
    const files = config[listener]?.tls ?? null;
    if (files === null) return null;
    try {
      const source = createTlsSource(files, {
        onReloaded: (material) => {
          log.info({ listener, valid_to: new Date(material.validTo).toISOString() }, 'TLS was read again');
          warnOfDates(listener, material);
          count(true);
        },
        onRejected({ message }) {
          log.error({ listener, why: message }, 'TLS stays as it was: the new files are wrong');
          count(false);
        },
      });
      warnOfDates(listener, source.material);
      return source;
    } catch (error) {
      if (!(error instanceof TlsError)) throw error;
      problems.push(`${listener === 'httpCheck' ? 'http_check' : listener}.tls: ${error.message}`);
      return null;
    }
  });
  if (problems.length > 0) throw new SettingsError(problems);
  const sources = [check, admin, http, httpCheck].filter((source) => source != null);
  return {
    ...{ check: check ?? null, admin: admin ?? null, http: http ?? null, httpCheck: httpCheck ?? null },
    start() {
      for (const source of sources) source.start();
    },
    stop() {
      for (const source of sources) source.stop();
    },
    reload() {
      for (const source of sources) source.reload();
    },
  };

  function warnOfDates(listener: Listener, { validFrom, validTo }: TlsMaterial): void {
    const fields = { listener, valid_to: new Date(validTo).toISOString() };
    if (now() >= validTo) log.error(fields, 'the certificate has expired');
    else if (now() < validFrom) log.error(fields, 'the certificate is not valid yet');
    else if (validTo - now() < 7 * 86_400_000) log.warn(fields, 'the certificate expires within 7 days');
  }
}
