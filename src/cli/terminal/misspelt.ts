import type { Command } from 'commander';
import { nearestName } from '../../settings/nearest-name.ts';

/**
 * What Commander says of a wrong command line, in our words and with the name that was meant. It looks for what is
 * missing before it looks for what it does not know: `--nam x` for `--name x` would read as a name that is missing.
 */
export function usageErrorText(said: string, program: Command, argv: readonly string[]): string {
  const { command, unknown } = walk(program, argv);
  const isMissing = /required option/.test(said);
  if (unknown !== null && (isMissing || /unknown option/.test(said))) {
    const meant = nearestOption(unknown, optionsOf(command));
    const hint = meant === null ? '' : `\n(Did you mean ${meant}?)`;
    return `error: unknown option '${unknown}'${hint}\n`;
  }
  return said.replace(
    /'([^']*)' is invalid( for argument '[^']*')?\. Allowed choices are ([^\n]*)\./,
    (text, given: string, _, choices: string) => {
      const meant = nearestName(given, choices.split(', '));
      return meant === null ? text : `${text}\n(Did you mean ${meant}?)`;
    },
  );
}

/** The command that is meant, and the first of its options that there is not, without its value. */
function walk(program: Command, argv: readonly string[]): { command: Command; unknown: string | null } {
  let command = program;
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? '';
    if (word === '--') break;
    if (!word.startsWith('-') || word === '-') {
      command =
        command.commands.find((one) => one.name() === word || one.aliases().includes(word)) ?? command;
      continue;
    }
    const [name = ''] = word.split('=', 1);
    const option = command.options.find(({ short, long }) => name === short || name === long);
    if (option === undefined && !['-h', '--help'].includes(name)) {
      if (name.startsWith('--')) return { command, unknown: name };
      continue;
    }
    // Its value is the next word, whatever that looks like.
    if (option?.required && !word.includes('=')) at++;
  }
  return { command, unknown: null };
}

function optionsOf(command: Command): string[] {
  return command.options.flatMap(({ long, hidden }) => (long && !hidden ? [long] : []));
}

/** By its letters, or as the only one that begins so. */
function nearestOption(unknown: string, options: readonly string[]): string | null {
  const beginning = options.filter((option) => option.startsWith(unknown));
  return beginning.length === 1 ? (beginning[0] ?? null) : nearestName(unknown, options);
}
