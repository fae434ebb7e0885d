import type { Command } from 'commander';

/** Gives a command its help: examples first, then usage, description and flags. */
export function describe(command: Command, description: string, examples: readonly string[]): Command {
  const lines = examples.map((example) => `  ${example}\n`);
  return command
    .summary(description.replace(/\. .*|\.$/s, ''))
    .description(description)
    .addHelpText('before', `Examples:\n${lines.join('')}`)
    .showHelpAfterError(`See: ${pathOf(command)} --help`);
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}
