import { describe, expect, it } from 'vitest';
import { examineSettings, readSettings, SettingsError } from '../../../src/cli/config/settings.ts';

const noFlags = { set: {} };

describe('what is wrong in the file is told by file, line, setting and what was expected', () => {
  it.each([
    [
      'a typo in a nested key',
      'log:\n  levl: info\n',
      '2: log.levl: there is no setting "levl"; did you mean level?',
    ],
    [
      'a name that is like none',
      'log:\n  colour: true\n',
      '2: log.colour: there is no setting "colour"; there are: level, allows_sample_ratio',
    ],
    [
      'a typo under a plan',
      'plans:\n  pro:\n    limt: 300\n    window: 60s\n',
      '3: plans.pro.limt: there is no setting "limt"; did you mean limit?',
    ],
    [
      'a number for a string',
      'environment: 2026\n',
      /^1: environment: expected a name of .*, got the number 2026$/,
    ],
    [
      'a string for a number',
      'memory:\n  keys_max: "many"\n',
      /^2: memory.keys_max: expected a whole number from 1 to .*, got a string$/,
    ],
    [
      'a number in quotes',
      'http:\n  body_bytes_max: "2048"\n',
      /^2: http.body_bytes_max: .*, got a string; write it without quotes$/,
    ],
    ['a fraction', 'memory:\n  keys_max: 1.5\n', /^2: .* expected a whole number .*, got the number 1.5$/],
    [
      'a number past its bounds',
      'memory:\n  keys_max: 0\n',
      /^2: .* expected a whole number from 1 to 100000000$/,
    ],
    ['a list for a map', 'check: [1]\n', '1: check: expected a map, got a list'],
    ['a map for a list', 'rules: {path: /a}\n', '1: rules: expected a list, got a map'],
    ['nothing for a map', '\ncheck:\n', '2: check: expected a map, got nothing'],
    ['a list for the whole', '- a\n', '1: expected a map, got a list'],
    ['a text for the whole', 'hello\n', '1: expected a map, got a string'],
    [
      'a duration without a unit',
      'retention: "30"\n',
      /^1: retention: expected a duration from 1s to 3650d, such as /,
    ],
    [
      'a duration as a number',
      'retention: 30\n',
      /^1: retention: expected a duration .*, got the number 30$/,
    ],
    [
      'a duration past its bounds',
      'staleness_max: 2h\n',
      /^1: staleness_max: expected a duration from 1s to 1h/,
    ],
    [
      'a choice that is none',
      'log:\n  level: inof\n',
      /^2: log.level: expected "trace", .* or "silent"; did you mean info\?$/,
    ],
    [
      'what is neither a preset nor a scheme',
      'schemes:\n  - 5\n',
      "2: schemes.0: expected a preset's name, or a scheme of one's own, got the number 5",
    ],
    [
      'a preset misspelt',
      'schemes: [postern, powervers]\n',
      '1: schemes.1: there is no preset "powervers"; did you mean powerverse?',
    ],
    [
      'a plan that is none',
      'plans:\n  pro: unlimitd\n',
      '2: plans.pro: expected {limit: 300, window: 60s}, {limits: [{name: burst, limit: 10, window: 1s}, …]} or unlimited, got a string',
    ],
    [
      'a name that can be none',
      'plans:\n  "a b": unlimited\n',
      '2: plans.a b: is not a name for it; expected letters, digits, _ and -',
    ],
    ['a __proto__', '__proto__: {a: 1}\n', '1: __proto__: there is no setting "__proto__"'],
    [
      'a __proto__ where names are free',
      'plans:\n  __proto__: unlimited\n',
      '2: plans.__proto__: there is no setting "__proto__"',
    ],
    [
      'a secret',
      'admin_key: abc\n',
      '1: admin_key: is a secret; expected it in POSTERN_ADMIN_KEY or POSTERN_ADMIN_KEY_FILE',
    ],
    [
      'an anchor that says something wrong',
      'x: &a {levl: info}\nlog: *a\n',
      '1: log.levl: there is no setting "levl"; did you mean level?',
    ],
  ])('%s', (_, yaml, message) => {
    const lines = problemsIn(yaml).filter((line) => !/: x: there is no setting/.test(line));
    expect(lines).toEqual([
      typeof message === 'string'
        ? `a.yaml:${message}`
        : expect.stringMatching(message.source.replace('^', '^a.yaml:')),
    ]);
  });

  it.each([
    ['a syntax error', 'log:\n  level: [info\n', [/^a.yaml:3: /]],
    ['a tab', 'log:\n\tlevel: info\n', [/^a.yaml:2: .*[Tt]ab/]],
    [
      'keys that are there twice, each of them',
      'store: a\nstore: b\nlog: {}\nlog: {}\n',
      [/^a.yaml:2: .*unique/, /^a.yaml:4: .*unique/],
    ],
    ['an unknown tag', 'store: !env HOME\n', [/^a.yaml:1: .*!env/]],
    ['an alias of nothing', 'store: *a\n', [/^a.yaml:1: there is no anchor &a before this alias$/]],
    ['two documents', 'store: a\n---\nstore: b\n', [/^a.yaml:2: .*multiple documents/]],
    ['aliases that grow past all bounds', bomb(), [/^a.yaml: .*alias/]],
  ])('YAML with %s', (_, yaml, lines) => {
    expect(problemsIn(yaml)).toEqual(lines.map((line) => expect.stringMatching(line)));
  });

  it('an alias that holds itself', () => {
    expect(problemsIn('log: &a\n  level: info\n  log: *a\n')).toEqual([
      expect.stringMatching(/^a.yaml:3: log.log: there is no setting "log"/),
    ]);
  });
});

