import {
  type File,
  find,
  functionsOf,
  type Import,
  importsOf,
  type Violation,
  withoutComments,
} from './repository.ts';

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
const START = 'src/cli/main.ts';

/** The packages that a core file exists for. */
const CORE_PACKAGES: Readonly<Record<string, readonly string[]>> = {
  'src/admin/admin-fields.ts': ['zod'],
  'src/admin/admin-input-schema.ts': ['zod'],
  'src/admin/admin-input.ts': ['zod'],
  'src/settings/answer-spec.ts': ['zod'],
  'src/telemetry/counted-histogram.ts': ['prom-client'],
  'src/admin/import-input.ts': ['zod'],
  'src/settings/console-settings.ts': ['zod'],
  'src/settings/event-settings.ts': ['zod'],
  'src/events/failure-notices.ts': ['lru-cache'],
  'src/events/use-notices.ts': ['lru-cache'],
  'src/settings/plan-spec.ts': ['zod'],
  'src/settings/rule-spec.ts': ['zod'],
  'src/settings/setting-forms.ts': ['zod'],
  'src/settings/settings-json-schema.ts': ['zod'],
  'src/settings/settings-schema.ts': ['zod'],
  'src/settings/scheme-spec.ts': ['zod'],
  'src/telemetry/telemetry.ts': ['pino', 'prom-client'],
  'src/telemetry/telemetry-gauges.ts': ['prom-client'],
  'src/tracing/tracing-attributes.ts': ['@opentelemetry/api'],
  'src/tracing/tracing-context.ts': ['@opentelemetry/api'],
  'src/settings/tracing-settings.ts': ['zod'],
  'src/tracing/tracing.ts': ['@opentelemetry/api'],
};

/** The packages that belong to a folder. */
const FOLDER_PACKAGES: Readonly<Record<string, readonly string[]>> = {
  cli: ['commander', 'pino', 'pino-pretty', 'recheck', 'yaml', 'zod'],
  console: ['@fastify/cookie', '@fastify/formbody', 'fastify', 'htm', 'preact', 'preact-render-to-string'],
  grpc: ['@bufbuild/protobuf', '@grpc/grpc-js', '@grpc/reflection', 'grpc-health-check'],
  h2: [],
  http: ['fastify', 'prom-client'],
  mongo: ['mongodb'],
  otel: [
    '@opentelemetry/api',
    '@opentelemetry/core',
    '@opentelemetry/exporter-trace-otlp-proto',
    '@opentelemetry/resources',
    '@opentelemetry/sdk-trace',
  ],
  presets: ['yaml'],
  sqlite: [],
};

/** Core files that do no input or output, and import none that does. */
const PURE = new Set(
  'access address answer checksum credential denial failure hmac key owner plan request route rules scheme secret time'.split(
    ' ',
  ),
);
const PURE_BUILTINS = /^node:(?:crypto|zlib)$/;
const PURE_NET = /^import \{(?:\s*(?:type )?(?:isIP|isIPv4|isIPv6|BlockList|SocketAddress)\s*,?)+\s*\} from/;

export const RULES: readonly Rule[] = [
  {
    title: 'the core imports the core, Node, and a package only where the file exists for it',
    check: eachImport(isCore, (file, { target, isOurs }) => {
      const allowed = isOurs ? isCore({ path: target }) : ownPackage(CORE_PACKAGES[file.path], target);
      return allowed ? [] : [`imports ${target}`];
    }),
    broken: {
      'src/keys/key.ts':
        "import { a } from './mongo/a.ts';\nimport b from 'mongodb';\nimport c from 'zod';\n",
    },
    breaks: 3,
  },
  {
    title: 'a folder imports the core and its own packages, never another folder',
    check: eachImport(isInFolder, (file, { target, isOurs }) => {
      const folder = folderOf(file.path);
      const allowed = isOurs
        ? isCore({ path: target }) || folderOf(target) === folder || folder === 'cli'
        : ownPackage(FOLDER_PACKAGES[folder], target);
      return allowed ? [] : [`imports ${target}`];
    }),
    broken: {
      'src/http/a.ts':
        "import '../mongo/a.ts';\nimport {\n  b,\n} from 'mongodb';\nawait import('../../x.ts');\n",
    },
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
      return kebab && !drawer ? [] : [`${path}:1 is no name for a file`];
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
    title: `every file in src is reached from ${START}`,
    check: (files) => {
      const sources = files.filter(({ path }) => path.startsWith('src/') && path.endsWith('.ts'));
      const reached = reach(START, new Map(sources.map((file) => [file.path, file])));
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

function isCore({ path }: Where): boolean {
  return /^src\/[^/]+\.ts$/.test(path);
}

function isInFolder({ path }: Where): boolean {
  return /^src\/[^/]+\/.*\.ts$/.test(path);
}

function isOutsideCli({ path }: Where): boolean {
  return path.startsWith('src/') && path.endsWith('.ts') && !path.startsWith('src/cli/');
}

function isPure({ path }: Where): boolean {
  return isCore({ path }) && PURE.has(path.slice('src/'.length, -'.ts'.length));
}

function folderOf(path: string): string {
  return /^src\/([^/]+)\//.exec(path)?.[1] ?? '';
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

function reach(start: string, files: ReadonlyMap<string, File>): Set<string> {
  const reached = new Set<string>();
  const waiting = [start];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const file = files.get(path);
    if (!file || reached.has(path)) continue;
    reached.add(path);
    waiting.push(...importsOf(file).map(({ target }) => target));
  }
  return reached;
}
