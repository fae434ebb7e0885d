import { allCommands, type CompletedCommand, type CompletedFlag, type CompletedValue } from './tree.ts';

/** A script for fish that completes commands, flags and their values, each with what it is for. */
export function fishCompletion(root: CompletedCommand): string {
  const commands = allCommands(root);
  const paths = commands.slice(1).map(({ path }) => quoted(path.join(' ')));
  return `# fish completion of postern; made by "postern completion fish".
function __postern_at --description 'Whether the words so far lead to this command, with so many arguments'
    set --local commands ${paths.join(' ')}
    set --local valued ${commands.flatMap(valuedFlags).join(' ')}
    set --local path ''
    set --local arguments 0
    set --local skip 0
    set --local words (commandline --tokenize --cut-at-cursor --current-process)
    for word in $words[2..]
        if test $skip = 1
            set skip 0
        else if string match --quiet -- '-*' $word
            contains -- "$path $word" $valued; and set skip 1
        else if contains -- (string trim -- "$path $word") $commands
            set path (string trim -- "$path $word")
        else
            set arguments (math $arguments + 1)
        end
    end
    test "$path" = "$argv[1]"; or return 1
    test (count $argv) = 1; or test "$arguments" = "$argv[2]"
end

complete --command postern --no-files
${commands.flatMap(completions).join('\n')}
`;
}

/** Each flag that takes a value, after the path of its command. */
function valuedFlags({ path, flags }: CompletedCommand): string[] {
  return flags.flatMap(({ long, value }) => (value === null ? [] : [quoted(`${path.join(' ')} ${long}`)]));
}

function completions(command: CompletedCommand): string[] {
  const { path, flags, subcommands, argument } = command;
  const at = `complete --command postern --condition ${quoted(`__postern_at "${path.join(' ')}"`)}`;
  const first = `complete --command postern --condition ${quoted(`__postern_at "${path.join(' ')}" 0`)}`;
  return [
    ...subcommands.map(
      (child) => `${first} --arguments ${child.path.at(-1)} --description ${quoted(child.summary)}`,
    ),
    ...(argument === null || valueIn(argument) === '' ? [] : [`${first}${valueIn(argument)}`]),
    ...flags.map((flag) => at + flagOf(flag)),
  ];
}

function flagOf({ long, short, description, value }: CompletedFlag): string {
  const names = ` --long-option ${long.slice(2)}${short === null ? '' : ` --short-option ${short.slice(1)}`}`;
  const known = value === null ? '' : ` --require-parameter${valueIn(value) || ' --no-files'}`;
  return `${names}${known} --description ${quoted(description)}`;
}

function valueIn({ isFile, words }: CompletedValue): string {
  if (isFile) return ' --force-files';
  return words.length === 0 ? '' : ` --no-files --arguments ${quoted(words.join(' '))}`;
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
