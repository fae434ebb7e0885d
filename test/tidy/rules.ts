import {
  type File,
  find,
  functionsOf,
  type Import,
  importsOf,
  type Violation,
  withoutComments,
} from './repository.ts';
import { ENTRANCE, ROOMS, roomsTable } from './rooms.ts';

/** Something that holds in the whole repository. */
export interface Rule {
  /** A sentence. */
  readonly title: string;
  check(files: readonly File[]): Violation[];
  /** The smallest repository that breaks it, path → text, in every way that the rule looks for. */
  readonly broken: Readonly<Record<string, string>>;
  /** How many violations `check` finds in `broken`. */
  readonly breaks: number;
}

const FILE_LINES_MAX = 250;
const FUNCTION_LINES_MAX = 70; // each function inside it counts as one line
const ENTRANCE_FILES_MAX = 6;
const FOLDER_FILES_MAX = 25;
const START = 'src/cli/main.ts';
/** What is begun at: programs that are run by their paths, in threads and processes of the service, and what is imported by name. */
const PROGRAMS = [START, 'src/cli/serving/workers/check-worker.ts', 'src/client/client.ts'];

/** Core files that do no input or output, and import none that does. */
const PURE: ReadonlySet<string> = new Set([
  ...[
    'access',
    'permissions',
    'context',
    'credential',
    'denial',
    'grpc-denial',
    'hosts',
    'places',
    'principals',
    'request',
    'reserved-headers',
    'route',
    'rules',
    'withheld',
  ].map((name) => `src/check/${name}.ts`),
  ...['hmac', 'key', 'owner', 'secret'].map((name) => `src/keys/${name}.ts`),
  ...['answer', 'checksum', 'scheme'].map((name) => `src/schemes/${name}.ts`),
  ...['src/keys/limit.ts', 'src/check/rate-headers.ts', 'src/limits/period.ts', 'src/limits/verdict.ts'],
  ...['src/failure.ts', 'src/limits/plan.ts', 'src/net/address.ts', 'src/time/time.ts'],
]);
const PURE_BUILTINS = /^node:(?:crypto|zlib)$/;
const PURE_NET = /^import \{(?:\s*(?:type )?(?:isIP|isIPv4|isIPv6|BlockList|SocketAddress)\s*,?)+\s*\} from/;

