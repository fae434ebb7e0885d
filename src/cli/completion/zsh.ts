import { allCommands, type CompletedCommand, type CompletedFlag, type CompletedValue } from './tree.ts';

/** A script for zsh that completes commands, flags and their values, each with what it is for. */
export function zshCompletion(root: CompletedCommand): string {
  return `#compdef postern
# zsh completion of postern; made by "postern completion zsh".
${allCommands(root).map(commandFunction).join('\n')}
if [[ "$funcstack[1]" == _postern ]]; then
  _postern "$@"
else
  compdef _postern postern
fi
`;
}

function commandFunction(command: CompletedCommand): string {
  const specs = command.flags.flatMap(flagSpecs);
  if (command.subcommands.length === 0) {
    const argument = command.argument === null ? [] : [quoted(`1:argument:${action(command.argument)}`)];
    return functionOf(command, `  _arguments -s ${[...specs, ...argument].join(' \\\n    ')}\n`);
  }
  const names = command.subcommands.map(
    (child) => `    ${quoted(described(nameOf(child), child.summary))}\n`,
  );
  const cases = command.subcommands.map((child) => `        ${nameOf(child)}) ${functionName(child)} ;;\n`);
  return functionOf(
    command,
    `  local line state
  local -a commands=(
${names.join('')}  )
  _arguments -C ${[...specs, quoted('1:command:->command'), quoted('*::argument:->argument')].join(' \\\n    ')}
  case $state in
    command) _describe command commands ;;
    argument)
      case $line[1] in
${cases.join('')}      esac
      ;;
  esac
`,
  );
}

function functionOf(command: CompletedCommand, body: string): string {
  return `${functionName(command)}() {\n${body}}\n`;
}

/** A flag may be repeated: some may, and the service says of the others what is wrong. */
function flagSpecs({ long, short, description, value }: CompletedFlag): string[] {
  const said = `[${description.replace(/[[\]:\\]/g, '\\$&')}]`;
  const argument = value === null ? '' : `:value:${action(value)}`;
  const names = short === null ? [long] : [short, long];
  return names.map((name) => quoted(`*${name}${value === null ? '' : '='}${said}${argument}`));
}

function action({ isFile, words }: CompletedValue): string {
  if (isFile) return '_files';
  return words.length === 0 ? ' ' : `(${words.join(' ')})`;
}

function described(name: string, summary: string): string {
  return `${name}:${summary.replaceAll(':', '\\:')}`;
}

function functionName({ path }: CompletedCommand): string {
  return ['_postern', ...path].join('_');
}

function nameOf({ path }: CompletedCommand): string {
  return path.at(-1) ?? '';
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
