import type { Command } from 'commander';
import type { Io } from './command.ts';
import { describe } from './describe.ts';

/** Flag → the setting that it sets, by its path in the settings file. */
const settingFlags = [
  ['--check-listen <address>', 'check.listen', 'Check over gRPC: host:port or unix:/path'],
  ['--admin-listen <address>', 'admin.listen', 'KeyAdmin over gRPC'],
  ['--http-listen <address>', 'http.listen', 'REST, health and metrics'],
  ['--store <store>', 'store', 'sqlite:FILE, sqlite::memory: or mongodb://…/DATABASE'],
  ['--environment <environment>', 'environment', 'what is served where a route names none'],
  ['--log-level <level>', 'log.level', 'trace, debug, info, warn, error, fatal or silent'],
  ['--staleness-max <duration>', 'staleness_max', 'the longest that memory answers without the store'],
  ['--replica-id <id>', 'replica_id', 'the name of this process among its replicas'],
] as const;

/** `serve`. The service is loaded only when it is asked for. */
export function addServeCommand(program: Command, io: Io, exit: (code: number) => void): void {
  const command = describe(
    program.command('serve'),
    'Runs the service until it is told to stop. Flags override the environment, which overrides the settings file.',
    [
      'postern serve',
      'postern serve --config postern.yaml',
      'postern serve --store sqlite:keys.db --http-listen 127.0.0.1:9090',
    ],
  );
  command.option('--config <file>', 'the settings file, else POSTERN_CONFIG');
  const settings = settingFlags.map(([flag, setting, description]) => {
    const option = command.createOption(flag, description);
    command.addOption(option);
    return { name: option.attributeName(), setting };
  });
  command.action(async ({ config, ...flags }: Record<string, string | undefined>) => {
    const set: Record<string, string> = {};
    for (const { name, setting } of settings) {
      const value = flags[name];
      if (value !== undefined) set[setting] = value;
    }
    const { serve } = await import('./serve.ts');
    exit(await serve({ config, set }, io));
  });
}
