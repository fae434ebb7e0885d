import type { Command } from 'commander';
import { version } from '../version.ts';
import { type ConnectionFlags, callingCommands, connect } from './client.ts';
import { CommandError, type ExitCode, exitCodes, type Io } from './command.ts';
import { diagnosticsAnswer, doctorChecks, type Finding } from './doctor-checks.ts';
import { printable, printableJson } from './output.ts';

interface DoctorFlags extends ConnectionFlags {
  readonly json?: boolean;
}

/** `doctor`. `exit` takes 0 where nothing is wrong, 1 where something is, 2 where the service could not be asked. */
export function addDoctorCommand(program: Command, io: Io, exit: (code: ExitCode) => void): void {
  const description =
    'Looks for what is wrong with a running service, and says what to do about it. Exits with 0 where nothing is, ' +
    'with 1 on errors and warnings, and with 2 where it could not ask.';
  callingCommands(program)('doctor', description, [
    'postern doctor',
    'postern doctor --address https://postern.internal:8080 --json',
  ])
    .option('--json', 'print the findings as JSON')
    .action(async (flags: DoctorFlags) => {
      const { findings, code } = await examine(io, flags);
      io.stdout.write(flags.json ? printableJson({ findings }) : textOf(findings));
      exit(code);
    });
}

async function examine(io: Io, flags: DoctorFlags): Promise<{ findings: Finding[]; code: ExitCode }> {
  try {
    const client = await connect(io, flags);
    const { data: diagnostics } = await client.call(diagnosticsAnswer, 'GET', '/admin/diagnostics');
    const findings = doctorChecks.flatMap((check) => check({ diagnostics, version }));
    const isWell = findings.every(({ level }) => level === 'info');
    return { findings, code: isWell ? exitCodes.done : exitCodes.failed };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const [what = '', ...cure] = error.lines;
    return { findings: [{ level: 'error', what, cure: cure.join(' ') }], code: exitCodes.notAsked };
  }
}

function textOf(findings: readonly Finding[]): string {
  if (findings.length === 0) return 'nothing is wrong\n';
  return findings
    .map(({ level, what, cure }) => [`${level}: ${what}`, ...(cure === '' ? [] : [`  ${cure}`])])
    .flatMap((lines) => lines.map((line) => `${printable(line)}\n`))
    .join('');
}
