import { readFileSync } from 'node:fs';
import { beforeAll, expect, it } from 'vitest';
import { postern } from './console.ts';
import { commandsOf, type HelpedCommand } from './help.ts';

let commands: readonly HelpedCommand[] = [];

beforeAll(async () => {
  commands = await commandsOf();
});

/** Each example of the command line: of help, and of the lines that the documents show. */
function calledIn(text: string): string[][] {
  const call = /(?:^|[(|] ?)(?:[A-Z_]+=\S+ )*(?:npx )?postern ((?:[a-z][\w-]*|--?)[^|)\n]*)/gm;
  const calls = [...text.matchAll(call)];
  return calls.map(([, words = '']) => words.split(/\s+/).filter((word) => word !== ''));
}

/** The command that a line calls, and the flags that it gives it. */
function readCall(words: readonly string[]): {
  readonly command: HelpedCommand | undefined;
  readonly flags: string[];
} {
  const known = commands.filter(({ path }) => path.every((name, at) => words[at] === name));
  const command = known.toSorted((one, other) => other.path.length - one.path.length)[0];
  const flags = words.filter((word) => /^--\w/.test(word)).map((word) => word.replace(/=.*/, ''));
  return { command, flags };
}

it('begins the help of every command with examples that call it, with flags that it has', () => {
  expect(commands.length).toBeGreaterThan(25);
  for (const { path, examples, text, isGroup } of commands) {
    expect([path, text.startsWith('Examples:\n  ')]).toEqual([path, true]);
    for (const example of examples) {
      const [words = []] = calledIn(example);
      const { command, flags } = readCall(words);
      const isBelow = path.every((name, at) => command?.path[at] === name);
      const isIts = isGroup ? isBelow : command?.path.join(' ') === path.join(' ');
      expect([example, isIts]).toEqual([example, true]);
      expect(command?.flags).toEqual(expect.arrayContaining(flags));
    }
  }
});

it.each(['docs/cli.md', 'docs/backup.md', 'docs/import.md', 'docs/peppers.md', 'docs/fleet.md'])(
  'has every command and flag that %s calls',
  (path) => {
    const calls = calledIn(read(path));

    for (const words of calls) {
      const { command, flags } = readCall(words);
      expect([words, command?.isGroup]).toEqual([words, false]);
      expect(command?.flags).toEqual(expect.arrayContaining(flags));
    }
  },
);

it('names every command and every flag in docs/cli.md', () => {
  const text = read('docs/cli.md');

  for (const { path, flags, isGroup } of commands) {
    if (isGroup) continue;
    expect(text).toContain(`postern ${path.join(' ')}`);
    for (const flag of flags) expect([path, text.includes(flag) && flag]).toEqual([path, flag]);
  }
});

it('says what the exit codes are and which variables count', async () => {
  const { stdout } = await postern(['--help']);
  const text = read('docs/cli.md');

  for (const name of ['POSTERN_ADDRESS', 'POSTERN_ADMIN_KEY', 'POSTERN_ADMIN_KEY_FILE', 'POSTERN_OWNER']) {
    expect([stdout, text]).toEqual([expect.stringContaining(name), expect.stringContaining(name)]);
  }
  for (const code of [0, 1, 2, 3, 4]) {
    expect(stdout).toMatch(new RegExp(`^ {2}${code} {2}\\w`, 'm'));
    expect(text).toMatch(new RegExp(`^\\| +${code} +\\|`, 'm'));
  }
});

function read(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
}