export const RULES: readonly Rule[] = [
  {
    title:
      'a room imports itself, the rooms and the packages of its row in test/tidy/rooms.ts, and the entrance',
    check: eachImport(isSource, (file, { target, isOurs }) => {
      const room = roomOf(file.path);
      if (room === '') return isOurs ? [`stands in the entrance and imports ${target}`] : [];
      const row = ROOMS[room];
      if (row === undefined) return ['is in a room that has no row'];
      const allowed = isOurs
        ? ENTRANCE.has(target) || isAsset(target) || [room, ...row.rooms].includes(roomOf(target))
        : ownPackage(row.packages, target);
      return allowed ? [] : [`imports ${target}`];
    }),
    broken: {
      'src/keys/key.ts':
        "import { a } from '../mongo/a.ts';\nimport b from 'mongodb';\nimport '../failure.ts';\n",
      'src/http/a.ts':
        "import '../mongo/a.ts';\nimport {\n  b,\n} from 'mongodb';\nawait import('../../x.ts');\n",
      'src/attic/a.ts': "import '../keys/key.ts';\n",
      'src/failure.ts': "import './keys/key.ts';\n",
    },
    breaks: 7,
  },
  {
    title: 'the table of rooms is a DAG: a row names only rows above it',
    check: () => {
      const names = Object.keys(ROOMS);
      return names.flatMap((name, at) =>
        (ROOMS[name]?.rooms ?? [])
          .filter((room) => !names.slice(0, at).includes(room))
          .map((room) => `test/tidy/rooms.ts: ${name} may not import ${room}, which stands below it`),
      );
    },
    broken: {},
    breaks: 0,
  },
  {
    title: 'every row of the table is used: no import is allowed that nobody makes',
    check: (files) => {
      if (!files.some(({ path }) => path === START)) return [];
      const made = new Set(
        files.filter(isSource).flatMap((file) =>
          importsOf(file)
            .filter(({ isOurs }) => isOurs)
            .map(({ target }) => `${roomOf(file.path)} ${roomOf(target)}`),
        ),
      );
      return Object.entries(ROOMS).flatMap(([name, { rooms }]) =>
        rooms.filter((room) => !made.has(`${name} ${room}`)).map((room) => `${name} never imports ${room}`),
      );
    },
    broken: {},
    breaks: 0,
  },
  {
    title: 'the file that a room opens on begins with what belongs there and what does not',
    check: (files) =>
      Object.entries(ROOMS).flatMap(([name, { opens }]) =>
        files
          .filter(({ path }) => path === `src/${name}/${opens}`)
          .filter(({ text }) => !/^\/\*\*\n \* Room `(\w+)\/`[\s\S]*?Not(?:\n \*)? here:/.test(text))
          .map(({ path }) => `${path}:1 does not say what its room is for`),
      ),
    broken: { 'src/check/authorize.ts': "import '../keys/key.ts';\n" },
    breaks: 1,
  },
  {
    title: 'ARCHITECTURE.md shows the table of rooms as it is',
    check: (files) =>
      files
        .filter(({ path }) => path === 'ARCHITECTURE.md')
        .filter(({ text }) => !text.includes(roomsTable()))
        .map(({ path }) => `${path}:1 shows another table than test/tidy/rooms.ts:\n${roomsTable()}`),
    broken: { 'ARCHITECTURE.md': '| room | holds | imports |\n' },
    breaks: 1,
  },
  {
    title: 'no files import each other in a circle',
    check: (files) => {
      const sources = new Map(files.filter(isSource).map((file) => [file.path, targetsOf(file)]));
      return [...sources].flatMap(([path, targets]) =>
        targets
          .filter((target) => reaches(target, path, sources))
          .map((to) => `${path}:1 is in a circle by ${to}`),
      );
    },
    broken: {
      'src/keys/a.ts': "import './b.ts';\n",
      'src/keys/b.ts': "import type { C } from './c.ts';\n",
      'src/keys/c.ts': "import './a.ts';\nimport './d.ts';\n",
      'src/keys/d.ts': '',
    },
    breaks: 3,
  },
  {
    title: `src opens on at most ${ENTRANCE_FILES_MAX} files`,
    check: (files) => {
      const entrance = files.filter(({ path }) => /^src\/[^/]+\.ts$/.test(path));
      return entrance.length > ENTRANCE_FILES_MAX ? [`src: ${entrance.length} files`] : [];
    },
    broken: Object.fromEntries(
      Array.from({ length: ENTRANCE_FILES_MAX + 1 }, (_, at) => [`src/a${at}.ts`, '']),
    ),
    breaks: 1,
  },
  {
    title: `no folder of src, bench or test holds more than ${FOLDER_FILES_MAX} files`,
    check: (files) => {
      const counts = new Map<string, number>();
      for (const { path } of files.filter((file) => isSource(file) || isBench(file) || isTest(file))) {
        const folder = path.slice(0, path.lastIndexOf('/'));
        counts.set(folder, (counts.get(folder) ?? 0) + 1);
      }
      return [...counts]
        .filter(([, n]) => n > FOLDER_FILES_MAX)
        .map(([folder, n]) => `${folder}: ${n} files`);
    },
    broken: Object.fromEntries(
      ['src/keys', 'bench/client', 'test/keys'].flatMap((folder) =>
        Array.from({ length: FOLDER_FILES_MAX + 1 }, (_, at) => [`${folder}/a${at}.ts`, '']),
      ),
    ),
    breaks: 3,
  },
  {
    title: 'only cli reads the arguments and the environment, and exits',
    check: each(isOutsideCli, (file) =>
      find(withoutComments(file), /\bprocess\.(?:argv|env|exit)\b|'node:process'/g, 'is for cli alone'),
    ),
    broken: {
      'src/a.ts': "process.exit(1);\nconst { env } = process.env;\nimport { argv } from 'node:process';\n",
    },
    breaks: 3,
  },
  {
    title: 'the pure files do no input or output',
    check: eachImport(isPure, (_, { target, isOurs, isType, statement }) => {
      const allowed = isOurs
        ? isType || isPure({ path: target })
        : PURE_BUILTINS.test(target) || (target === 'node:net' && PURE_NET.test(statement));
      return allowed ? [] : [`is pure and imports ${target}`];
    }),
    broken: {
      'src/keys/key.ts':
        "import 'node:fs';\nimport { connect } from 'node:net';\nimport { a } from './keyring.ts';\n",
    },
    breaks: 3,
  },
  {
    title: `no file of code is longer than ${FILE_LINES_MAX} lines`,
    check: each(isProgram, (file) => {
      const lines = file.text.trimEnd().split('\n').length;
      return lines > FILE_LINES_MAX ? [`${file.path}:${lines} the file has ${lines} lines`] : [];
    }),
    broken: { 'src/a.ts': 'f();\n'.repeat(FILE_LINES_MAX + 1) },
    breaks: 1,
  },
  {
    title: `no function is longer than ${FUNCTION_LINES_MAX} lines`,
    check: each(isProgram, (file) =>
      functionsOf(file)
        .filter(({ lines }) => lines > FUNCTION_LINES_MAX)
        .map(({ line, lines }) => `${file.path}:${line} the function has ${lines} lines`),
    ),
    broken: {
      'src/a.ts': `const f = (n: number): void => {\n${'f(n);\n'.repeat(FUNCTION_LINES_MAX - 1)}};\n`,
    },
    breaks: 1,
  },
  {
    title: 'files have names in kebab case that say what is in them',
    check: each(isCode, ({ path }) => {
      const name = path.replace(/^.*\//, '');
      const kebab = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z]+)+$/.test(name);
      const drawer = /(?:^|-)(?:utils?|helpers?|common|managers?|misc|index)[-.]/.test(name);
      return kebab && !drawer ? [] : [`${path}:1 is not a name for a file`];
    }),
    broken: { 'src/keyRing.ts': '', 'src/http/index.ts': '', 'test/string-utils.ts': '' },
    breaks: 3,
  },
  {
    title: 'code holds no reminders',
    check: each(isCode, (file) => find(file, /\b(?:TODO|FIXME|XXX)\b/g, 'is left over')),
    broken: { 'src/a.ts': '// TODO\n', 'test/a.test.ts': '/* XXX */\n' },
    breaks: 2,
  },
  {
    title: 'no program goes around the type checker or needs more than its types stripped',
    check: each(isProgram, (file) => {
      const around = /\bas any\b|\bas unknown as\b|: any\b|<any\b|\bany\[\]/g;
      const code = withoutComments(file);
      return [
        ...find(file, /@ts-(?:ignore|nocheck|expect-error)\b/g, 'silences the type checker'),
        ...find(code, around, 'goes around the type checker'),
        ...find(code, /^\s*(?:export |declare |const )*(?:enum|namespace) \w/gm, 'cannot be stripped'),
      ];
    }),
    broken: { 'src/a.ts': '// @ts-ignore\nlet a: any = b as unknown as c;\nexport const enum D {}\n' },
    breaks: 4,
  },
  {
    title: 'nothing but cli writes to the console',
    check: each(isOutsideCli, (file) =>
      find(
        withoutComments(file),
        /\bconsole\.(?:assert|debug|dir|error|info|log|table|time|trace|warn)\b/g,
        'is for cli alone',
      ),
    ),
    broken: { 'src/a.ts': 'console.log(1);\n' },
    breaks: 1,
  },
  {
    title: `every file in src is reached from ${PROGRAMS.join(' or ')}`,
    check: (files) => {
      const sources = files.filter(({ path }) => path.startsWith('src/') && path.endsWith('.ts'));
      const reached = reach(PROGRAMS, new Map(sources.map((file) => [file.path, file])));
      return sources.filter(({ path }) => !reached.has(path)).map(({ path }) => `${path}:1 is dead`);
    },
    broken: { [START]: "export * from '../a.ts';\n", 'src/a.ts': '', 'src/b.ts': "import './a.ts';\n" },
    breaks: 1,
  },
  {
    title: 'no test is skipped or runs alone',
    check: each(isTest, (file) =>
      find(
        file,
        /\b(?:it|test|describe|suite|ctx|context)\.(?:only|skip|skipIf|runIf|todo)\b/g,
        'leaves out tests',
      ),
    ),
    broken: { 'test/a.test.ts': "it.skip('a');\ndescribe.only('b');\n" },
    breaks: 2,
  },
  {
    title: 'no test waits for time to pass',
    check: each(
      (file) => isTest(file) && !file.path.startsWith('test/real/'),
      (file) =>
        find(
          file,
          /'node:timers\/promises'|\bawait (?:sleep|delay|setTimeout)\(|\bnew Promise(?:<\w+>)?\(\(?\w*\)? => (?:\{\s*)?setTimeout\(/g,
          'waits for time to pass',
        ),
    ),
    broken: {
      'test/a.test.ts': 'await sleep(5);\nawait new Promise((r) => {\n  setTimeout(r, 5);\n});\n',
    },
    breaks: 2,
  },
  {
    title: 'no test judges by a clock how fast something was, nor has a deadline shorter than the suite has',
    check: each(
      (file) => isTest(file) && file.path !== 'test/real/until.ts',
      (file) => [
        ...find(
          file,
          /(?:Date|performance)\.now\(\) - \w+\)?\s*(?:, [^()]*)?\)\s*\.toBeLessThan/g,
          'is late on a busy machine: see earlierThan in test/real/until.ts',
        ),
        ...find(file, /\bvi\.wait(?:For|Until)\(/g, 'gives up after a second: see expect.poll'),
        ...find(
          file,
          /\b(?:testTimeout|hookTimeout): (?:\d{1,2}|[12]\d{2})_\d{3}\b|^(?: {2})?\}, (?:(?:\d{1,2}|[12]\d{2})_)?\d{3}\);$/gm,
          'is a deadline shorter than the suite has',
        ),
        ...find(
          file,
          /\bpoll\((?:[^;]|\n)*?\{ timeout: (?:(?:\d{1,2}|1[01]\d)_)?\d{3} \}/g,
          'is a deadline shorter than the suite has',
        ),
        ...find(file, /\.listen\([1-9]\d{2,4}\b/g, 'is a port that somebody else may have'),
      ],
    ),
    broken: {
      'test/a.test.ts': [
        'expect(performance.now() - began).toBeLessThan(250);',
        'expect(performance.now() - began, `what`).toBeLessThan(250);',
        'await vi.waitFor(() => expect(a).toBe(1));',
        'vi.setConfig({ testTimeout: 30_000 });',
        'beforeAll(async () => {\n}, 60_000);',
        'await expect.poll(() => a, { timeout: 5_000 }).toBe(1);',
        "server.listen(8080, '127.0.0.1');",
        '',
      ].join('\n'),
    },
    breaks: 7,
  },
  {
    title: 'no file holds anything that looks like a key of a vendor',
    check: each(
      () => true,
      (file) =>
        find(
          file,
          /\b(?:mvra_live_[A-Za-z0-9]{16}|(?:ak|sk|pst)_(?:live|test)_\w{16}|mr_live_[\w-]{16}|sk-mira-[0-9a-f]{16})/g,
          'looks like a key: make it when it is needed',
        ),
    ),
    broken: {
      'README.md': `sk_live${'_a'.repeat(9)}\nsk-mira-${'0'.repeat(40)}\npst_test_${'x'.repeat(49)}\n`,
    },
    breaks: 3,
  },
];

type Where = Pick<File, 'path'>;

/** All code but this file, which quotes what it forbids. */
function isCode({ path }: Where): boolean {
  return (
    path !== 'test/tidy/rules.ts' && /^(?:src|test|bench|bin|scripts|deploy)\/.*\.[cm]?[jt]s$/.test(path)
  );
}

function isProgram(file: Where): boolean {
  return isCode(file) && !isTest(file);
}

function isTest(file: Where): boolean {
  return isCode(file) && file.path.startsWith('test/');
}

function isSource({ path }: Where): boolean {
  return path.startsWith('src/') && path.endsWith('.ts');
}

function isBench({ path }: Where): boolean {
  return path.startsWith('bench/') && path.endsWith('.ts');
}

/** Data of a package of its own, read at run time: not code of another room. */
function isAsset(path: string): boolean {
  return path === 'package.json';
}

function isOutsideCli({ path }: Where): boolean {
  return path.startsWith('src/') && path.endsWith('.ts') && !path.startsWith('src/cli/');
}

function isPure({ path }: Where): boolean {
  return PURE.has(path);
}

/** Empty for a file of the entrance, and for what is not in src. */
function roomOf(path: string): string {
  return /^src\/([^/]+)\//.exec(path)?.[1] ?? '';
}

function targetsOf(file: File): string[] {
  return importsOf(file)
    .filter(({ isOurs }) => isOurs)
    .map(({ target }) => target);
}

function reaches(from: string, to: string, sources: ReadonlyMap<string, readonly string[]>): boolean {
  const seen = new Set<string>();
  const waiting = [from];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (path === to) return true;
    if (seen.has(path)) continue;
    seen.add(path);
    waiting.push(...(sources.get(path) ?? []));
  }
  return false;
}

function ownPackage(packages: readonly string[] | undefined, target: string): boolean {
  if (target.startsWith('node:')) return true;
  return (packages ?? []).some((name) => target === name || target.startsWith(`${name}/`));
}

function each(where: (file: Where) => boolean, check: (file: File) => Violation[]): Rule['check'] {
  return (files) => files.filter(where).flatMap(check);
}

function eachImport(
  where: (file: Where) => boolean,
  judge: (file: File, named: Import) => string[],
): Rule['check'] {
  return each(where, (file) =>
    importsOf(file).flatMap((named) =>
      judge(file, named).map((what) => `${file.path}:${named.line} ${what}`),
    ),
  );
}

function reach(starts: readonly string[], files: ReadonlyMap<string, File>): Set<string> {
  const reached = new Set<string>();
  const waiting = [...starts];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const file = files.get(path);
    if (!file || reached.has(path)) continue;
    reached.add(path);
    waiting.push(...importsOf(file).map(({ target }) => target));
  }
  return reached;
}
