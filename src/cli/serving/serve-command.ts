import type { Command } from 'commander';
import { addSettingFlags } from '../config/setting-flags.ts';
import type { Io } from '../terminal/command.ts';
import { describe } from '../terminal/describe.ts';

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
  const read = addSettingFlags(command);
  command.action(async (flags: Record<string, string | undefined>) => {
    const { serve } = await import('./serve.ts');
    exit(await serve(read(flags), io));
  });
}
