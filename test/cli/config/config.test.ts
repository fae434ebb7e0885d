import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { examineSettings } from '../../../src/cli/config/settings.ts';
import { defaultPresets, presetNames } from '../../../src/presets/read.ts';
import { placeholders, reasonStatus } from '../../../src/schemes/answer.ts';
import { type JsonSchema, schemaAt, settingsJsonSchema } from '../../../src/settings/settings-json-schema.ts';
import { postern } from '../console.ts';

const example = readFileSync('deploy/postern.example.yaml', 'utf8');
/** Without the `#` before settings; a line that begins with `# ` is a note. */
const switchedOn = example.replaceAll(/^#(?=[^ \n]| {2})/gm, '');
/** What the example needs besides. */
const secrets = {
  POSTERN_WEBHOOK_SECRET: `whsec_${Buffer.alloc(32).toString('base64')}`,
  POSTERN_OIDC_CLIENT_SECRET: 'a secret of the provider',
};

describe('config check', () => {
  it('says that a file is valid, and ends with 0', async () => {
    const files = { 'a.yaml': 'log: { level: warn }' };

    for (const argv of [['a.yaml'], ['--config', 'a.yaml']]) {
      expect(await postern(['config', 'check', ...argv], { files })).toEqual({
        exitCode: 0,
        stdout: 'a.yaml is valid\n',
        stderr: '',
      });
    }
    const environment = { POSTERN_CONFIG: 'a.yaml' };
    expect(await postern(['config', 'check'], { files, environment })).toMatchObject({
      stdout: 'a.yaml is valid\n',
    });
    expect(await postern(['config', 'check'])).toMatchObject({
      exitCode: 0,
      stdout: 'Configuration is valid\n',
    });
  });

  it('says all that is wrong, a line each, and ends with 2', async () => {
    const yaml = 'lgo: {}\nschemes: [mira, mira]\nrules: []\nstore: x\n';
    const environment = { POSTERN_STROE: 'x', POSTERN_HTTP_LISTEN: 'x' };
    const argv = ['config', 'check', 'a.yaml', '--log-level', 'inof'];

    const { exitCode, stdout } = await postern(argv, { files: { 'a.yaml': yaml }, environment });

    expect(exitCode).toBe(2);
    expect(stdout.split('\n')).toEqual([
      'POSTERN_STROE: there is no such setting; did you mean POSTERN_STORE?',
      expect.stringMatching(/^POSTERN_HTTP_LISTEN: http.listen: expected host:port/),
      expect.stringMatching(/^--log-level: log.level: expected .*; did you mean info\?$/),
      expect.stringMatching(/^a.yaml:1: lgo: there is no setting "lgo"; did you mean log\?$/),
      expect.stringMatching(/^a.yaml:2: schemes.1: mira is there twice/),
      expect.stringMatching(/^a.yaml:4: store: expected sqlite:FILE/),
      '',
    ]);
  });

  it('finds listeners that take the address of another, and each its own address fine', async () => {
    const check = async (listen: Record<string, string>) => {
      const yaml = Object.entries(listen).map(([name, address]) => `${name}: { listen: "${address}" }\n`);
      const { exitCode, stdout } = await postern(['config', 'check', 'a.yaml'], {
        files: { 'a.yaml': yaml.join('') },
      });
      return [exitCode, ...stdout.split('\n').filter((line) => line.includes('listens'))];
    };
    const [one, expected] = ['127.0.0.1:7000', 'expected an address for each listener'];
    expect(await check({ check: one, admin: one, http: one })).toEqual([
      2,
      `a.yaml:2: admin.listen: ${one} is where check.listen listens; ${expected}`,
      `a.yaml:3: http.listen: ${one} is where check.listen listens; ${expected}`,
    ]);
    expect((await check({ check: one, admin: '0.0.0.0:7000' }))[0]).toBe(2);
    expect((await check({ check: 'unix:/a/b', admin: 'unix:/a/b' }))[0]).toBe(2);
    expect((await check({ check: '127.0.0.1:0', admin: '127.0.0.1:0' }))[0]).toBe(0);
    expect((await check({ check: one, admin: '127.0.0.2:7000' }))[0]).toBe(0);
  });

  it('finds files of TLS and a folder for SQLite that cannot be used, with their lines', async () => {
    const yaml =
      'store: sqlite:package.json/postern.db\nadmin: { tls: { cert: /nowhere/a.pem, key: /nowhere/b.pem } }\n' +
      'http_check: { listen: 127.0.0.1:0, tls: { cert: /nowhere/c.pem, key: /nowhere/b.pem } }\n';
    const { exitCode, stdout } = await postern(['config', 'check', 'a.yaml'], { files: { 'a.yaml': yaml } });
    expect(exitCode).toBe(2);
    expect(stdout).toMatch(/^a\.yaml:2: admin\.tls: \/nowhere\/a\.pem .*$/m);
    expect(stdout).toMatch(/^a\.yaml:3: http_check\.tls: \/nowhere\/c\.pem .*$/m);
    expect(stdout).toMatch(/^a\.yaml:1: store: .*package\.json is not a folder$/m);
    expect(stdout).not.toContain('is valid');
  });

  it('prints what is hardly meant as warnings, and ends with 0', async () => {
    const { exitCode, stdout } = await postern(['config', 'check', '--http-listen', '0.0.0.0:80']);

    expect(exitCode).toBe(0);
    expect(stdout).toBe(
      '--http-listen: warning: http.listen: 0.0.0.0:80 is open to the network without TLS\nConfiguration is valid\n',
    );
  });

  it('reads no file that is named twice', async () => {
    expect(await postern(['config', 'check', 'a', '--config', 'b'])).toMatchObject({
      exitCode: 2,
      stdout: '',
    });
  });

  it('lets nothing from the file act on the terminal', async () => {
    const files = { 'a.yaml': '"\\e[2J": 1\n' };

    expect((await postern(['config', 'check', 'a.yaml'], { files })).stdout).not.toContain('\u001b');
  });
});

it.each([[[]], [['check']], [['print']], [['schema']]])(
  'the help of config %j begins with examples',
  async (command) => {
    const help = await postern(['config', ...command, '--help']);

    expect(help).toMatchObject({ exitCode: 0, stderr: '' });
    expect(help.stdout).toMatch(/^Examples:\n(?: {2}postern config .+\n)+\nUsage: postern config/);
  },
);

describe('a pattern', () => {
  it.each([
    ['(?:[A-Za-z0-9]+)+!', /can backtrack badly: a text such as "a+" has too many ways/],
    ['[a-z]+[a-z0-9]+', /can backtrack badly: a text such as "a+…" has too many ways/],
    ['[A-Za-z0-9]{32}', null],
    ['[a-f0-9]{8}(?:-[a-f0-9]{4}){3}-[a-f0-9]{12}', null],
  ])('%s is judged before it is tried', (pattern, message) => {
    const yaml = switchedOn.replace(/accept: .*/, `accept: { pattern: '${pattern}' }`);
    const { problems } = examineSettings({ config: 'a.yaml', set: {} }, {}, () => yaml);
    const found = problems.filter((line) => line.includes('accept.pattern'));

    expect(found).toEqual(message === null ? [] : [expect.stringMatching(message)]);
  });
});

describe('config print', () => {
  it('prints a settings file that means the same, with where each value comes from', async () => {
    const yaml = switchedOn.replace(/body: .*no_key.*/, `body: ${JSON.stringify('{\n  "a": {{reason}}\n}')}`);
    const files = { 'a.yaml': yaml };

    const { stdout } = await postern(['config', 'print', '--config', 'a.yaml', '--store', 'sqlite:b'], {
      ...{ files, environment: secrets },
    });

    expect(stdout).toContain('store: sqlite:b # --store\n');
    expect(stdout).toMatch(/^ {2}level: info # a.yaml:\d+$/m);
    const printed = parse(stdout);
    expect(printed).toMatchObject({ ...parse(yaml), store: 'sqlite:b' });
    const { config } = examineSettings({ config: 'b.yaml', set: {} }, secrets, () => stdout);
    const { config: meant } = examineSettings(
      { config: 'a.yaml', set: { store: 'sqlite:b' } },
      secrets,
      () => yaml,
    );
    // A secret has no JSON form.
    const shown = (of: typeof config) => {
      const console = of?.console && { ...of.console, oidc: { ...of.console.oidc, clientSecret: null } };
      return JSON.stringify({ ...of, console });
    };
    expect(shown(config)).toBe(shown(meant));
  });

  it('prints a number from the environment or a flag as the number that it is', async () => {
    const environment = { POSTERN_PROCESSES: '2' };
    expect((await postern(['config', 'print'], { environment })).stdout).toContain(
      'processes: 2 # POSTERN_PROCESSES\n',
    );
    expect((await postern(['config', 'print', '--processes', '3'])).stdout).toContain(
      'processes: 3 # --processes\n',
    );
  });

  it('fills in every default', async () => {
    const { stdout } = await postern(['config', 'print']);

    const { replica_id, schemes, plans, rules, upstream_headers, http_check, identity_token, ...defaults } =
      parse(switchedOn);
    const { types, ...events } = defaults.events;
    Object.assign(defaults, { events: { ...events, webhook: {} }, leaks: { github: { public_keys: {} } } });
    // TLS has no default, and nobody is allowed by a certificate.
    for (const listener of ['check', 'admin', 'http']) delete defaults[listener].tls;
    defaults.admin.clients = [];
    delete defaults.check.address_header;
    for (const setting of ['origin', 'oidc']) delete defaults.console[setting];
    defaults.console.return_origins = [];
    delete defaults.tracing.endpoint;
    delete defaults.console.origin;
    defaults.console.return_origins = [];
    defaults.tracing.attributes = {};
    expect(parse(stdout)).toEqual({
      ...defaults,
      ...{
        schemes: [...defaultPresets],
        plans: {},
        rules: [],
        key_rules: [],
        unused_keys: {},
        upstream_headers: {},
        http_check: {},
      },
    });
    expect(stdout.match(/# default$/gm)?.length).toBeGreaterThan(20);
  });

  it('shows no secret', async () => {
    const secret = 'geheim'.repeat(6);
    const environment = {
      POSTERN_ADMIN_KEY: secret,
      POSTERN_PEPPERS_FILE: 'peppers',
      POSTERN_STORE: `mongodb://me:${secret}@h:1,h2/db?tls=true&tlsCertificateKeyFilePassword=${secret}&authMechanismProperties=AWS_SESSION_TOKEN:${secret}`,
    };
    const files = { peppers: `a:${Buffer.from(secret).toString('base64')}` };

    const { stdout } = await postern(['config', 'print'], { environment, files });

    expect(stdout).toContain('# POSTERN_ADMIN_KEY: (set)\n# POSTERN_PEPPERS_FILE: (set)\n');
    expect(stdout).toContain(
      'store: mongodb://me:***@h:1,h2/db?tls=true&tlsCertificateKeyFilePassword=***&authMechanismProperties=*** # POSTERN_STORE\n',
    );
    expect(stdout).not.toContain('geheim');
    expect(stdout).not.toContain(files.peppers);
  });

  it('prints nothing of settings that are wrong, and ends with 2', async () => {
    expect(await postern(['config', 'print', '--store', 'x'])).toMatchObject({
      exitCode: 2,
      stdout: '',
      stderr: expect.stringMatching(/^postern: --store: store: expected sqlite:FILE/),
    });
  });
});

describe('config schema', () => {
  const validate = new Ajv2020({ strict: false }).compile(settingsJsonSchema(presetNames));

  it('is of draft 2020-12 and says what every setting is', async () => {
    const { stdout } = await postern(['config', 'schema']);

    const schema = JSON.parse(stdout);
    expect(schema).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      title: 'Postern settings',
    });
    for (const { path, form } of settingsOf(schema)) {
      expect([path, form]).toEqual([path, expect.objectContaining({ description: expect.any(String) })]);
    }
  });

  it('takes the example with everything switched on', () => {
    expect([validate(parse(switchedOn)), validate.errors]).toEqual([true, null]);
    expect(validate({})).toBe(true);
  });

  it.each([
    'lgo: {}',
    'log: { levl: info }',
    'log: { level: inof }',
    'schemes: [powervers]',
    'schemes: []',
    'staleness_max: 15',
    'staleness_max: "15"',
    'plans: { pro: { limt: 300, window: 60s } }',
    'rules: [{ path: /a }]',
    'rules: [{ match: { path: /a }, permision: [a] }]',
    'memory: { keys_max: 0 }',
    'schemes: [{ name: acme }]',
  ])('refuses %s, as config check does', (yaml) => {
    expect(validate(parse(yaml))).toBe(false);
    expect(examineSettings({ config: 'a', set: {} }, {}, () => yaml).problems).not.toEqual([]);
  });
});

describe('the example file', () => {
  it('is fine as it is, where it sets nothing, and with everything switched on', () => {
    for (const yaml of [example, switchedOn]) {
      const { problems, warnings } = examineSettings({ config: 'a.yaml', set: {} }, secrets, () => yaml);
      expect([problems, warnings]).toEqual([[], []]);
    }
    expect(parse(example)).toBeNull();
  });

  it('has every setting that there is, and every member of a scheme, a rule and an answer', () => {
    const tree = parse(switchedOn);
    const acme = tree.schemes.find((entry: unknown) => typeof entry === 'object');
    const own = settingsJsonSchema().properties?.schemes?.items?.anyOf?.find(({ type }) => type === 'object');

    for (const { path } of settingsOf(settingsJsonSchema())) expect(tree).toHaveProperty(path);
    for (const { path } of settingsOf(own ?? {})) expect(acme).toHaveProperty(path);
    const rules = settingsJsonSchema().properties?.rules?.items;
    const members = new Set(tree.rules.flatMap(Object.keys));
    expect([...members].toSorted()).toEqual(Object.keys(rules?.properties ?? {}).toSorted());
  });
});

describe('docs/configuration.md', () => {
  const text = readFileSync('docs/configuration.md', 'utf8');

  it('has every setting with its default', () => {
    for (const { path, form } of settingsOf(settingsJsonSchema())) {
      if (form.type === 'object' && form.properties !== undefined) continue;
      const row = text.split('\n').find((line) => line.startsWith(`| \`${path.join('.')}\``));
      expect([path, row]).toEqual([path, expect.any(String)]);
      if (['string', 'number'].includes(typeof form.default)) expect(row).toContain(`\`${form.default}\``);
    }
  });

  it('has every variable, reason with its status, and placeholder', () => {
    const variables = ['CHECK_LISTEN', 'ADMIN_LISTEN', 'HTTP_LISTEN', 'STORE', 'ENVIRONMENT', 'LOG_LEVEL'];
    const others = [
      'REPLICA_ID',
      'CONFIG',
      'ADMIN_KEY',
      'PEPPERS',
      'CHECKSUM_KEYS',
      'CONSOLE_SESSION_SECRET',
      'OIDC_CLIENT_SECRET',
      'WEBHOOK_SECRET',
    ];
    for (const name of [...variables, ...others]) expect(text).toContain(`\`POSTERN_${name}\``);
    for (const [reason, status] of Object.entries(reasonStatus)) {
      expect(text).toMatch(new RegExp(`^\\| \`${reason}\` +\\| ${status} +\\|`, 'm'));
    }
    for (const name of placeholders) expect(text).toMatch(new RegExp(`^\\| \`${name}\` +\\|`, 'm'));
  });

  it('has examples that are fine', () => {
    for (const [, yaml = ''] of text.matchAll(/^```yaml\n(.*?)^```/gms)) {
      const { problems } = examineSettings({ config: 'a.yaml', set: {} }, {}, () => yaml);
      expect([yaml, problems]).toEqual([yaml, []]);
    }
  });
});

/** Every setting of a schema, and those inside of it, as far as names are fixed. */
function settingsOf(
  schema: JsonSchema,
  path: readonly string[] = [],
): { path: string[]; form: JsonSchema }[] {
  return Object.keys(schema.properties ?? {}).flatMap((name) => {
    const form = schemaAt(schema, name) ?? {};
    return [{ path: [...path, name], form }, ...settingsOf(form, [...path, name])];
  });
}
