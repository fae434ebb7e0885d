import { allCommands, type CompletedCommand, type CompletedValue } from './tree.ts';

/**
 * A script for bash 3.2 and later that completes commands, flags and their values. Bash takes `=` and `:` for words
 * of their own, within a value too.
 */
export function bashCompletion(root: CompletedCommand): string {
  const commands = allCommands(root);
  return `# bash completion of postern; made by "postern completion bash".
_postern_words() {
  case "$1" in
${commands.map(wordsCase).join('')}  esac
}

_postern_value() {
  case "$1" in
${commands.flatMap(valueCases).join('')}    *) return 1 ;;
  esac
}

_postern_argument() {
  case "$1" in
${commands.flatMap(argumentCase).join('')}  esac
}

_postern_reply() {
  local IFS=$'\\n'
  case "$1" in
    file)
      compopt -o filenames 2>/dev/null
      COMPREPLY=($(compgen -f -- "$2"))
      ;;
    *) COMPREPLY=($(compgen -W "\${1// /$'\\n'}" -- "$2")) ;;
  esac
}

_postern() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" path=postern value='' i word argued='' continued=''
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    if [[ $word == '=' ]]; then
      continue
    elif [[ $word == ':' ]]; then
      continued=yes
    elif [[ -n $continued ]]; then
      continued=''
    elif [[ -n $value ]]; then
      value=''
    elif [[ $word == -* ]]; then
      if _postern_value "$path $word" >/dev/null; then value="$path $word"; fi
    elif [[ " $(_postern_words "$path") " == *" $word "* ]]; then
      path="$path $word"
    else
      argued=yes
    fi
  done
  if [[ $cur == '=' ]]; then cur=''; fi
  if [[ -n $value ]]; then
    _postern_reply "$(_postern_value "$value")" "$cur"
  elif [[ $cur != -* && -z $argued && -n $(_postern_argument "$path") ]]; then
    _postern_reply "$(_postern_argument "$path")" "$cur"
  else
    _postern_reply "$(_postern_words "$path")" "$cur"
  fi
}

complete -F _postern postern
`;
}

/** The subcommands and the flags of a command; a dash begins those that are flags. */
function wordsCase(command: CompletedCommand): string {
  const names = command.subcommands.map(({ path }) => path.at(-1) ?? '');
  const flags = command.flags.flatMap(({ long, short }) => (short === null ? [long] : [short, long]));
  return `    '${key(command)}') echo '${[...names, ...flags].join(' ')}' ;;\n`;
}

/** A flag that takes a value, known or not. */
function valueCases(command: CompletedCommand): string[] {
  return command.flags.flatMap(({ long, value }) =>
    value === null ? [] : [`    '${key(command)} ${long}') echo '${kind(value)}' ;;\n`],
  );
}

function argumentCase(command: CompletedCommand): string[] {
  const known = command.argument === null ? '' : kind(command.argument);
  return known === '' ? [] : [`    '${key(command)}') echo '${known}' ;;\n`];
}

function kind({ isFile, words }: CompletedValue): string {
  return isFile ? 'file' : words.join(' ');
}

function key({ path }: CompletedCommand): string {
  return ['postern', ...path].join(' ');
}
