import { postern } from './console.ts';

/** A command as its own help shows it. */
export interface HelpedCommand {
  /** The words that lead to it, without the program's name. */
  readonly path: readonly string[];
  /** The names of its flags, `--help` not among them. */
  readonly flags: readonly string[];
  readonly examples: readonly string[];
  /** Whether it has commands under it. */
  readonly isGroup: boolean;
  readonly text: string;
}

/** The program and every command under it, found by nothing but help. */
export async function commandsOf(path: readonly string[] = []): Promise<HelpedCommand[]> {
  const { stdout: text } = await postern([...path, '--help']);
  const under = sectionOf(text, 'Commands').flatMap((line) => /^ {2}([a-z][a-z-]*)/.exec(line)?.[1] ?? []);
  const children = under.filter((name) => name !== 'help');
  const flags = [...sectionOf(text, 'Connection'), ...sectionOf(text, 'Options')].flatMap(
    (line) => /^ {2}(?:-\w, )?(--[a-z][a-z0-9-]*)/.exec(line)?.[1] ?? [],
  );
  const own: HelpedCommand = {
    path,
    flags: flags.filter((flag) => flag !== '--help'),
    examples: sectionOf(text, 'Examples').map((line) => line.trim()),
    isGroup: children.length > 0,
    text,
  };
  const below = await Promise.all(children.map((name) => commandsOf([...path, name])));
  return [own, ...below.flat()];
}

/** The lines under a heading, to the next empty one. */
function sectionOf(text: string, heading: string): string[] {
  const lines = text.split('\n');
  const start = lines.indexOf(`${heading}:`) + 1;
  return start === 0
    ? []
    : lines.slice(start, lines.indexOf('', start) < 0 ? undefined : lines.indexOf('', start));
}