describe('a file', () => {
  it.each(['', '# nothing yet\n', '---\n', '{}'])('may be empty: %j', (yaml) => {
    expect(problemsIn(yaml)).toEqual([]);
  });

  it.each([
    ['ENOENT', 'a.yaml cannot be read: ENOENT, there is no such file'],
    ['EACCES', 'a.yaml cannot be read: EACCES, permission denied'],
    ['EISDIR', 'a.yaml cannot be read: EISDIR, it is a folder'],
    ['EIO', 'a.yaml cannot be read: EIO'],
  ])('that cannot be read is named, with why: %s', (code, line) => {
    const readFile = () => {
      throw Object.assign(new Error('no'), { code });
    };
    expect(examineSettings({ config: 'a.yaml', set: {} }, {}, readFile).problems).toEqual([line]);
  });
});

describe('flags go over the environment, which goes over the file', () => {
  const yaml = 'environment: file\nlog: {level: warn}\ncheck: {listen: "127.0.0.1:1"}\n';
  const environment = {
    POSTERN_CONFIG: 'a.yaml',
    POSTERN_ENVIRONMENT: 'variable',
    POSTERN_LOG_LEVEL: 'error',
  };

  it('one setting at a time, each with where it came from', () => {
    const settings = examineSettings({ set: { 'log.level': 'debug' } }, environment, () => yaml);

    expect(settings.config).toMatchObject({
      environment: 'variable',
      logLevel: 'debug',
      check: { listen: { port: 1 } },
    });
    const paths = [['log', 'level'], ['environment'], ['check', 'listen'], ['store']];
    expect(paths.map((path) => settings.originOf(path))).toEqual([
      '--log-level',
      'POSTERN_ENVIRONMENT',
      'a.yaml:3',
      null,
    ]);
  });

  it('where they say something wrong, they are named and not the file', () => {
    const wrong = { ...environment, POSTERN_ENVIRONMENT: 'A', POSTERN_HTTP_LISTEN: 'x' };

    expect(examineSettings({ set: { store: 'x' } }, wrong, () => yaml).problems).toEqual([
      expect.stringMatching(/^POSTERN_HTTP_LISTEN: http.listen: expected host:port/),
      expect.stringMatching(/^--store: store: expected sqlite:FILE/),
      expect.stringMatching(/^POSTERN_ENVIRONMENT: environment: expected a name/),
    ]);
  });

  it('and digits are text in them', () => {
    const digits = { POSTERN_ENVIRONMENT: '2026', POSTERN_REPLICA_ID: '7' };

    expect(readSettings(noFlags, digits).config).toMatchObject({ environment: '2026', replicaId: '7' });
  });

  it('and do not hide what is wrong with the file around them', () => {
    const settings = examineSettings(
      { config: 'a.yaml', set: { 'log.level': 'info' } },
      {},
      () => 'log: [1]\n',
    );

    expect(settings.problems).toEqual(['a.yaml:1: log: expected a map, got a list']);
  });

  it('and change no other setting that shares an anchor', () => {
    const shared = 'check: &a {listen: "127.0.0.1:1"}\nhttp: *a\n';
    const settings = examineSettings({ config: 'a.yaml', set: { 'http.listen': 'a:2' } }, {}, () => shared);

    expect(settings.config).toMatchObject({ check: { listen: { port: 1 } }, http: { listen: { port: 2 } } });
  });
});

