import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readPresets } from '../../src/presets/read.ts';
import { type Config, type ConfigSurroundings, readConfig } from '../../src/settings/config.ts';
import { ConfigError } from '../../src/settings/config-problem.ts';
import { configWarnings } from '../../src/settings/config-warnings.ts';
import type { SecretSettings } from '../../src/settings/secret-settings.ts';

const surroundings: ConfigSurroundings = { presets: readPresets(), judgePattern: () => null };
const key = Buffer.alloc(32, 7).toString('base64');
const acme = `
  - name: acme
    places: [{ header: X-Acme-Key }]
    prefixes: { acme_: live }
    accept: { alphabet: A-Za-z0-9, min: 30 }
    mint: { alphabet: A-Za-z0-9, length: 32 }
`;

describe('readConfig', () => {
  it('fills in every default', () => {
    const config = read('');

    expect(config.schemes.map(({ name }) => name)).toEqual([...surroundings.presets.keys()]);
    expect(config).toMatchObject({
      check: { listen: { kind: 'tcp', host: '127.0.0.1', port: 50_051 }, unavailableAs: 'error_response' },
      admin: { listen: { port: 50_052 } },
      http: { listen: { port: 8_080 } },
      store: { kind: 'sqlite', path: 'data/postern.db' },
      environment: 'live',
      logLevel: 'info',
      stalenessMaxMs: 15_000,
      replicaId: null,
      adminKey: null,
      peppers: [],
      rules: [],
    });
  });

  it('reads a number of processes, as a text too, which the environment has, or auto', () => {
    const processes = ['', 'processes: 3', "processes: '16'", 'processes: auto'].map(
      (yaml) => read(yaml).processes,
    );
    expect(processes).toEqual([1, 3, 16, 'auto']);
    for (const wrong of ['0', '-1', '1.5', '257', "''", "'0'", "'257'", "'1e1'", 'all', 'null', '[2]']) {
      expect(() => read(`processes: ${wrong}`)).toThrow('expected a whole number from 1 to 256, or auto');
    }
  });

  it('keeps the schemes in the order of the list', () => {
    const { schemes, adminScheme } = read(`schemes:\n  - mira\n${acme.slice(1)}`);

    expect(schemes.map(({ name }) => name)).toEqual(['mira', 'acme']);
    expect(adminScheme.name).toBe('postern');
  });

  it('gives a scheme without answers those of postern', () => {
    const { schemes, adminScheme } = read(`schemes: ${acme}`);

    expect(schemes[0].answers).toBe(adminScheme.answers);
  });

  it('reads keys for checksums and peppers, the first of which signs', () => {
    const secrets = { checksumKeys: `a:${key}`, peppers: `b:${key}, c:${key}` };
    const config = read(`schemes: ${acme}    checksum: hmac`, secrets);

    expect(config.schemes[0].checksum?.length).toBe(11);
    expect(config.peppers.map(({ id }) => id)).toEqual(['b', 'c']);
  });

  it('says that checksum keys are wrong once, and not that there are none', () => {
    expect(problemsOf(`schemes: ${acme}    checksum: hmac`, { checksumKeys: `a:${key},a:${key}` })).toEqual([
      'POSTERN_CHECKSUM_KEYS: the same id is there twice; expected an id for each key',
    ]);
  });

  it('says all that is wrong at once, of every kind', () => {
    const problems = problemsOf(
      `lgo: {}\nstore: x\nschemes: [mirra]\nrules:\n  - match: { path: /a }\n    scheme: acme\n`,
      { adminKey: 'short', peppers: 'x' },
    );

    expect(problems.map((line) => line.split(': ')[0])).toEqual([
      'store',
      'lgo',
      'schemes.0',
      'rules.0.scheme',
      'POSTERN_ADMIN_KEY',
      'POSTERN_PEPPERS',
    ]);
  });
});

const hostError =
  'expected a host name without scheme, port and path, such as api.example.com, or *.example.com for all below it';

