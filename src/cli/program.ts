import { Command, CommanderError } from 'commander';
import { version } from '../version.ts';
import { adminKeyHint } from './files/secret-input.ts';
import { type AddCommands, CommandError, type ExitCode, exitCodes, type Io } from './terminal/command.ts';
import { describe } from './terminal/describe.ts';
import { usageErrorText } from './terminal/misspelt.ts';

/** Runs one command line, without the names of Node and the program, and returns its exit code. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  let exitCode: number = exitCodes.done;
  const exit = (code: number) => {
    exitCode = code;
  };
  const { addCommands } = await commandsFor(argv);
  const program = createProgram({ io, exit, argv }, addCommands);
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
  3  keys verify: the key is not allowed; apply --dry-run: something would change
  4  nobody answers`;

/** A service, which runs for long, holds no other command in memory: all take 2 MB. */
function commandsFor([command]: readonly string[]): Promise<{ readonly addCommands: AddCommands }> {
  return command === 'serve' ? import('./serving/serve-command.ts') : import('./commands.ts');
}

/** What a command line is run by, and explained by where it is wrong. */
interface CommandLine {
  readonly io: Io;
  readonly exit: (code: number) => void;
  readonly argv: readonly string[];
}

function createProgram({ io, exit, argv }: CommandLine, addCommands: AddCommands): Command {
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
  addCommands(program, io, exit);
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
