import { statSync } from 'node:fs';
import { formatListen, isLoopback } from '../../net/listen.ts';
import type { Config } from '../../settings/config.ts';
import { error, type Finding, warning } from '../../store/diagnosis/finding.ts';
import type { Environment } from '../config/settings.ts';
import { examineSettings } from '../config/settings.ts';
import { certificateFindings } from './certificates.ts';
import type { Examination } from './examination.ts';
import { socketFindings } from './sockets.ts';

/**
 * What is wrong with the settings and the files that they name, on the machine that the command runs on; with it the
 * settings, null where they are wrong.
 */
export function examineFiles(
  given: Environment,
  { configFile, now }: { readonly configFile: string | undefined; readonly now: number },
): Examination & { readonly config: Config | null } {
  // Here it is the caller's own, of any form.
  const { POSTERN_ADMIN_KEY, POSTERN_ADMIN_KEY_FILE, ...environment } = given;
  const { config, problems, file } = examineSettings({ config: configFile, set: {} }, environment);
  const findings = [
    ...(problems.length > 0 ? [settingsWrong(problems, file)] : []),
    ...secretFiles(given, config).flatMap(secretFindings),
    ...(config === null ? [] : listenerFindings(config, now)),
  ];
  return { findings, isComplete: true, config };
}

function settingsWrong([first = '', ...rest]: readonly string[], file: string | null): Finding {
  const more = rest.length > 0 ? ` (and ${rest.length} more)` : '';
  const what = `The settings are wrong, no replica starts with them: ${first}${more}.`;
  return error(
    'settings.wrong',
    what,
    `postern config check${file === null ? '' : ` ${file}`} tells of all of it.`,
  );
}

/** By their names in the settings. */
function listenersOf({ check, admin, http, httpCheck }: Config) {
  return Object.entries({ check, admin, http, ...(httpCheck !== null && { http_check: httpCheck }) });
}

function listenerFindings(config: Config, now: number): Finding[] {
  return listenersOf(config).flatMap(([name, { listen, tls }]) => {
    const findings: Finding[] = [];
    if (listen.kind === 'unix') findings.push(...socketFindings(listen.path));
    if (tls !== null) return [...findings, ...certificateFindings(name, tls, now)];
    if (isLoopback(listen)) return findings;
    const what = `${formatListen(listen)} can be reached from other machines and speaks no TLS: keys can be read on the way.`;
    const cure = `Set ${name}.tls, or listen on 127.0.0.1 where Envoy and callers are on this machine.`;
    return [...findings, warning('listen.cleartext', what, cure, `${name}.listen`)];
  });
}

/** The files that hold what nobody else may read. */
function secretFiles(environment: Environment, config: Config | null): string[] {
  const named = Object.entries(environment)
    .filter(([name]) =>
      /^POSTERN_(?:ADMIN_KEY|PEPPERS|CHECKSUM_KEYS|WEBHOOK_SECRET|CONSOLE_SESSION_SECRET|OIDC_CLIENT_SECRET|IDENTITY_KEYS|STORE)_FILE$/.test(
        name,
      ),
    )
    .flatMap(([, path]) => path || []);
  const keys = config === null ? [] : listenersOf(config).flatMap(([, { tls }]) => tls?.key ?? []);
  return [...new Set([...named, ...keys])];
}

function secretFindings(path: string): Finding[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined || (found.mode & 0o006) === 0) return [];
  const may = (found.mode & 0o002) === 0 ? 'read' : 'write';
  const what = `It holds a secret, and every user of the machine may ${may} it: its mode is ${octal(found.mode)}.`;
  const cure = `chmod 0600 ${path}, in Kubernetes defaultMode: 0400 of the volume, or 0440 with fsGroup.`;
  return [warning('secret.readable', what, cure, path)];
}

/** The rights of a mode, as chmod takes them. */
export function octal(mode: number): string {
  return (mode & 0o777).toString(8).padStart(4, '0');
}