describe('rules', () => {
  it.each([
    [
      '{ match: { path: /a }, scheme: mirra }',
      'rules.0.scheme: "mirra" is not among the schemes; did you mean mira?',
    ],
    ['{ match: {} }', 'rules.0.match: expected a host, methods, a path or preflight: true'],
    ['{ match: { path: /a/../b } }', 'rules.0.match.path: is not a normal path; expected /b'],
    ['{ match: { path: //a/* } }', 'rules.0.match.path: is not a normal path; expected /a/*'],
    [
      '{ match: { path: /a* } }',
      'rules.0.match.path: expected a path such as /a/b, or /a/* for all below /a',
    ],
    ['{ match: { path: a } }', 'rules.0.match.path: expected a path such as /a/b, or /a/* for all below /a'],
    [
      '{ match: { methods: [get] } }',
      'rules.0.match.methods.0: "get" is not a method of HTTP; did you mean GET?',
    ],
    [
      '{ match: { path: /a }, permissions: ["a b"] }',
      'rules.0.permissions.0: expected printable ASCII without spaces and commas',
    ],
    [
      '{ match: { path: /a }, permision: [a] }',
      'rules.0.permision: there is no setting "permision"; did you mean permissions?',
    ],
    [
      '{ match: { methods: [GTE] } }',
      'rules.0.match.methods.0: "GTE" is not a method of HTTP; did you mean GET?',
    ],
    [
      '{ match: { methods: [FROB] } }',
      'rules.0.match.methods.0: "FROB" is not a method of HTTP; expected one that IANA has registered, in upper case',
    ],
    [
      '{ match: { host: "https://a.example/x" } }',
      `rules.0.match.host: ${hostError}; did you mean "a.example"?`,
    ],
    ['{ match: { host: "*" } }', `rules.0.match.host: ${hostError}; leave it out for any host`],
    [
      '{ match: { host: bücher.example } }',
      `rules.0.match.host: ${hostError}; did you mean "xn--bcher-kva.example"?`,
    ],
    ['{ match: { host: "::1" } }', `rules.0.match.host: ${hostError}; did you mean "[::1]"?`],
    ['{ match: { host: a b.example } }', `rules.0.match.host: ${hostError}`],
    [
      '{ match: { preflight: true, methods: [GET] } }',
      'rules.0.match: a preflight is an OPTIONS request; expected no methods beside preflight: true',
    ],
    ['{ match: { path: "/a?b=c" } }', 'rules.0.match.path: is not a normal path; expected /a'],
    ['{ permissions: [a] }', 'rules.0.match: is missing; expected a map'],
  ])('%s is refused', (rule, line) => {
    expect(problemsOf(`rules:\n  - ${rule}\n`)).toEqual([line]);
  });

  it.each([
    ['{ path: /a }', '{ path: /a }'],
    ['{ host: A.example, path: /a }', '{ host: a.example., path: /a }'],
    ['{ methods: [GET, POST] }', '{ methods: [POST] }'],
    ['{ preflight: true }', '{ preflight: true, methods: [OPTIONS] }'],
  ])('%s leaves nothing to %s, which is refused', (one, other) => {
    expect(problemsOf(`rules:\n  - match: ${one}\n  - match: ${other}\n`)).toEqual([
      'rules.1.match: matches what rules.0 matches, which goes first; expected one rule for one match',
    ]);
  });

  it.each([
    ['{ path: /a }', '{ path: /a/* }'],
    ['{ path: /a }', '{ path: /a, host: b }'],
    ['{ path: /a }', '{ path: /a, methods: [GET] }'],
    ['{ path: /a, methods: [GET] }', '{ path: /a }'],
    ['{ methods: [GET] }', '{ methods: [GET, POST] }'],
  ])('%s leaves something to %s', (one, other) => {
    expect(problemsOf(`rules:\n  - match: ${one}\n  - match: ${other}\n`)).toEqual([]);
  });

  it('may name a scheme whose other members are wrong, which is said once', () => {
    const yaml = `schemes: ${acme}    places2: []\nrules:\n  - match: { path: /a }\n    scheme: acme\n`;

    expect(problemsOf(yaml)).toEqual([expect.stringContaining('schemes.0.places2: there is no setting')]);
  });
});

describe('what is allowed and hardly meant is warned of', () => {
  it.each([
    [
      'a listener that is open to the network',
      'http: { listen: "0.0.0.0:80" }',
      'http.listen: 0.0.0.0:80 is open to the network without TLS',
    ],
    [
      'an environment without keys',
      'environment: prod',
      'environment: no scheme has a prefix for "prod", so that no key is allowed',
    ],
    [
      'permissions on a public rule',
      'rules: [{ match: { path: /a }, public: true, permissions: [a] }]',
      'rules.0.public: permissions go before public: this rule asks for a key',
    ],
    [
      'an environment without keys in a rule',
      'rules: [{ match: { path: /a }, environment: prod }]',
      'rules.0.environment: no scheme has a prefix for "prod", so that no key is allowed',
    ],
  ])('%s', (_, yaml, line) => {
    const warnings = configWarnings(read(yaml)).map(({ path, message }) => `${path.join('.')}: ${message}`);

    expect(warnings).toEqual([line]);
  });

  it('and nothing else', () => {
    const yaml =
      'check: { listen: "unix:/run/a.sock" }\nadmin: { listen: "[::1]:1" }\nhttp: { listen: "localhost:8080" }';

    expect(configWarnings(read(yaml))).toEqual([]);
  });
});

function read(yaml: string, secrets: SecretSettings = {}): Config {
  return readConfig(parse(yaml) ?? {}, secrets, surroundings);
}

function problemsOf(yaml: string, secrets: SecretSettings = {}): string[] {
  try {
    read(yaml, secrets);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ path, message }) => `${path.join('.')}: ${message}`);
  }
}
