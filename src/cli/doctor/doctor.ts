import type { Command } from 'commander';
import { readPresets } from '../../presets/read.ts';
import type { Config } from '../../settings/config.ts';
import { error } from '../../store/diagnosis/finding.ts';
import { version } from '../../version.ts';
import { type ConnectionFlags, callingCommands } from '../calls/client.ts';
import { CommandError, type ExitCode, exitCodes, type Io } from '../terminal/command.ts';
import { printableJson } from '../terminal/output.ts';
import { examineDatabase } from './database.ts';
import { examineEnvoy } from './envoy.ts';
import { readEnvoySource } from './envoy-source.ts';
import type { Examination } from './examination.ts';
import { examineFiles } from './files.ts';
import { textOf } from './findings-text.ts';
import { examineService } from './service.ts';

interface DoctorFlags extends ConnectionFlags {
  readonly envoy?: string;
  readonly config?: string;
  readonly deep?: boolean;
  readonly service: boolean;
  readonly json?: boolean;
}

/** `doctor`. `exit` takes 0 where nothing is wrong, 1 where something is, 2 where something could not be looked at. */
export function addDoctorCommand(program: Command, io: Io, exit: (code: ExitCode) => void): void {
  const description =
    'Looks for what is wrong with a running service, the settings and files here, and an Envoy, and says what to do ' +
    'about it. Exits with 0 where nothing is, with 1 on errors and warnings, and with 2 where it could not look.';
  callingCommands(program)('doctor', description, [
    'postern doctor',
    'postern doctor --address https://postern.internal:8080 --config postern.yaml --json',
    'postern doctor --envoy http://127.0.0.1:9901',
    'istioctl proxy-config all POD -o json | postern doctor --no-service --envoy -',
    'postern doctor --no-service --deep --config postern.yaml',
  ])
    .option('--envoy <source>', "an Envoy's config_dump: a file, - for standard input, or its admin endpoint")
    .option('--config <file>', 'the settings that the service runs with, else POSTERN_CONFIG')
    .option('--deep', 'read the whole SQLite file, which no running service may have open')
    .option('--no-service', 'ask no service: look at files and the Envoy alone')
    .option('--json', 'print the findings as JSON')
    .action(async (flags: DoctorFlags) => {
      const { findings, isComplete } = await examine(io, flags);
      io.stdout.write(flags.json ? printableJson({ findings }) : textOf(findings, isComplete));
      const isWell = findings.every(({ level }) => level === 'info');
      exit(isComplete ? (isWell ? exitCodes.done : exitCodes.failed) : exitCodes.notAsked);
    });
}

async function examine(io: Io, flags: DoctorFlags): Promise<Examination> {
  const now = () => Date.now();
  const files = examineFiles(io.environment, { configFile: flags.config, now: now() });
  const parts: Examination[] = [files];
  if (flags.service) parts.unshift(await examineService(io, flags, { version, now }));
  if (flags.deep === true) parts.push(examineDatabase(files.config));
  if (flags.envoy !== undefined) parts.push(await examineSource(io, flags.envoy, files.config));
  return {
    findings: parts.flatMap(({ findings }) => findings),
    isComplete: parts.every(({ isComplete }) => isComplete),
  };
}

async function examineSource(io: Io, source: string, config: Config | null): Promise<Examination> {
  try {
    return examineEnvoy(await readEnvoySource(io, source), credentialHeaders(config));
  } catch (thrown) {
    if (!(thrown instanceof CommandError)) throw thrown;
    const [what = '', ...cure] = thrown.lines;
    return { findings: [error('envoy.not_read', what, cure.join('\n'))], isComplete: false };
  }
}

/** The headers that keys may come in, of the schemes that are configured, else of all that ship. */
function credentialHeaders(config: Config | null): string[] {
  const schemes = config?.schemes ?? [...readPresets().values()];
  const names = schemes.flatMap(({ places }) =>
    places.flatMap((place) =>
      place.kind === 'header' ? place.name : place.kind === 'cookie' ? 'cookie' : [],
    ),
  );
  return [...new Set(names)];
}
