import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, posix } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { settingsSchema } from '../../src/settings/settings-schema.ts';
import { postern } from '../cli/console.ts';
import { commandsOf, type HelpedCommand } from '../cli/help.ts';
import { anchorsOf, type Block, blocksOf, linksOf } from './blocks.ts';

const root = new URL('../../', import.meta.url).pathname;
const read = (path: string) => readFileSync(root + path, 'utf8');
const PAGES = [
  ...['README.md', 'SECURITY.md', 'CHANGELOG.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md'],
  ...globSync('docs/**/*.md', { cwd: root }).sort(),
];

describe('links of pages', () => {
  it.each(PAGES)('lead from %s to files and headings that are there', (page) => {
    const broken = linksOf(read(page)).filter((link) => {
      if (/^[a-z]+:/.test(link)) return false;
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? page : posix.join(dirname(page), path);
      if (!existsSync(root + target)) return true;
      return anchor !== undefined && target.endsWith('.md') && !anchorsOf(read(target)).includes(anchor);
    });

    expect(broken).toEqual([]);
  });

  it('lead from docs/README.md to every page under docs', () => {
    const linked = linksOf(read('docs/README.md')).map((link) => posix.join('docs', link.replace(/#.*/, '')));
    const others = PAGES.filter((page) => page.startsWith('docs/') && page !== 'docs/README.md');

    expect(others.filter((page) => !linked.includes(page))).toEqual([]);
  });

  it('stay within the package, from its pages', () => {
    const listed = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: root,
      encoding: 'utf8',
    });
    const [{ files }] = Object.values(JSON.parse(listed)) as [{ files: { path: string }[] }];
    const packed = files.map(({ path }) => path);
    const isPacked = (path: string) => packed.some((file) => file === path || file.startsWith(`${path}/`));

    const broken = packed
      .filter((path) => path.endsWith('.md'))
      .flatMap((page) =>
        linksOf(read(page))
          .filter((link) => !/^[a-z]+:|^#/.test(link))
          .filter((link) => !isPacked(posix.join(dirname(page), link.replace(/#.*/, ''))))
          .map((link) => `${page}: ${link}`),
      );
    expect(packed).toContain('docs/quickstart.md');
    expect(broken).toEqual([]);
  });
});

describe('blocks of code on pages', () => {
  const blocks = PAGES.flatMap((page) => blocksOf(read(page)).map((block) => ({ page, ...block })));
  const of = (...languages: string[]) => blocks.filter(({ language }) => languages.includes(language));
  const where = ({ page, line }: Block & { page: string }) => `${page}:${line}`;
  let commands: readonly HelpedCommand[] = [];
  beforeAll(async () => {
    commands = await commandsOf();
  });

  it('are YAML and JSON where they say so', () => {
    const wrong = [
      ...of('yaml').filter(({ text }) => parseAllDocuments(text).some(({ errors }) => errors.length > 0)),
      ...of('json').filter(({ text }) => !isJson(text)),
    ];

    expect(of('yaml').length).toBeGreaterThan(30);
    expect(wrong.map(where)).toEqual([]);
  });

  it('are settings that config check takes, where they are settings', async () => {
    const names = Object.keys(settingsSchema.shape);
    const isSettings = ({ text }: Block) => {
      // Istio has a tracing of its own.
      if (/@type|\bproviders?:/.test(text)) return false;
      const tree: unknown = parseAllDocuments(text)[0]?.toJS() ?? null;
      return (
        typeof tree === 'object' && tree !== null && Object.keys(tree).every((name) => names.includes(name))
      );
    };
    const settings = of('yaml').filter(isSettings);
    const told = await Promise.all(
      settings.map(async (block) => {
        // What stands apart on a page, as a scheme and the rule that names it, may need what is shown elsewhere.
        const { stdout } = await postern(['config', 'check', 'a.yaml'], { files: { 'a.yaml': block.text } });
        const lines = stdout.split('\n').filter((line) => /there is no setting|expected/.test(line));
        return lines.map((line) => `${where(block)}: ${line}`);
      }),
    );

    expect(settings.length).toBeGreaterThan(10);
    expect(told.flat()).toEqual([]);
  });

  it('are commands that a shell reads', () => {
    const wrong = of('sh', 'bash').filter(
      ({ text }) => spawnSync('bash', ['-n'], { input: text.replaceAll('…', 'x') }).status !== 0,
    );

    expect(of('sh').length).toBeGreaterThan(50);
    expect(wrong.map(where)).toEqual([]);
  });

  it('call postern by commands and flags that it has', () => {
    const wrong = blocks
      .filter(({ language }) => language === 'sh' || language === '')
      .flatMap((block) =>
        callsIn(block.text)
          .filter((words) => !isKnown(words))
          .map((words) => `${where(block)} ${words.join(' ')}`),
      );

    expect(wrong).toEqual([]);
  });

  function isKnown(words: readonly string[]): boolean {
    if (words[0]?.startsWith('-')) return true;
    const known = commands.filter(({ path }) => path.every((name, at) => words[at] === name));
    const command = known.toSorted((one, other) => other.path.length - one.path.length)[0];
    const flags = words.filter((word) => /^--[a-z]/.test(word)).map((word) => word.replace(/=.*/, ''));
    return (
      command !== undefined &&
      !command.isGroup &&
      flags.every((flag) => flag === '--help' || command.flags.includes(flag))
    );
  }
});

/** The words of each call of the command line. */
function callsIn(text: string): string[][] {
  const lines = text.replaceAll(/\\\n/g, ' ').replaceAll(/"[^"\n]*"|'[^'\n]*'/g, 'x');
  const calls = [...lines.matchAll(/(?:^|[($|] ?)(?:npx )?postern ((?:[a-z][\w-]*|--?)[^|)#;&>\n]*)/gm)];
  return calls.map(([, words = '']) => words.split(/\s+/).filter((word) => word !== ''));
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
