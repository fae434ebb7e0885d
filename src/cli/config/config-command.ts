import type { Command } from 'commander';
import { CommandError, exitCodes, type Io } from '../terminal/command.ts';
import { describe } from '../terminal/describe.ts';
import { printable } from '../terminal/output.ts';
import { addSettingFlags } from './setting-flags.ts';
import type { ExaminedSettings, SettingFlags } from './settings.ts';

/** The commands about settings: none of them starts anything. `exit` takes the code of one that ends well. */
export function addConfigCommands(program: Command, io: Io, exit: (code: number) => void): void {
  const config = program.command('config');
  describe(config, 'Checks, shows and describes the settings, and starts nothing.', [
    'postern config check postern.yaml',
    'postern config print --config postern.yaml',
    'postern config schema > postern.schema.json',
  ]);
  addCheck(config, io, exit);
  addPrint(config, io, exit);
  addSchema(config, io);
}

function addCheck(config: Command, io: Io, exit: (code: number) => void): void {
  const command = describe(
    config.command('check'),
    'Says all that is wrong with the settings, and ends with 2 if anything is. The environment and the flags count, as they do for serve.',
    ['postern config check postern.yaml', 'postern config check --store mongodb://localhost/postern'],
  );
  command.argument('[file]', 'the settings file, as --config');
  const read = addSettingFlags(command);
  command.action(async (file: string | undefined, given: Record<string, string | undefined>) => {
    const { examineSettings } = await import('./settings.ts');
    const settings = examineSettings(withFile(read(given), file), io.environment, io.readFile);
    const { placeProblems } = await import('./setting-places.ts');
    const places = settings.config === null ? [] : placeProblems(settings.config);
    const unusable = places.map(({ path, message }) =>
      [settings.originOf(path), path.join('.'), message].filter(Boolean).join(': '),
    );
    for (const line of [...settings.problems, ...unusable, ...settings.warnings])
      io.stdout.write(`${printable(line)}\n`);
    if (settings.config === null || unusable.length > 0) exit(exitCodes.usage);
    else io.stdout.write(`${settings.file === null ? 'Configuration' : printable(settings.file)} is valid\n`);
  });
}

function addPrint(config: Command, io: Io, exit: (code: number) => void): void {
  const command = describe(
    config.command('print'),
    'Prints the settings that hold as YAML, defaults among them, each with where it comes from, and no secret.',
    ['postern config print', 'postern config print --config postern.yaml'],
  );
  const read = addSettingFlags(command);
  command.action(async (given: Record<string, string | undefined>) => {
    const { examineSettings } = await import('./settings.ts');
    const settings = examineSettings(read(given), io.environment, io.readFile);
    if (settings.config === null) return refuse(settings, io, exit);
    const { printSettings } = await import('./config-print.ts');
    io.stdout.write(printSettings(settings));
  });
}

function addSchema(config: Command, io: Io): void {
  describe(
    config.command('schema'),
    'Prints the JSON Schema of the settings file. An editor reads it by a first line: # yaml-language-server: $schema=postern.schema.json',
    ['postern config schema > postern.schema.json'],
  ).action(async () => {
    const { settingsJsonSchema } = await import('../../settings/settings-json-schema.ts');
    const { presetNames } = await import('../../presets/read.ts');
    io.stdout.write(`${JSON.stringify(settingsJsonSchema(presetNames), null, 2)}\n`);
  });
}

function withFile(flags: SettingFlags, file: string | undefined): SettingFlags {
  if (file === undefined) return flags;
  if (flags.config === undefined) return { ...flags, config: file };
  throw new CommandError(exitCodes.usage, ['the settings file is named twice', 'Name it once.']);
}

function refuse(settings: ExaminedSettings, io: Io, exit: (code: number) => void): void {
  for (const line of settings.problems) io.stderr.write(`postern: ${printable(line)}\n`);
  exit(exitCodes.usage);
}
