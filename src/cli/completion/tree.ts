import type { Command, Option } from 'commander';

/** A command as a shell completes it. */
export interface CompletedCommand {
  /** The words that lead to it, without the program's name. */
  readonly path: readonly string[];
  readonly summary: string;
  readonly flags: readonly CompletedFlag[];
  readonly subcommands: readonly CompletedCommand[];
  /** What its first argument may be; null where it takes none. */
  readonly argument: CompletedValue | null;
}

export interface CompletedFlag {
  /** `--json`, with `-h` as `--help` has it. */
  readonly long: string;
  readonly short: string | null;
  readonly description: string;
  /** Null for a flag that takes no value. */
  readonly value: CompletedValue | null;
}

/** What can be said of a value: that it is a file, or the words that it is likely to be; often neither. */
export interface CompletedValue {
  readonly isFile: boolean;
  readonly words: readonly string[];
}

/** Words for the values of flags that take others too, by the name of the flag. */
export type LikelyWords = Readonly<Record<string, readonly string[]>>;

/** The commands of a program as it is: what is added to it is completed. */
export function completionTree(command: Command, likely: LikelyWords): CompletedCommand {
  const help = command.createHelp();
  const [argument] = command.registeredArguments;
  return {
    path: pathOf(command),
    summary: help.subcommandDescription(command),
    flags: help.visibleOptions(command).map((option) => flagOf(option, likely)),
    subcommands: help
      .visibleCommands(command)
      .map((child) => (child.name() === 'help' ? helpOf(command, child) : completionTree(child, likely))),
    argument: argument === undefined ? null : valueIn(argument.name(), argument.argChoices, []),
  };
}

/** Every command in the tree, the program itself first. */
export function allCommands(command: CompletedCommand): CompletedCommand[] {
  return [command, ...command.subcommands.flatMap(allCommands)];
}

/** `help`, which commander adds by itself, takes the name of a command beside it. */
function helpOf(parent: Command, help: Command): CompletedCommand {
  const words = parent.commands.map((command) => command.name());
  return {
    path: [...pathOf(parent), 'help'],
    summary: help.description(),
    ...{ flags: [], subcommands: [], argument: { isFile: false, words } },
  };
}

function flagOf(option: Option, likely: LikelyWords): CompletedFlag {
  const value = /[<[]([^>\]]*)[>\]]/.exec(option.flags)?.[1];
  const long = option.long ?? '';
  return {
    long,
    short: option.short ?? null,
    description: option.description,
    value: value === undefined ? null : valueIn(value, option.argChoices, likely[long] ?? []),
  };
}

function valueIn(
  name: string,
  choices: readonly string[] | undefined,
  likely: readonly string[],
): CompletedValue {
  return { isFile: name === 'file', words: choices ?? likely };
}

function pathOf(command: Command): string[] {
  return command.parent === null ? [] : [...pathOf(command.parent), command.name()];
}
