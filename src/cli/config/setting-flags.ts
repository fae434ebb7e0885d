import type { Command } from 'commander';
import type { SettingFlags } from './settings.ts';

/** Flag → the setting that it sets, by its path in the settings file. */
const settingFlags = [
  ['--check-listen <address>', 'check.listen', 'Check over gRPC: host:port or unix:/path'],
  ['--admin-listen <address>', 'admin.listen', 'KeyAdmin over gRPC'],
  ['--http-listen <address>', 'http.listen', 'REST, health and metrics'],
  ['--http-check-listen <address>', 'http_check.listen', 'Checks over HTTP, off unless set'],
  ['--store <store>', 'store', 'sqlite:FILE, sqlite::memory: or mongodb://…/DATABASE'],
  ['--processes <count>', 'processes', 'how many processes answer Checks, or auto'],
  ['--environment <environment>', 'environment', 'what is served where a route names none'],
  ['--log-level <level>', 'log.level', 'trace, debug, info, warn, error, fatal or silent'],
  ['--staleness-max <duration>', 'staleness_max', 'the longest that memory answers without the store'],
  ['--replica-id <id>', 'replica_id', 'the name of this process among its replicas'],
] as const;

/** Gives a command the flags of the settings; returns how what was given is read. */
export function addSettingFlags(
  command: Command,
): (given: Readonly<Record<string, string | undefined>>) => SettingFlags {
  command.option('--config <file>', 'the settings file, else POSTERN_CONFIG');
  const settings = settingFlags.map(([flag, setting, description]) => {
    const option = command.createOption(flag, description);
    command.addOption(option);
    return { name: option.attributeName(), setting };
  });
  return (given) => {
    const set = settings.flatMap(({ name, setting }) => {
      const value = given[name];
      return value === undefined ? [] : [[setting, value] as const];
    });
    return { config: given.config, set: Object.fromEntries(set) };
  };
}
