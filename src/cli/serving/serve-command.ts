import { addSettingFlags } from '../config/setting-flags.ts';
import type { AddCommands } from '../terminal/command.ts';
import { describe } from '../terminal/describe.ts';

/** `serve`. The service is loaded only when it is asked for. */
export const addCommands: AddCommands = (program, io, exit) => {
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
};
