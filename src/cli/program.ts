import { Command, CommanderError } from 'commander';
import { version } from '../version.ts';
import { addAuditCommands } from './audit/audit.ts';
import { addCompletionCommand } from './completion/completion.ts';
import { addConfigCommands } from './config/config-command.ts';
import { addDoctorCommand } from './doctor/doctor.ts';
import { addImportCommand } from './import/import.ts';
import { addInitCommands } from './init/init.ts';
import { addKeyCommands } from './keys/keys.ts';
import { addOwnerCommands } from './owners/owners.ts';
import { addBackupCommand } from './restore/backup.ts';
import { addRestoreCommands } from './restore/restore.ts';
import { addServeCommand } from './serving/serve-command.ts';
import { CommandError, type ExitCode, exitCodes, type Io } from './terminal/command.ts';
import { describe } from './terminal/describe.ts';
import { usageErrorText } from './terminal/misspelt.ts';
import { adminKeyHint } from './terminal/secret-input.ts';
import { addWatchCommand } from './watch.ts';

/** Runs one command line, without the names of Node and the program, and returns its exit code. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  let exitCode: number = exitCodes.done;
  const exit = (code: number) => {
    exitCode = code;
  };
  const program = createProgram(io, exit, argv);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    // Commander has printed it by now: help and version with 0, a wrong command line with 1.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    return reportError(error, io);
  }
}

const surroundings = `
Environment, for the commands that call a running service:
  POSTERN_ADDRESS         where it is (default: http://127.0.0.1:8080)
  POSTERN_ADMIN_KEY       the admin key; POSTERN_ADMIN_KEY_FILE names a file that holds it
  POSTERN_OWNER           the owner of every command that has --owner

Exit codes:
  0  done
  1  the service refused, or something failed
  2  the command line, a setting or a file is wrong
  3  keys verify: the key is not allowed
  4  nobody answers`;

/** All commands; `exit` takes the code of one that ends well, `argv` is what a wrong command line is explained by. */
export function createProgram(io: Io, exit: (code: number) => void, argv: readonly string[] = []): Command {
  const program: Command = new Command('postern')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: (text, write) => write(usageError(usageErrorText(text, program, argv))),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .version(version, '-V, --version', 'print the version');
  describe(program, 'API-key authorization for Envoy and Istio.', [
    'postern serve --config postern.yaml',
    'postern keys create --name "Asset backend" --permission read:assets',
    'postern keys rotate key_01k0c6h3v8s9w2m4n5p7q8r9t1 --grace 24h',
    'postern owners put acme --active-until 2031-01-31T00:00:00Z',
    'postern audit verify',
  ]).addHelpText('after', surroundings);
  addServeCommand(program, io, exit);
  addKeyCommands(program, io, exit);
  addConfigCommands(program, io, exit);
  addInitCommands(program, io);
  addOwnerCommands(program, io);
  addImportCommand(program, io, exit);
  addDoctorCommand(program, io, exit);
  addAuditCommands(program, io, exit);
  addWatchCommand(program, io);
  addBackupCommand(program, io);
  addRestoreCommands(program, io, exit);
  addCompletionCommand(program, io);
  return program;
}

/** Commander's words in ours; the value of an unknown flag is not repeated, since it may be a key. */
function usageError(text: string): string {
  const said = text.replace(/^error: /, 'postern: ').replace(/'(--?[^'=]*)=[^']*'/, "'$1'");
  const isForKey = /unknown option '--(?:admin-)?(?:key|token|secret)'/.test(said);
  return isForKey ? `${said}No key is given in a flag, where others could read it. ${adminKeyHint}\n` : said;
}

function reportError(error: unknown, io: Io): ExitCode {
  if (error instanceof CommandError) {
    const [what = '', ...rest] = error.lines;
    io.stderr.write(`postern: ${[what, ...rest].join('\n')}\n`);
    return error.exitCode;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  io.stderr.write(`postern: something is broken here; please report it with this:\n${text}\n`);
  return exitCodes.failed;
}