describe('the environment', () => {
  it('has a _FILE form for every variable, the file included', () => {
    const files: Record<string, string> = {
      s: ' sqlite:x.db\n',
      k: `${'k'.repeat(40)}\n`,
      c: 'a.yaml\n',
      'a.yaml': '',
    };
    const environment = { POSTERN_STORE_FILE: 's', POSTERN_ADMIN_KEY_FILE: 'k', POSTERN_CONFIG_FILE: 'c' };
    const settings = examineSettings(noFlags, environment, (path) => files[path] ?? '');

    expect(settings).toMatchObject({ problems: [], file: 'a.yaml', secretsSet: ['POSTERN_ADMIN_KEY_FILE'] });
    expect(settings.config?.store).toEqual({ kind: 'sqlite', path: 'x.db' });
  });

  it('is told all that is wrong with it at once, and of no secret its value', () => {
    const readFile = () => {
      throw Object.assign(new Error('no'), { code: 'ENOENT' });
    };
    const environment = {
      POSTERN_STROE: 'x',
      POSTERN_LOG_LEVEL: 'a',
      POSTERN_LOG_LEVEL_FILE: 'b',
      POSTERN_REPLICA_ID_FILE: '/nowhere',
      POSTERN_ADMIN_KEY: 'geheim',
      POSTERN_PEPPERS: 'a:geheim',
      POSTERN_STORE: 'mongodb://me:geheim@h',
    };

    expect(examineSettings(noFlags, environment, readFile).problems).toEqual([
      'POSTERN_STROE: there is no such setting; did you mean POSTERN_STORE?',
      'POSTERN_LOG_LEVEL and POSTERN_LOG_LEVEL_FILE are both set; set one of them',
      'POSTERN_REPLICA_ID_FILE: /nowhere cannot be read: ENOENT, there is no such file',
      'POSTERN_STORE: store: the MongoDB address must name a database: mongodb://HOST:PORT/DATABASE',
      'POSTERN_ADMIN_KEY: expected 32 or more printable ASCII characters without spaces',
      'POSTERN_PEPPERS: expected id:base64,id:base64 with 32 or more bytes each',
    ]);
  });
});

it('settings that are wrong are refused with all that is wrong, in the order of the file', () => {
  const yaml = 'log: {level: x}\nrules:\n  - match: {path: a}\nstore: x\n';
  const read = () => readSettings({ set: {} }, { POSTERN_CONFIG: '/dev/null', POSTERN_LOG_LEVEL: 'x' });

  expect(problemsIn(yaml).map((line) => /\d+/.exec(line)?.[0])).toEqual(['1', '3', '4']);
  expect(read).toThrow(SettingsError);
  expect(read).toThrow(/^POSTERN_LOG_LEVEL: log.level: expected/);
});

function problemsIn(yaml: string): readonly string[] {
  return examineSettings({ config: 'a.yaml', set: {} }, {}, () => yaml).problems;
}

function bomb(): string {
  const levels = Array.from(
    { length: 9 },
    (_, level) => `a${level + 1}: &a${level + 1} [${Array(9).fill(`*a${level}`)}]`,
  );
  return `a0: &a0 [x]\n${levels.join('\n')}\n`;
}
